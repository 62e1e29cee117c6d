import { createHash } from 'node:crypto';
import { raw } from 'hono/html';

const pageStyle = `
:root { color-scheme: light dark; --text: #1c2430; --dim: #5b6675; --line: #d9dee6; --paper: #fff; --ground: #f4f6f9;
  --good: #1a7f4b; --busy: #1f5fbf; --late: #8a5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6eaf0; --dim: #9aa5b4; --line: #333c48; --paper: #1a2029;
  --ground: #11151b; --good: #4cc38a; --busy: #7aa8ff; --late: #e0a83d; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
h1 { margin: 0 auto 0 0; font-size: 1.3rem; }
h2 { margin: 0 auto 0 0; font-size: 1.1rem; overflow-wrap: anywhere; }
h3 { margin: 1rem 0 .25rem; font-size: .9rem; }
article { margin-top: 1rem; padding: 1rem 1.25rem; background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; }
p, ul, dl { margin: .5rem 0 0; }
ul { padding-left: 1.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt, .dim { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .87em ui-monospace, monospace; overflow-wrap: anywhere; }
.badge { padding: .05rem .6rem; border: 1px solid currentColor; border-radius: 1rem; font-size: .85rem; font-weight: 600; }
.good { color: var(--good); } .busy { color: var(--busy); } .late { color: var(--late); } .bad { color: var(--bad); }
svg { display: block; width: 100%; height: auto; margin-top: .75rem; }
svg text { font: 13px system-ui, sans-serif; fill: var(--text); }
svg .dim { fill: var(--dim); }
.bar { stroke-width: 1.5; }
.bar.current { fill: var(--good); fill-opacity: .22; stroke: var(--good); }
.bar.previous { fill: var(--late); fill-opacity: .2; stroke: var(--late); }
.now { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3; }
.axis { stroke: var(--line); }
`;

/** The status page's only style sheet, inline: the page loads nothing. */
export const styleElement = raw(`<style>${pageStyle}</style>`);

/** For the content security policy. */
export const pageStyleHash = `sha256-${createHash('sha256').update(pageStyle).digest('base64')}`;

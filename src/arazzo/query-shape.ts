import { quoted, syntaxError } from './failure.js';

/**
 * Refuses what is surely no JSONPath query (RFC 9535): one that does not begin at the root, has unbalanced brackets, or compares
 * outside a filter, as many published documents do. The engine has the last word.
 * @throws ArazzoError syntax
 */
export function checkQuery(text: string): void {
  if (!text.startsWith('$')) throw syntaxError(`${quoted(text)} is not a JSONPath query: it must start with $`);
  const open: string[] = [];
  for (const [part] of text.matchAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^]/gu)) {
    if (part === '[' || part === '(') open.push(part);
    else if (part === ']' || part === ')') {
      if (open.pop() !== (part === ']' ? '[' : '('))
        throw syntaxError(`${quoted(text)} has a ${quoted(part)} too many`);
    } else if (open.length === 0 && /^[=<>!&|]/.test(part)) {
      throw syntaxError(
        `${quoted(text)} is not a JSONPath query: comparisons stand in a filter, for example $[?@.done == true], or use a simple condition`,
      );
    }
  }
  if (open.length > 0) throw syntaxError(`${quoted(text)} lacks a closing bracket`);
}

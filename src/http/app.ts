/** What every application of this server has in common. */
import { type Context, Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { Logger } from '../telemetry/log.js';
import { refused } from './envelope.js';
import { pageStyleHash } from './page-style.js';
import { cleaned } from './webhook-request.js';

/** Nothing may be loaded, framed, sent or run; the status page's one style sheet is known by its hash. */
const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  styleSrc: [`'${pageStyleHash}'`],
  imgSrc: ['data:'],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

const routes = 'Routes are /, /api/credentials, /webhooks/mambu, /metrics, /healthz and /readyz.';

const nothingHere = (c: Context): Response =>
  refused(c, 404, { code: 'KT-INPUT', message: 'there is nothing here', hint: routes });

/**
 * As the request has it: no route needs escapes or dots. A proxy that passes on only `/webhooks/…` and this server must not mean different
 * things by `/webhooks/%2e%2e/metrics`.
 */
const isPlain = (target: string): boolean => /^(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._-]+)*\/?(?:\?.*)?$/.test(target);

export function createApp(log: Logger): Hono {
  const app = new Hono();
  app.use(secureHeaders({ contentSecurityPolicy, strictTransportSecurity: false, xFrameOptions: 'DENY' }));
  app.use(async (c: Context<{ Bindings: { incoming?: { url?: string } } }>, next) => {
    if (isPlain(c.env?.incoming?.url ?? c.req.path)) await next();
    else c.res = nothingHere(c);
    c.header('Cache-Control', 'no-store');
  });
  app.notFound(nothingHere);
  app.onError((error, c) => {
    log.error({ err: error, method: cleaned(c.req.method), path: cleaned(c.req.path) }, 'a request failed');
    return refused(c, 500, { code: 'KT-INTERNAL', message: 'the request failed inside keyturn' });
  });
  return app;
}

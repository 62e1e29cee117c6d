/** What every application of this server has in common. */
import { Hono } from 'hono';
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

export function createApp(log: Logger): Hono {
  const app = new Hono();
  app.use(secureHeaders({ contentSecurityPolicy, strictTransportSecurity: false, xFrameOptions: 'DENY' }));
  app.use(async (c, next) => {
    await next();
    c.header('Cache-Control', 'no-store');
  });
  app.notFound((c) => refused(c, 404, { code: 'KT-INPUT', message: 'there is nothing here', hint: routes }));
  app.onError((error, c) => {
    log.error({ err: error, method: cleaned(c.req.method), path: cleaned(c.req.path) }, 'a request failed');
    return refused(c, 500, { code: 'KT-INTERNAL', message: 'the request failed inside keyturn' });
  });
  return app;
}

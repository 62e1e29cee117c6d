/** `keyturn serve`: status page, API, metrics and webhooks. */
import type { Hono } from 'hono';
import type { KeyturnClient } from '../client.js';
import type { Config } from '../config.js';
import type { Logger } from '../telemetry/log.js';
import type { ServerMetrics } from '../telemetry/metrics.js';
import { apiRoutes } from './api.js';
import { createApp } from './app.js';
import { bearerGuard, type ResolveSecret } from './auth.js';
import { answered, refused } from './envelope.js';
import { listen } from './listen.js';
import { statusPage } from './page.js';
import { probe, temporalAnswers, type TemporalProbe } from './ready.js';
import { readStates } from './states.js';
import { webhookRoutes } from './webhooks.js';

export interface ServerDeps {
  readonly config: Config;
  readonly resolveSecret: ResolveSecret;
  /** A KeyturnClient, or as much of one as the routes need. */
  readonly client: Pick<KeyturnClient, 'requestRotation' | 'backlog' | 'state'> & TemporalProbe;
  readonly log: Logger;
  storeReady(): Promise<boolean>;
  readonly metrics: ServerMetrics;
}

export interface RunningServer {
  /** Origin of page, API and metrics, without a slash at its end. */
  readonly url: string;
  /** What goes into Mambu: the whole address of the short webhook route. */
  readonly webhookUrl: string;
  close(): Promise<void>;
}

/** @throws KeyturnError KT-SECRET-MISSING, KT-CONFLICT when an address is taken, KT-CONFIG when one cannot be had */
export async function startServer(deps: ServerDeps): Promise<RunningServer> {
  const { config, log } = deps;
  const { listen: mainEndpoint, webhookListen } = config.server;
  const webhooks = await webhookRoutes(deps);
  const main = await listen(await mainApp(deps, webhookListen === null ? webhooks : null), mainEndpoint);
  if (webhookListen === null) return { ...main, webhookUrl: `${main.url}/webhooks/mambu` };
  const hooks = await listen(withHealth(createApp(log)).route('/', webhooks), webhookListen).catch(
    async (error: unknown) => {
      await main.close();
      throw error;
    },
  );
  return {
    url: main.url,
    webhookUrl: `${hooks.url}/webhooks/mambu`,
    close: async () => {
      await Promise.all([main.close(), hooks.close()]);
    },
  };
}

async function mainApp(deps: ServerDeps, webhooks: Hono | null): Promise<Hono> {
  const { config, client, metrics } = deps;
  const app = withHealth(createApp(deps.log));
  const isTemporalReady = probe(() => temporalAnswers(client));
  const isStoreReady = probe(() => deps.storeReady());
  app.get('/readyz', async (c) => {
    const [temporal, store] = await Promise.all([isTemporalReady(), isStoreReady()]);
    if (!temporal) return refused(c, 503, { code: 'KT-TEMPORAL-UNREACHABLE', message: 'Temporal does not answer' });
    if (!store) return refused(c, 503, { code: 'KT-STORE-UNAVAILABLE', message: 'the store does not answer' });
    return answered(c, { temporal, store });
  });
  if (webhooks !== null) app.route('/', webhooks);
  app.use(await bearerGuard(config.server.auth, deps.resolveSecret));
  app.get('/metrics', (c) =>
    c.body(metrics.text(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }),
  );
  app.route('/', apiRoutes(config, client, deps.log));
  app.get('/', async (c) =>
    c.html(statusPage(await readStates(client, [...config.credentials.keys()], deps.log), Date.now())),
  );
  return app;
}

function withHealth(app: Hono): Hono {
  return app.get('/healthz', (c) => answered(c, { alive: true }));
}

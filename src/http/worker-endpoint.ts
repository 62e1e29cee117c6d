/** The worker's own endpoint: liveness, readiness and the metrics of Temporal's exporter, which itself stands on loopback only. */
import type { Endpoint } from '../config.js';
import type { Logger } from '../telemetry/log.js';
import { createApp } from './app.js';
import { answered, refused } from './envelope.js';
import { listen, type Listening } from './listen.js';
import { probe } from './ready.js';

export interface WorkerEndpointOptions {
  readonly listen: Endpoint;
  /** Whether the worker polls and what it depends on answers. */
  ready(): Promise<boolean>;
  /** Where Temporal's Prometheus exporter answers; null: it does not run. */
  readonly metricsUrl: string | null;
  readonly log: Logger;
}

const METRICS_WITHIN_MS = 2_000;

/** @throws KeyturnError KT-CONFLICT when the address is taken, KT-CONFIG when it cannot be had */
export async function startWorkerEndpoint(options: WorkerEndpointOptions): Promise<Listening> {
  const { metricsUrl } = options;
  const app = createApp(options.log);
  const isReady = probe(() => options.ready());
  const contentType = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' };
  app.get('/healthz', (c) => answered(c, { alive: true }));
  app.get('/readyz', async (c) =>
    (await isReady())
      ? answered(c, { ready: true })
      : refused(c, 503, { code: 'KT-NO-WORKER', message: 'the worker is not ready', hint: 'See its log.' }),
  );
  app.get('/metrics', async (c) => {
    const text = metricsUrl === null ? null : await exported(metricsUrl);
    if (text !== null) return c.body(text, 200, contentType);
    return refused(c, 503, {
      code: 'KT-NO-WORKER',
      message: 'the metrics exporter does not answer',
      hint: 'See the log.',
    });
  });
  return listen(app, options.listen);
}

/** Null where it does not answer. */
async function exported(metricsUrl: string): Promise<string | null> {
  try {
    const response = await fetch(metricsUrl, { redirect: 'error', signal: AbortSignal.timeout(METRICS_WITHIN_MS) });
    return response.ok ? await response.text() : null;
  } catch {
    return null; // said to the caller as 503
  }
}

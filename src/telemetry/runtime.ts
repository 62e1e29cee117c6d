/** Temporal's runtime of this process: its logs go to ours, its metrics and ours stand side by side at one Prometheus endpoint. */
import { makeTelemetryFilterString, Runtime, type Logger } from '@temporalio/worker';
import { freePort } from '../dev/free-port.js';

export interface InstalledRuntime {
  /** Prometheus text, on loopback only. */
  readonly metricsUrl: string | null;
}

/** Once per process, before the first connection or worker. */
export async function installRuntime(logger: Logger, metrics: boolean): Promise<InstalledRuntime> {
  const port = metrics ? await freePort() : null;
  Runtime.install({
    logger,
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(port === null
        ? {}
        : {
            metrics: {
              prometheus: {
                bindAddress: `127.0.0.1:${port}`,
                countersTotalSuffix: true,
                unitSuffix: true,
                useSecondsForDurations: true,
              },
            },
          }),
    },
  });
  return { metricsUrl: port === null ? null : `http://127.0.0.1:${port}/metrics` };
}

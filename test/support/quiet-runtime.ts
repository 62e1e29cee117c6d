import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';

/** Keeps the SDK's chatter about starting and stopping workers out of the test output, unless a test has set up a runtime of its own. */
export function quietRuntime(): void {
  // The SDK remembers the options of the first runtime for those that follow when it was shut down.
  if (Reflect.get(Runtime, 'instantiator') !== undefined) return;
  Runtime.install({
    logger: new DefaultLogger('WARN'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
  });
}

import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';

/** Keeps the SDK's chatter about starting and stopping workers out of the test output, unless a test has set up a runtime of its own. */
export function quietRuntime(): void {
  if (Reflect.get(Runtime, '_instance') !== undefined) return;
  Runtime.install({
    logger: new DefaultLogger('WARN'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
  });
}

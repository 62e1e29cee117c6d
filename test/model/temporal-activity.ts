/** Stands in for `@temporalio/activity`: steps use their context to be stopped and to log, and here neither happens. */
const context = {
  cancellationSignal: { aborted: false },
  log: { info: () => undefined, warn: () => undefined, error: () => undefined },
};
export const Context = { current: () => context };

/** Stands in for `@temporalio/workflow` (an alias in vitest.config.ts): as much of it as the entity uses, in virtual time. */
import type { ActivityOptions } from '@temporalio/common';
import { host, type Handler } from './host.js';

export { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';

/** Thrown by a run that goes on as the next one. */
export class ContinueAsNew extends Error {
  override readonly name = 'ContinueAsNew';
  constructor(readonly args: readonly unknown[]) {
    super('continue as new');
  }
}

export const condition = (wake: () => boolean, timeoutMs?: number): Promise<boolean> =>
  host().condition(wake, timeoutMs);

export const proxyActivities = (options: ActivityOptions): unknown =>
  new Proxy({}, { get: (_, name) => (input: unknown) => host().activity(String(name), input, options) });

export const CancellationScope = {
  current: () => ({ cancelRequested: new Promise<never>(() => undefined) }),
  nonCancellable: <T>(work: () => Promise<T>): Promise<T> => work(),
};

export const makeContinueAsNewFunc =
  () =>
  (...args: unknown[]): Promise<never> =>
    Promise.reject(new ContinueAsNew(args));

const definition = (name: string): { readonly name: string } => ({ name });
export const defineQuery = definition;
export const defineSignal = definition;
export const defineUpdate = definition;

export function setHandler(
  { name }: { readonly name: string },
  run: Handler['run'],
  options?: { readonly validator?: Handler['validate'] },
): void {
  host().handle(name, { run, validate: options?.validator });
}

export const allHandlersFinished = (): boolean => true;
export const uuid4 = (): string => host().uuid();
export const workflowInfo = (): ReturnType<ReturnType<typeof host>['info']> => host().info();
export const log = { info: () => undefined, warn: () => undefined };
export const metricMeter = { createCounter: () => ({ add: () => undefined }) };
export const setCurrentDetails = (): undefined => undefined;
export const upsertSearchAttributes = (): undefined => undefined;
export const getExternalWorkflowHandle = (): { signal(): Promise<void> } => ({ signal: () => Promise.resolve() });
export const upsertMemo = (): undefined => undefined;

import type { Action, Step, Workflow } from './document.js';

/** What to do after a step. `stop` ends the workflow as failed, because no action applies. */
export type Decision =
  | { readonly kind: 'next' | 'stop' }
  | { readonly kind: 'end'; readonly outcome: 'completed' | 'failed' }
  /** One way. */
  | { readonly kind: 'goto'; readonly to: NonNullable<Action['to']> }
  /** Wait, run `first` if there is one, then the step again. */
  | {
      readonly kind: 'retry';
      readonly afterMs: number;
      readonly first?: NonNullable<Action['to']>;
      /** The caller counts by it, for the whole run of the workflow. */
      readonly counter: string;
    };

export interface StepEnd {
  readonly isSuccess: boolean;
  readonly hasMet: (action: Action) => boolean;
  /** Retries made so far, by `counter` of the decision. */
  readonly retries: ReadonlyMap<string, number>;
  /** Of the answer's header Retry-After, which overrules the document. */
  readonly retryAfterMs?: number;
}

/** The first action that applies: the step's own before the workflow's, and exhausted retries are passed over. */
export function decide(workflow: Workflow, step: Step, end: StepEnd): Decision {
  for (const action of actionsOf(workflow, step, end.isSuccess)) {
    const counter = counterOf(step, action);
    if (action.type === 'retry' && (end.retries.get(counter) ?? 0) >= action.retryLimit) continue;
    if (!end.hasMet(action)) continue;
    switch (action.type) {
      case 'end':
        return { kind: 'end', outcome: end.isSuccess ? 'completed' : 'failed' };
      case 'goto':
        return action.to === undefined ? { kind: 'stop' } : { kind: 'goto', to: action.to };
      case 'retry':
        return {
          kind: 'retry',
          afterMs: end.retryAfterMs ?? Math.ceil(action.retryAfter * 1000),
          ...(action.to === undefined || isItself(step, action.to) ? {} : { first: action.to }),
          counter,
        };
      default:
        return action.type satisfies never;
    }
  }
  return { kind: end.isSuccess ? 'next' : 'stop' };
}

/** In order. An action of the workflow is overridden by one of the step that has its name. */
export function actionsOf(workflow: Workflow, step: Step, isSuccess: boolean): readonly Action[] {
  const own = isSuccess ? step.onSuccess : step.onFailure;
  const general = isSuccess ? workflow.successActions : workflow.failureActions;
  return [...own, ...general.filter(({ name }) => !own.some((action) => action.name === name))];
}

/** Read literally, a retry that names its own step would call it twice. */
const isItself = (step: Step, to: NonNullable<Action['to']>): boolean => to.kind === 'step' && to.id === step.stepId;

const counterOf = (step: Step, action: Action): string => `${step.stepId} ${action.name}`;

/**
 * Milliseconds that a Retry-After header asks for (RFC 9110, section 10.2.3): whole seconds or a date.
 * @returns undefined when it is neither
 */
export function parseRetryAfter(header: string, nowMs: number): number | undefined {
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Za-z]{3}, \d{2} [A-Za-z]{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

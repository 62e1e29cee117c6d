/** Readiness: does what this process depends on answer? */
import { within } from './within.js';

/** What of Temporal's client is needed to ask whether the server is there. */
export interface TemporalProbe {
  readonly temporal: {
    readonly options: { readonly namespace: string };
    readonly connection: {
      readonly workflowService: { describeNamespace(request: { readonly namespace: string }): Promise<unknown> };
      withDeadline<T>(deadlineMs: number, ask: () => Promise<T>): Promise<T>;
    };
  };
}

const ANSWER_WITHIN_MS = 2_000;

export async function temporalAnswers({ temporal }: TemporalProbe): Promise<boolean> {
  const { connection, options } = temporal;
  const deadlineMs = Date.now() + ANSWER_WITHIN_MS;
  await connection.withDeadline(deadlineMs, () =>
    connection.workflowService.describeNamespace({ namespace: options.namespace }),
  );
  return true;
}

/** False when it says so, fails or is late. Questions that come while one is under way share its answer. */
export function probe(ask: () => Promise<boolean>): () => Promise<boolean> {
  let asking: Promise<boolean> | null = null;
  const late = () => new Error('late');
  return () => {
    asking ??= within(ask(), ANSWER_WITHIN_MS, late)
      .catch(() => false)
      .finally(() => (asking = null));
    return asking;
  };
}

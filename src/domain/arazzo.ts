/** What callers of the workflow `runArazzo` send and get. */
import type { StateError } from './state.js';

/** A secret as it stands in a history: only keyturn's activities open it, and only for the workflow id it was sealed for. */
export interface SealedArazzoValue {
  readonly sealed: string;
  /** The same for the same value, throughout one installation. */
  readonly fingerprint: string;
}

/** Inputs or outputs by their names: any JSON, secrets as {@link SealedArazzoValue}. */
export type ArazzoValues = Readonly<Record<string, unknown>>;

/** Input of the workflow `runArazzo`. */
export interface RunArazzoInput {
  /** Text of an Arazzo 1.0 document, YAML or JSON. */
  readonly document: string;
  /** Texts of the OpenAPI descriptions, by the names of the document's sources. */
  readonly sources: Readonly<Record<string, string>>;
  readonly workflowId: string;
  /** Secrets must be sealed, as `keyturn arazzo run` does it. */
  readonly inputs: ArazzoValues;
  /** Base URLs in the place of those of keyturn.yaml and the descriptions, by the names of the sources. */
  readonly servers?: Readonly<Record<string, string>>;
}

export type ArazzoOutcome = 'completed' | 'failed' | 'aborted';

export interface RunArazzoOutput {
  readonly outcome: ArazzoOutcome;
  /** Of the workflow, as far as they have a value. */
  readonly outputs: ArazzoValues;
  /** Everything that was performed, in order. */
  readonly steps: readonly ArazzoStepReport[];
  /** Of `failed` and `aborted`. */
  readonly error?: StateError;
}

/** One call of a step. */
export interface ArazzoStepReport {
  /** Of the document. */
  readonly workflowId: string;
  readonly stepId: string;
  /** `unknown`: sent, and nobody knows whether it was executed; `skipped`: an operator said to go on without it. */
  readonly outcome: 'succeeded' | 'failed' | 'unknown' | 'skipped';
  /** `POST https://api.example/apps/{app}`: a template, without values. Of a step that calls a workflow: `workflow <id>`. */
  readonly request: string;
  /** Of the HTTP answer; null where there was none. */
  readonly status: number | null;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly error?: StateError;
}

export type ArazzoStatus = 'running' | 'waiting' | 'needs-operator' | ArazzoOutcome;

/** Answer of the query `arazzoState`. */
export interface ArazzoState {
  readonly schemaVersion: 1;
  /** `waiting`: for the time of the next attempt. */
  readonly status: ArazzoStatus;
  readonly workflowId: string;
  /** What is being performed, or is next. */
  readonly step: { readonly workflowId: string; readonly stepId: string } | null;
  readonly nextAttemptAt: string | null;
  readonly lastError: StateError | null;
  /** The request whose outcome is unknown, while an operator is waited for. */
  readonly unknown: ArazzoUnknown | null;
  readonly steps: readonly ArazzoStepReport[];
}

export interface ArazzoUnknown {
  readonly workflowId: string;
  readonly stepId: string;
  /** As in {@link ArazzoStepReport}. */
  readonly request: string;
  readonly since: string;
  readonly error: StateError;
  readonly command: string;
}

export type ArazzoDecision = 'retry' | 'skip' | 'abort';

/** Input of the update `resolveStep`. */
export interface ResolveStepInput {
  readonly stepId: string;
  /** `retry`: send it again; `skip`: it counts as done, without outputs; `abort`: the run ends here. */
  readonly decision: ArazzoDecision;
}

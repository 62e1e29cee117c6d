/** The activities of `runArazzo` as the workflow sees them: types only. */
import type { Decision } from '../arazzo/action.js';
import type { ArazzoOutcome, ArazzoValues, RunArazzoInput, SealedArazzoValue } from '../domain/arazzo.js';
import type { StateError } from '../domain/state.js';

/** What a run needs to know of the document. It holds no value. */
export interface ArazzoPlan {
  /** Under which the document is kept in the store. */
  readonly run: string;
  readonly inputs: ArazzoValues;
  readonly workflows: Readonly<Record<string, PlannedWorkflow>>;
}

export interface PlannedWorkflow {
  readonly dependsOn: readonly string[];
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  readonly stepId: string;
  readonly call:
    | {
        readonly kind: 'request';
        /** `POST https://api.example/apps/{app}` */
        readonly request: string;
        /** Anything but GET and HEAD. */
        readonly isWrite: boolean;
      }
    | { readonly kind: 'workflow'; readonly workflowId: string };
}

/** Where a run is in the document, with the values that expressions may name there. */
export interface ArazzoPlace {
  readonly run: string;
  readonly workflowId: string;
  readonly inputs: ArazzoValues;
  /** Outputs by steps of this workflow. */
  readonly steps: Readonly<Record<string, ArazzoValues>>;
  /** Workflows that have ended. */
  readonly workflows: Readonly<Record<string, { readonly inputs: ArazzoValues; readonly outputs: ArazzoValues }>>;
  /** Every secret of the run: what holds one of them becomes one. */
  readonly secrets: readonly SealedArazzoValue[];
}

export interface ArazzoStepInput extends ArazzoPlace {
  readonly stepId: string;
  /** Retries made so far, by `counter` of the decision. */
  readonly retries: Readonly<Record<string, number>>;
}

/** What became of a step and what comes next: both were decided where the answer was, of which nothing else is left. */
export interface ArazzoStepEnd {
  readonly isSuccess: boolean;
  /** Sent, and without an answer: perhaps executed. */
  readonly isUnknown: boolean;
  readonly status: number | null;
  readonly decision: Decision;
  readonly outputs: ArazzoValues;
  readonly error: StateError | null;
}

export interface ArazzoActivities {
  /** Checks everything, keeps the document in the store and says what there is to do. @throws KT-ARAZZO-DOCUMENT, KT-ARAZZO-SECRET */
  arazzoPlan(input: RunArazzoInput): Promise<ArazzoPlan>;
  /** At most one request of a step. It throws only while nothing was sent. */
  arazzoStep(input: ArazzoStepInput): Promise<ArazzoStepEnd>;
  /** What comes after a step that called a workflow, or whose worker was lost. */
  arazzoJudge(
    input: ArazzoStepInput & {
      readonly after:
        | { readonly kind: 'lost'; readonly isWrite: boolean }
        | { readonly kind: 'workflow'; readonly outcome: ArazzoOutcome; readonly outputs: ArazzoValues };
    },
  ): Promise<ArazzoStepEnd>;
  /** Inputs for another workflow: by the parameters of a step, or those of the same names. @throws KT-ARAZZO-STEP */
  arazzoEnter(input: ArazzoPlace & { readonly target: string; readonly stepId: string | null }): Promise<ArazzoValues>;
  /** Outputs of the workflow, those that have a value. */
  arazzoFinish(input: ArazzoPlace): Promise<ArazzoValues>;
  arazzoForget(input: { readonly run: string }): Promise<void>;
}

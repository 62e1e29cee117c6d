/** The steps of an Arazzo run. Each looks the document up in the store, and leaves nothing of an answer but what the document declares. */
import { Context } from '@temporalio/activity';
import { ArazzoError } from '../arazzo/failure.js';
import { requireInputs, validInputs } from '../arazzo/inputs.js';
import type { JsonObject } from '../arazzo/json.js';
import { buildInputs, buildRequest } from '../arazzo/request.js';
import { inputsToSeal } from '../arazzo/secret-values.js';
import { baseUrlOf } from '../arazzo/servers.js';
import type { ArazzoValues } from '../domain/arazzo.js';
import { KeyturnError } from '../domain/errors.js';
import type { ArazzoActivities, ArazzoStepEnd, ArazzoStepInput } from './arazzo-api.js';
import { halted, judged, type Outcome, secretOutputs, workflowOutputs } from './arazzo-judge.js';
import { type ArazzoRuns, type PlaceInRun, stepOf, workflowOf } from './arazzo-run.js';
import { send } from './arazzo-send.js';

type Input<Name extends keyof ArazzoActivities> = Parameters<ArazzoActivities[Name]>[0];

export async function arazzoStep(runs: ArazzoRuns, input: ArazzoStepInput): Promise<ArazzoStepEnd> {
  const startedAtMs = runs.engine.now();
  const place = await runs.at(input);
  const outcome = await performed(runs, place, input.stepId, startedAtMs);
  if ('decision' in outcome) return outcome;
  try {
    return await judged(place, input, outcome);
  } catch (error) {
    // It was sent: whatever is wrong now must not look as if it was not.
    return { ...nothing, ...halted(error), isUnknown: outcome.kind === 'none' && outcome.isUnknown };
  }
}

const nothing = { isUnknown: false, status: null, outputs: {} } as const;

async function performed(
  runs: ArazzoRuns,
  place: PlaceInRun,
  stepId: string,
  startedAtMs: number,
): Promise<Outcome | ArazzoStepEnd> {
  const { step, operation } = stepOf(place, stepId);
  if (operation === undefined) throw new KeyturnError('KT-INTERNAL', `step ${stepId} calls a workflow`);
  const { sources } = (await runs.engine.deps.config()).arazzo;
  try {
    const request = buildRequest(place.workflow, step, operation, place.scope);
    const base = baseUrlOf(operation, sources, place.servers);
    const signal = Context.current().cancellationSignal;
    return await send(runs, { base, operation, request, startedAtMs, signal });
  } catch (error) {
    if (!(error instanceof ArazzoError)) throw error;
    return { ...nothing, ...halted(new KeyturnError('KT-ARAZZO-STEP', `${error.message}: nothing was sent`)) };
  }
}

export async function arazzoJudge(runs: ArazzoRuns, input: Input<'arazzoJudge'>): Promise<ArazzoStepEnd> {
  const place = await runs.at(input);
  const { after } = input;
  if (after.kind === 'workflow' && after.outcome === 'completed')
    return judged(place, input, { kind: 'outputs', outputs: await place.values.open(after.outputs) });
  if (after.kind === 'workflow') {
    const error = { code: 'KT-ARAZZO-STEP', message: `the workflow that it calls has ${after.outcome}` };
    return judged(place, input, { kind: 'none', isUnknown: false, error });
  }
  const error = after.isWrite
    ? { code: 'KT-ARAZZO-UNKNOWN', message: 'the worker was lost in the middle of the step: it may have been executed' }
    : { code: 'KT-ARAZZO-STEP', message: 'no worker finished the step' };
  return judged(place, input, { kind: 'none', isUnknown: after.isWrite, error });
}

export async function arazzoEnter(runs: ArazzoRuns, input: Input<'arazzoEnter'>): Promise<ArazzoValues> {
  const place = await runs.at(input);
  const target = workflowOf(place.prepared.document, input.target);
  try {
    const given = input.stepId === null ? sameNames(place, input.target) : parameters(place, input.stepId);
    const inputs = validInputs(target, given);
    requireInputs(target, inputs);
    const secret = inputsToSeal(place.prepared, target, inputs);
    return await place.values.close(inputs, (name) => secret.has(name));
  } catch (error) {
    if (!(error instanceof ArazzoError)) throw error;
    throw new KeyturnError('KT-ARAZZO-STEP', `the workflow ${input.target} cannot be entered: ${error.message}`);
  }
}

const parameters = (place: PlaceInRun, stepId: string): JsonObject =>
  buildInputs(place.workflow, stepOf(place, stepId).step, place.scope);

function sameNames({ prepared, scope }: PlaceInRun, id: string): JsonObject {
  const declared = workflowOf(prepared.document, id).inputs?.properties ?? {};
  return Object.fromEntries(Object.entries(scope.inputs).filter(([name]) => Object.hasOwn(declared, name)));
}

export async function arazzoFinish(runs: ArazzoRuns, input: Input<'arazzoFinish'>): Promise<ArazzoValues> {
  const place = await runs.at(input);
  return place.values.close(workflowOutputs(place), secretOutputs(place, undefined));
}

export async function arazzoForget(runs: ArazzoRuns, { run }: Input<'arazzoForget'>): Promise<void> {
  await runs.forget(run);
}

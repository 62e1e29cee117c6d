import { activityInfo } from '@temporalio/activity';
import { z } from 'zod';
import type { Workflow } from '../arazzo/document.js';
import { ArazzoError } from '../arazzo/failure.js';
import { requireInputs, validInputs } from '../arazzo/inputs.js';
import type { Json } from '../arazzo/json.js';
import { measure } from '../arazzo/limits.js';
import type { Operation } from '../arazzo/openapi.js';
import { prepare, type Prepared } from '../arazzo/prepare.js';
import { problemText } from '../arazzo/problems.js';
import { reachableFrom } from '../arazzo/resolve-flow.js';
import { inputsToSeal } from '../arazzo/secret-values.js';
import { baseUrlOf, operationsOf, type Servers, serverProblems, sourceAt } from '../arazzo/servers.js';
import type { ArazzoValues, RunArazzoInput } from '../domain/arazzo.js';
import { KeyturnError } from '../domain/errors.js';
import type { ArazzoPlan, PlannedStep, PlannedWorkflow } from './arazzo-api.js';
import { type ArazzoRuns, isSealed, Values } from './arazzo-run.js';

/** Problems that one message holds. */
const MAX_PROBLEMS = 20;
/** The plan is a result of an activity, of which Temporal takes 2 MiB. */
const MAX_PLAN_CHARS = 1024 * 1024;

const inputSchema = z.strictObject({
  document: z.string(),
  sources: z.record(z.string(), z.string()).default({}),
  workflowId: z.string(),
  inputs: z.record(z.string(), z.json()).default({}),
  servers: z.record(z.string(), z.string()).default({}),
});

/** Everything that can be wrong is found here, before anything is sent. */
export async function arazzoPlan(runs: ArazzoRuns, input: RunArazzoInput): Promise<ArazzoPlan> {
  const { document: text, sources: texts, workflowId, inputs: given, servers } = requestOf(input);
  const document = dataOf(runs, 'the document', text);
  const descriptions = new Map(
    Object.entries(texts).map(([name, source]) => [name, descriptionOf(runs, name, source)] as const),
  );
  const { prepared, problems } = prepare(document, descriptions);
  if (prepared === undefined) throw refused(problems.map(problemText));
  const workflow = prepared.document.workflows.find((one) => one.workflowId === workflowId);
  if (workflow === undefined)
    throw refused([
      `there is no workflow ${JSON.stringify(workflowId)}; there are ${prepared.document.workflows.map((one) => one.workflowId).join(', ')}`,
    ]);
  const { arazzo } = await runs.engine.deps.config();
  const unreachable = serverProblems(prepared, workflow, arazzo.sources, servers).map(problemText);
  if (unreachable.length > 0) throw refused(unreachable);
  const inputs = await inputsOf(runs, prepared, workflow, given);
  await requireAuthorization(runs, operationsOf(prepared, workflow), servers);
  const { workflowExecution } = activityInfo();
  const run = `${workflowExecution?.workflowId}/${workflowExecution?.runId}`;
  await runs.keep(run, { document, descriptions: Object.fromEntries(prepared.descriptions), servers });
  const planned = reachableFrom(prepared.document, workflow).map((one): [string, PlannedWorkflow] => [
    one.workflowId,
    plannedOf(prepared, one, (operation) => baseUrlOf(operation, arazzo.sources, servers)),
  ]);
  const plan = { run, inputs, workflows: Object.fromEntries(planned) };
  if (JSON.stringify(plan).length > MAX_PLAN_CHARS)
    throw refused([`the workflows that it comes to have too many steps: split the document`]);
  return plan;
}

function requestOf(input: RunArazzoInput): z.output<typeof inputSchema> {
  const measured = measure(input);
  if (measured.kind === 'refused') throw refused([`input ${problemText(measured)}`]);
  const parsed = inputSchema.safeParse(measured.value);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path, message }) => `input ${path.slice(0, 1).join('.')}: ${message}`);
  throw refused([...new Set(places)]);
}

function dataOf({ deps }: ArazzoRuns, what: string, text: string): unknown {
  const { value, problems } = deps.readYaml(text);
  if (problems.length > 0) throw refused(problems.map(({ message }) => `${what}: ${message}`));
  return value;
}

function descriptionOf(runs: ArazzoRuns, name: string, text: string): Json {
  const measured = measure(dataOf(runs, `source ${name}`, text));
  if (measured.kind === 'refused') throw refused([`source ${name} ${problemText(measured)}`]);
  return measured.value;
}

/** Opened, held against their schema, and sealed again where they are secrets. */
async function inputsOf(
  runs: ArazzoRuns,
  prepared: Prepared,
  workflow: Workflow,
  given: ArazzoValues,
): Promise<ArazzoValues> {
  const values = new Values(runs.deps.vault, []);
  const opened = await values.open(given);
  const wereSealed = new Set(Object.keys(given).filter((name) => isSealed(given[name])));
  const secret = inputsToSeal(prepared, workflow, opened, wereSealed);
  const inClear = [...secret].filter((name) => !wereSealed.has(name));
  if (inClear.length > 0)
    throw new KeyturnError(
      'KT-ARAZZO-SECRET',
      `given in clear, and so in this workflow's history: ${inClear.map((name) => JSON.stringify(name)).join(', ')}. Revoke these values; \`keyturn arazzo run\` seals them`,
    );
  const valid = inDocument(() => validInputs(workflow, opened));
  inDocument(() => requireInputs(workflow, valid));
  const all = inputsToSeal(prepared, workflow, valid, wereSealed);
  return values.close(valid, (name) => all.has(name));
}

/** A credential that cannot be had must not come to light in the middle of a run. */
async function requireAuthorization(
  runs: ArazzoRuns,
  operations: readonly Operation[],
  servers: Servers,
): Promise<void> {
  const { sources } = (await runs.engine.deps.config()).arazzo;
  const used = new Set(
    operations.map((operation) => sourceAt(baseUrlOf(operation, sources, servers), operation.source, sources)),
  );
  for (const name of used) {
    const source = name === undefined ? undefined : sources.get(name);
    if (source !== undefined) await runs.deps.authorizer.header(source.auth);
  }
}

function plannedOf(
  { operations }: Prepared,
  { dependsOn, steps }: Workflow,
  baseOf: (operation: Operation) => string,
): PlannedWorkflow {
  return {
    dependsOn: dependsOn.map(({ text }) => text),
    steps: steps.map((step): PlannedStep => {
      const operation = operations.get(step);
      if (operation === undefined)
        return { stepId: step.stepId, call: { kind: 'workflow', workflowId: step.target.text } };
      const { method, path } = operation;
      const isWrite = method !== 'GET' && method !== 'HEAD';
      return {
        stepId: step.stepId,
        call: { kind: 'request', request: `${method} ${baseOf(operation)}${path}`, isWrite },
      };
    }),
  };
}

function inDocument<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ArazzoError) throw refused([error.message]);
    throw error;
  }
}

function refused(problems: readonly string[]): KeyturnError {
  const more = problems.length - MAX_PROBLEMS;
  const shown = problems.slice(0, MAX_PROBLEMS).join('\n');
  return new KeyturnError('KT-ARAZZO-DOCUMENT', more > 0 ? `${shown}\nand ${more} more` : shown);
}

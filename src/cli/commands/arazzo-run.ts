import { randomUUID } from 'node:crypto';
import { startArazzo, waitForArazzo, type Waited } from '../../arazzo-runs.js';
import type { Workflow } from '../../arazzo/document.js';
import { ArazzoError } from '../../arazzo/failure.js';
import { requireInputs, validInputs } from '../../arazzo/inputs.js';
import { isObject, type JsonObject } from '../../arazzo/json.js';
import { measure } from '../../arazzo/limits.js';
import { problemText } from '../../arazzo/problems.js';
import { inputsToSeal } from '../../arazzo/secret-values.js';
import { type Servers, serverProblems } from '../../arazzo/servers.js';
import type { KeyturnClient } from '../../client.js';
import type { Config } from '../../config.js';
import type { ArazzoOutcome, ArazzoValues, RunArazzoInput } from '../../contract.js';
import { KeyturnError } from '../../domain/errors.js';
import { type LoadedArazzo, loadArazzo, readYaml } from '../arazzo-document.js';
import { outputLines, shownValues, stepTable } from '../arazzo-text.js';
import { readJsonObject } from '../prompt.js';
import type { Action, Answer, Context } from '../run.js';
import { type Session, withSession } from '../session.js';

const DEFAULT_TIMEOUT_MS = 3_600_000;
/** Temporal takes 2 MiB, and secrets grow when they are sealed. */
const MAX_START_BYTES = 1_792 * 1024;

const exits: Record<ArazzoOutcome, number> = { completed: 0, failed: 1, aborted: 1 };

export const run: Action<'arazzo-run'> = async (context, [file], flags) => {
  if (flags.timeout !== undefined && !flags.wait) throw new KeyturnError('KT-USAGE', '--timeout needs --wait');
  const loaded = await loadArazzo(file, flags.source ?? []);
  const workflow = workflowOf(loaded, flags.workflow);
  const given = await readInputs(context, flags.inputs);
  return withSession(context, async (session) => {
    const servers = Object.fromEntries(flags.server ?? []);
    checkServers(session.config, loaded, workflow, servers);
    const inputs = declaredInputs(context, workflow, given);
    const id = `arazzo/${workflow.workflowId}/${randomUUID()}`;
    const sealed = await sealedInputs(session, id, { loaded, workflow, inputs, named: flags.secret ?? [] });
    const input: RunArazzoInput = {
      document: loaded.text,
      sources: Object.fromEntries([...loaded.descriptions].map(([name, data]) => [name, JSON.stringify(data)])),
      workflowId: workflow.workflowId,
      inputs: sealed,
      servers,
    };
    if (Buffer.byteLength(JSON.stringify(input)) > MAX_START_BYTES)
      throw new KeyturnError(
        'KT-INPUT',
        `document, sources and inputs have more than ${MAX_START_BYTES / 1024} KiB together`,
      );
    const client = await session.client();
    await startArazzo(client, id, input);
    context.out.say(`started ${id}`);
    if (!flags.wait) return started(context, client, id);
    return waited(context, id, await waitForArazzo(client, id, flags.timeout ?? DEFAULT_TIMEOUT_MS, follower(context)));
  });
};

function workflowOf({ document }: LoadedArazzo, id: string): Workflow {
  const found = document.workflows.find(({ workflowId }) => workflowId === id);
  if (found !== undefined) return found;
  const known = document.workflows.map(({ workflowId }) => workflowId).join(', ');
  throw new KeyturnError('KT-USAGE', `--workflow ${id}: the document has ${known}`);
}

/** @throws KeyturnError KT-INPUT, which quotes no value */
async function readInputs({ stdin }: Context, file: string | undefined): Promise<JsonObject> {
  if (file === undefined) return {};
  const value = file === '-' ? await readJsonObject(stdin) : (await readYaml(file)).value;
  const measured = measure(value);
  if (measured.kind === 'fits' && isObject(measured.value)) return measured.value;
  throw new KeyturnError('KT-INPUT', `${file === '-' ? 'stdin' : file} must hold one JSON object with the inputs`);
}

/** What the schema does not declare no expression can name: it stays here. */
function declaredInputs({ out }: Context, workflow: Workflow, given: JsonObject): JsonObject {
  try {
    const inputs = validInputs(workflow, given);
    requireInputs(workflow, inputs);
    const unused = Object.keys(given).filter((name) => !Object.hasOwn(inputs, name));
    if (unused.length > 0)
      out.warn(`${workflow.workflowId} declares no such inputs, they are not used: ${unused.join(', ')}`);
    return inputs;
  } catch (error) {
    if (error instanceof ArazzoError) throw new KeyturnError('KT-INPUT', error.message);
    throw error;
  }
}

function checkServers({ arazzo }: Config, loaded: LoadedArazzo, workflow: Workflow, servers: Servers): void {
  const problems = serverProblems(loaded, workflow, arazzo.sources, servers);
  if (problems.length > 0) throw new KeyturnError('KT-INPUT', problems.map(problemText).join('\n'));
}

interface ToSeal {
  readonly loaded: LoadedArazzo;
  readonly workflow: Workflow;
  readonly inputs: JsonObject;
  readonly named: readonly string[];
}

async function sealedInputs(
  session: Session,
  id: string,
  { loaded, workflow, inputs, named }: ToSeal,
): Promise<ArazzoValues> {
  const unknown = named.find((name) => !Object.hasOwn(inputs, name));
  if (unknown !== undefined) throw new KeyturnError('KT-USAGE', `--secret ${unknown}: no such input is given`);
  const secret = inputsToSeal(loaded, workflow, inputs, new Set(named));
  const { arazzo } = await session.vault();
  const sealed: [string, unknown][] = [];
  for (const [name, value] of Object.entries(inputs))
    sealed.push([name, secret.has(name) ? await arazzo.seal(id, value) : value]);
  return Object.fromEntries(sealed);
}

async function started({ out }: Context, client: KeyturnClient, id: string): Promise<Answer> {
  if (!(await client.hasWorker())) out.warn(`no worker polls task queue ${client.taskQueue}: the run begins with one`);
  return {
    data: { workflowId: id },
    text: `${id}\n\`temporal workflow query -w ${id} --name arazzoState\` shows what becomes of it`,
  };
}

/** Says on stderr what the run waits for, once. */
function follower({ out }: Context): Parameters<typeof waitForArazzo>[3] {
  let said = '';
  return ({ step, nextAttemptAt, lastError }) => {
    if (nextAttemptAt === null || lastError === null) return;
    const line = `${step === null ? 'the run' : step.stepId} waits until ${nextAttemptAt}: ${lastError.code} ${lastError.message}`;
    if (line !== said) out.say(line);
    said = line;
  };
}

function waited({ out }: Context, id: string, end: Waited): Answer {
  if ('state' in end) {
    const { status, unknown, steps } = end.state;
    const text =
      unknown === null ? [] : [`${unknown.request} (${unknown.stepId}): ${unknown.error.message}`, unknown.command];
    return {
      data: { workflowId: id, outcome: status, unknown, steps },
      text: [`${id}: ${status}`, stepTable(steps), ...text].join('\n'),
      exit: 3,
    };
  }
  const { outcome, outputs, steps, error } = end.output;
  if (error !== undefined) out.say(`${error.code} ${error.message}`);
  return {
    data: { workflowId: id, ...end.output, outputs: shownValues(outputs) },
    text: [`${id}: ${outcome}`, stepTable(steps), ...outputLines(outputs)].join('\n'),
    exit: exits[outcome],
  };
}

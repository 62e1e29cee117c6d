/** What the activities of an Arazzo run share: the document from the store, values opened and sealed. */
import { activityInfo } from '@temporalio/activity';
import { z } from 'zod';
import type { ArazzoDocument, Step, Workflow } from '../arazzo/document.js';
import type { Scope } from '../arazzo/evaluate.js';
import { isObject, type Json, type JsonObject } from '../arazzo/json.js';
import type { Operation } from '../arazzo/openapi.js';
import { prepare, type Prepared } from '../arazzo/prepare.js';
import { holdsSecret, secretTextsOf } from '../arazzo/secret-values.js';
import type { ArazzoValues, SealedArazzoValue } from '../domain/arazzo.js';
import { KeyturnError } from '../domain/errors.js';
import type { ArazzoPlace } from './arazzo-api.js';
import type { Engine } from './engine.js';

/** As it stands in the store: everything as data, sources reduced to what the steps use. */
export interface KeptRun {
  readonly document: unknown;
  readonly descriptions: Readonly<Record<string, Json>>;
  readonly servers: Readonly<Record<string, string>>;
}

const keptSchema = z.strictObject({
  document: z.unknown(),
  descriptions: z.record(z.string(), z.json()),
  servers: z.record(z.string(), z.string()),
});

/** A document is prepared once in each worker, not for each step. */
const PREPARED_KEPT = 16;

export interface Opened {
  readonly prepared: Prepared;
  readonly servers: KeptRun['servers'];
}

/** Of one output or input: a larger one would fill the history. */
const MAX_VALUE_BYTES = 64 * 1024;
/** Of all that one step or workflow gives. */
const MAX_VALUES_BYTES = 512 * 1024;

export class ArazzoRuns {
  readonly #opened = new Map<string, Opened>();

  constructor(readonly engine: Engine) {}

  get deps(): Engine['deps']['arazzo'] {
    return this.engine.deps.arazzo;
  }

  async keep(run: string, kept: KeptRun): Promise<void> {
    await this.deps.vault.keep(run, JSON.stringify(kept));
  }

  async forget(run: string): Promise<void> {
    this.#opened.delete(run);
    await this.deps.vault.drop(run);
  }

  /** @throws KeyturnError KT-STORE-UNAVAILABLE, KT-STORE-CORRUPT when the store has lost it */
  async open(run: string): Promise<Opened> {
    const known = this.#opened.get(run);
    if (known !== undefined) return known;
    const text = await this.deps.vault.read(run);
    if (text === undefined)
      throw new KeyturnError('KT-STORE-CORRUPT', 'the document of this run is not in the store (any more)');
    const { document, descriptions, servers } = keptSchema.parse(JSON.parse(text));
    const { prepared } = prepare(document, new Map(Object.entries(descriptions as Record<string, Json>)));
    if (prepared === undefined)
      throw new KeyturnError('KT-ARAZZO-DOCUMENT', 'this version of keyturn does not accept the document of the run');
    const opened = { prepared, servers };
    this.#opened.set(run, opened);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > PREPARED_KEPT && oldest !== undefined) this.#opened.delete(oldest);
    return opened;
  }

  /** The document with the values of a place in it, in clear. */
  async at(place: ArazzoPlace): Promise<PlaceInRun> {
    const { prepared, servers } = await this.open(place.run);
    const workflow = workflowOf(prepared.document, place.workflowId);
    const values = new Values(this.deps.vault, place.secrets);
    const steps: Record<string, JsonObject> = {};
    for (const [id, outputs] of Object.entries(place.steps)) steps[id] = await values.open(outputs);
    const workflows: Record<string, { inputs: JsonObject; outputs: JsonObject }> = {};
    for (const [id, { inputs, outputs }] of Object.entries(place.workflows))
      workflows[id] = { inputs: await values.open(inputs), outputs: await values.open(outputs) };
    const sources = Object.fromEntries(
      prepared.document.sources.map(({ name, url, type = 'openapi' }) => [name, { url, type }]),
    );
    const scope: Scope = { inputs: await values.open(place.inputs), steps, workflows, sources };
    return { prepared, servers, workflow, scope, values };
  }
}

export interface PlaceInRun extends Opened {
  readonly workflow: Workflow;
  readonly scope: Scope;
  readonly values: Values;
}

/** Opens values of the history and seals what must not stand in it in clear. */
export class Values {
  readonly #secrets: string[] = [];
  #others: readonly SealedArazzoValue[];

  constructor(
    private readonly vault: Engine['deps']['arazzo']['vault'],
    others: readonly SealedArazzoValue[],
  ) {
    this.#others = others;
  }

  /** @throws KeyturnError KT-ARAZZO-SECRET */
  async open(values: ArazzoValues): Promise<JsonObject> {
    const opened: [string, Json][] = [];
    for (const [name, value] of Object.entries(values)) {
      opened.push([name, isSealed(value) ? await this.#opened(value) : (value as Json)]);
    }
    return Object.fromEntries(opened);
  }

  /**
   * Values as they may enter the history: sealed where they are secrets, or hold one that is known.
   * @throws KeyturnError KT-ARAZZO-LIMIT for one that is too large
   */
  async close(values: JsonObject, isSecret: (name: string, value: Json) => boolean): Promise<ArazzoValues> {
    for (const other of this.#others) await this.#opened(other);
    this.#others = [];
    const closed: [string, unknown][] = [];
    let all = 0;
    for (const [name, value] of Object.entries(values)) {
      const bytes = Buffer.byteLength(JSON.stringify(value));
      if (bytes > MAX_VALUE_BYTES)
        throw new KeyturnError(
          'KT-ARAZZO-LIMIT',
          `${name} has ${bytes} bytes: a value may have ${MAX_VALUE_BYTES / 1024} KiB`,
        );
      all += bytes;
      if (all > MAX_VALUES_BYTES)
        throw new KeyturnError('KT-ARAZZO-LIMIT', `the values have more than ${MAX_VALUES_BYTES / 1024} KiB together`);
      // A foreign value that looks sealed is none: sealed itself, it is what it is.
      const isToSeal = isSecret(name, value) || isSealed(value) || holdsSecret(value, this.#secrets);
      closed.push([name, isToSeal ? await this.vault.seal(workflowIdOfThis(), value) : value]);
    }
    return Object.fromEntries(closed);
  }

  async #opened(value: SealedArazzoValue): Promise<Json> {
    const json = (await this.vault.open(workflowIdOfThis(), value)) as Json;
    this.#secrets.push(...secretTextsOf(json));
    return json;
  }
}

/** Sealed values open only for the workflow that they were sealed for. */
function workflowIdOfThis(): string {
  return activityInfo().workflowExecution?.workflowId ?? '';
}

export function isSealed(value: unknown): value is SealedArazzoValue {
  if (!isObject(value) || Object.keys(value).length !== 2) return false;
  return typeof value['sealed'] === 'string' && typeof value['fingerprint'] === 'string';
}

export function workflowOf(document: ArazzoDocument, id: string): Workflow {
  const found = document.workflows.find(({ workflowId }) => workflowId === id);
  if (found === undefined) throw new KeyturnError('KT-INTERNAL', `there is no workflow ${id} in the document`);
  return found;
}

export function stepOf(
  { prepared, workflow }: PlaceInRun,
  id: string,
): { readonly step: Step; readonly operation: Operation | undefined } {
  const step = workflow.steps.find(({ stepId }) => stepId === id);
  if (step === undefined) throw new KeyturnError('KT-INTERNAL', `there is no step ${id} in ${workflow.workflowId}`);
  return { step, operation: prepared.operations.get(step) };
}

/** An installation whose configuration has an Apigee organization as a source, and runs of Arazzo documents against it. */
import { randomBytes } from 'node:crypto';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { onTestFinished as onThisTestFinished } from 'vitest';
import type { ArazzoState, RunArazzoInput, RunArazzoOutput } from '../../src/contract.js';
import { queryNames, workflowNames } from '../../src/contract.js';
import { startApigeeSimulator, type ApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { eventually } from './around.js';
import { keyturn, type Ran } from './cli.js';
import { installation, sha256, type Installation, type InstallationOptions } from './installation.js';

export const ownDocument = new URL('../fixtures/arazzo/rotate-app-key.arazzo.yaml', import.meta.url).pathname;
export const guardedDocument = new URL('../../examples/arazzo/rotate-app-key-guarded.arazzo.yaml', import.meta.url)
  .pathname;

export const appRoute = '/organizations/{org}/developers/{developer}/apps/{app}';
export const createRoute = { method: 'POST', route: `${appRoute}/keys` } as const;

export const keysDescription = new URL('../../examples/arazzo/apigee-app-keys.openapi.yaml', import.meta.url).pathname;

export interface ArazzoSetUp {
  readonly i: Installation;
  readonly apigee: ApigeeSimulator;
  /** Of the run to come: new values, the seeded key as the old one. */
  readonly values: { readonly key: string; readonly secret: string; readonly old: string };
  run(document: string, inputs: object, ...argv: readonly string[]): Promise<Ran>;
  /** Of `ownDocument`. */
  ownInputs(): object;
  /** Of `guardedDocument`. */
  guardedInputs(): object;
  /** Id of the only run that the last `run` has started. */
  idOf(ran: Ran): string;
  state(id: string): Promise<ArazzoState>;
  until(id: string, what: string, holds: (state: ArazzoState) => boolean, withinMs?: number): Promise<ArazzoState>;
  result(id: string): Promise<RunArazzoOutput>;
  /** Starts the workflow as any Temporal client can, past the command line. */
  start(id: string, input: RunArazzoInput): Promise<void>;
}

export async function arazzoSetUp(
  options: InstallationOptions & {
    readonly source?: string;
    readonly apigee?: Parameters<typeof startApigeeSimulator>[0];
  } = {},
): Promise<ArazzoSetUp> {
  const { onTestFinished = onThisTestFinished, source = 'apigee' } = options;
  const apigee = await startApigeeSimulator(options.apigee);
  onTestFinished(() => apigee.close());
  const auth = { kind: 'bearer', token: '${file:token}' };
  const i = await installation({
    ...options,
    top: { arazzo: { sources: { [source]: { url: apigee.managementUrl, auth } } }, ...options.top },
  });
  await writeFile(join(i.directory, 'token'), apigee.seeded.accessToken);
  const fresh = (): string => randomBytes(24).toString('base64url').replaceAll('_', '-');
  const values = { key: `New${fresh()}`, secret: `Part${fresh()}`, old: apigee.seeded.consumerKey };
  const { organization, developer, app } = apigee.seeded;
  // keyturn's own client does not ask what has ended.
  const {
    connection,
    options: { namespace },
  } = i.client.temporal;
  const temporal = new Client({ connection, namespace });
  const handle = (id: string) => temporal.workflow.getHandle(id);
  const state = (id: string): Promise<ArazzoState> => handle(id).query<ArazzoState>(queryNames.arazzoState);
  let files = 0;
  return {
    i,
    apigee,
    values,
    async run(document, inputs, ...argv) {
      const file = join(i.directory, `inputs-${(files += 1)}.json`);
      await writeFile(file, JSON.stringify(inputs));
      const ran = await keyturn(i, 'arazzo', 'run', document, '--inputs', file, '--json', ...argv);
      const id = /started (arazzo\/\S+)/.exec(ran.err)?.[1];
      if (id !== undefined)
        onTestFinished(() =>
          handle(id)
            .terminate()
            .then(
              () => undefined,
              () => undefined,
            ),
        );
      return ran;
    },
    ownInputs: () => ({
      ...{ organization, developer, app },
      ...{ product: 'orders', freshKey: values.key, freshPart: values.secret, formerId: values.old },
    }),
    guardedInputs: () => ({
      ...{ organization, developer, app, product: 'orders' },
      ...{ newConsumerKey: values.key, newConsumerSecret: values.secret, oldConsumerKey: values.old },
    }),
    idOf({ err }) {
      const [, id] = /started (arazzo\/\S+)/.exec(err) ?? [];
      if (id === undefined) throw new Error(`nothing was started:\n${err}`);
      return id;
    },
    state,
    async until(id, what, holds, withinMs = 90_000) {
      let last: ArazzoState | null = null;
      try {
        return await eventually(
          what,
          async () => {
            last = await state(id).catch(() => last);
            return last !== null && holds(last) ? last : null;
          },
          withinMs,
        );
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : ''}\n${JSON.stringify(last, null, 2)}`, {
          cause: error,
        });
      }
    },
    result: (id) => handle(id).result() as Promise<RunArazzoOutput>,
    async start(id, input) {
      const { workflow } = i.client.temporal;
      await workflow.start(workflowNames.runArazzo, { workflowId: id, taskQueue: i.taskQueue, args: [input] });
      onTestFinished(() =>
        handle(id)
          .terminate()
          .then(
            () => undefined,
            () => undefined,
          ),
      );
    },
  };
}

/** What the organization saw, as `GET #1` and so on: methods, with the number of the key where there is one. */
export const callsOf = ({ apigee }: Pick<ArazzoSetUp, 'apigee'>): readonly string[] =>
  apigee.oracle().requests.map(({ method, serial }) => (serial === null ? method : `${method} #${serial}`));

/** Whether the key store would let a key pass now. */
export function isAccepted({ apigee }: Pick<ArazzoSetUp, 'apigee'>, key: string): boolean {
  const oracle = apigee.oracle();
  return oracle.keys.some(({ sha256: hash }) => hash === sha256(key)) && oracle.acceptedAt(sha256(key), oracle.now);
}

/** A copy of `ownDocument`, changed, where its source is found. */
export async function changedDocument(directory: string, change: (text: string) => string): Promise<string> {
  const text = change(await readFile(ownDocument, 'utf8')).replaceAll('../../../examples/arazzo', '.');
  await copyFile(keysDescription, join(directory, 'apigee-app-keys.openapi.yaml'));
  const file = join(directory, `document-${randomBytes(6).toString('hex')}.yaml`);
  await writeFile(file, text);
  return file;
}

const head = [
  'arazzo: 1.0.1',
  'info: { title: T, version: 1.0.0 }',
  'sourceDescriptions: [{ name: apigee, url: ../../../examples/arazzo/apigee-app-keys.openapi.yaml }]',
  'workflows:',
];
const appInputs =
  '{ type: object, required: [organization, developer, app], properties: { organization: { type: string }, developer: { type: string }, app: { type: string }, formerId: { type: string } } }';
const appParameters =
  '[{ name: organization, in: path, value: $inputs.organization }, { name: developer, in: path, value: $inputs.developer }, { name: app, in: path, value: $inputs.app }]';
const look = [
  '  - workflowId: look',
  `    inputs: ${appInputs}`,
  `    parameters: ${appParameters}`,
  '    steps: [{ stepId: read, operationId: getApp, outputs: { name: $response.body#/name } }]',
  '    outputs: { name: $steps.read.outputs.name }',
];

/** Reads the app. */
export const lookingDocument = [...head, ...look].join('\n');

/** Reads the app before and in between, then goes over its steps out of order. */
export const jumpingDocument = [
  ...head,
  '  - workflowId: main',
  '    dependsOn: [look]',
  `    inputs: ${appInputs}`,
  `    parameters: ${appParameters}`,
  '    steps:',
  '      - stepId: call',
  '        workflowId: look',
  '        parameters:',
  '          - { name: organization, value: $inputs.organization }',
  '          - { name: developer, value: $inputs.developer }',
  '          - { name: app, value: $inputs.app }',
  "        successCriteria: [{ condition: $outputs.name == 'ORDERS-APP' }]",
  '        outputs: { name: $outputs.name }',
  '        onSuccess: [{ name: over, type: goto, stepId: second }]',
  '      - stepId: first',
  '        operationId: getKey',
  '        parameters: [{ name: key, in: path, value: $inputs.formerId }]',
  '        onSuccess: [{ name: done, type: end }]',
  '      - stepId: second',
  '        operationId: getKey',
  '        parameters: [{ name: key, in: path, value: $inputs.formerId }]',
  '        onSuccess: [{ name: back, type: goto, stepId: first }]',
  '      - stepId: never',
  '        operationId: deleteKey',
  '        parameters: [{ name: key, in: path, value: $inputs.formerId }]',
  '    outputs: { name: $steps.call.outputs.name, before: $workflows.look.outputs.name }',
  ...look,
].join('\n');

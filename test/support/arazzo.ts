/** An installation whose configuration has an Apigee organization as a source, and runs of Arazzo documents against it. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

export interface ArazzoSetUp {
  readonly i: Installation;
  readonly apigee: ApigeeSimulator;
  /** Of the run to come: new values, the seeded key as the old one. */
  readonly values: { readonly key: string; readonly secret: string; readonly old: string };
  run(document: string, inputs: object, ...argv: readonly string[]): Promise<Ran>;
  /** Of `ownDocument`. */
  ownInputs(): object;
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
  const handle = (id: string) => i.client.temporal.workflow.getHandle(id);
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
    idOf({ err }) {
      const [, id] = /started (arazzo\/\S+)/.exec(err) ?? [];
      if (id === undefined) throw new Error(`nothing was started:\n${err}`);
      return id;
    },
    state,
    async until(id, what, holds, withinMs = 20_000) {
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

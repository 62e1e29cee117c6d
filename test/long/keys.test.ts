/** The sealing key is replaced while everything runs. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually, rotated } from '../support/around.js';
import { keyturn } from '../support/cli.js';
import { filesUnder } from '../support/custody.js';
import { expectAllWell } from '../support/guarantees.js';
import { installation, type Installation } from '../support/installation.js';
import { workerProcess } from '../support/worker-process.js';

interface Listed {
  readonly current: string;
  readonly keys: readonly { readonly kid: string; readonly objects: number; readonly older: number }[];
}

async function keysOf(i: Installation): Promise<Listed> {
  return (await keyturn(i, '--json', 'keys', 'list')).json.data as Listed;
}

async function sealedWith(i: Installation, kid: string): Promise<readonly string[]> {
  const files = await filesUnder(join(i.directory, 'store'));
  const texts = await Promise.all(files.map(async (file) => [file, await readFile(file, 'latin1')] as const));
  return texts.filter(([, text]) => text.includes(`"kid":"${kid}"`)).map(([file]) => file);
}

const retire = (i: Installation, kid: string) => keyturn(i, '--json', 'keys', 'retire', kid);
const inUse = (says: string) => ({
  exit: 5,
  json: { error: { code: 'KT-KEY-IN-USE', message: expect.stringContaining(says) } },
});

it('a running worker follows: it rotates before, between and after, and nothing is left that the old key would have to open', async () => {
  const i = await installation();
  await workerProcess(i);
  await rotated(i, 2);
  const { current: old } = await keysOf(i);
  expect(await retire(i, old)).toMatchObject(inUse('current'));

  const ran = await keyturn(i, '--json', 'keys', 'rotate');
  expect(ran).toMatchObject({ exit: 0, json: { data: { previous: old } } });
  const { kid } = ran.json.data as { readonly kid: string };
  expect((await stat(join(i.directory, 'key'))).mode & 0o777).toBe(0o600);
  expect(await retire(i, old)).toMatchObject(inUse('object(s) of the store'));
  await rotated(i, 3);
  const record = `credential~${i.credentialId}`;
  expect((await sealedWith(i, kid)).join('\n')).toContain(record);

  await i.request('to-4');
  expect(await keyturn(i, '--json', 'keys', 'rewrap')).toMatchObject({ exit: 0, json: { data: { kid, failed: [] } } });
  expect((await keysOf(i)).keys).toMatchObject([
    { kid: old, objects: 0, older: 0 },
    { kid, objects: 3 },
  ]);
  expect(await sealedWith(i, old)).toEqual([]);
  expect(await retire(i, old)).toMatchObject({ exit: 0, json: { data: { kid: old, current: kid } } });
  expect(await retire(i, old)).toMatchObject({ exit: 2, json: { error: { code: 'KT-INPUT' } } });

  await i.until('version 4', (s) => s.current?.version === 4 && s.rotation === null);
  await rotated(i, 5);
  await i.until('the old keys are gone', (s) => s.previous.length === 0, 30_000);
  await expectAllWell(i, 5);
  expect((await keysOf(i)).keys.map((one) => one.kid)).toEqual([kid]);
});

it('an old key stays while Temporal retains a history that may hold a value sealed with it', async () => {
  const i = await installation();
  const { workflow, workflowService } = i.client.temporal;
  const start = (workflowId: string) => workflow.start('runArazzo', { taskQueue: i.taskQueue, workflowId });
  const { current: old } = await keysOf(i);
  const first = await start(`arazzo/${i.credentialId}/1`);
  await keyturn(i, '--json', 'keys', 'rotate');
  await keyturn(i, '--json', 'keys', 'rewrap');
  const answers = async (wanted: string) =>
    eventually(wanted, async () => JSON.stringify((await retire(i, old)).json).includes(wanted));
  await answers('1 run(s) are open, 0 ended');
  await first.terminate('end of test');
  await answers('0 run(s) are open, 1 ended');

  const later = await start(`arazzo/${i.credentialId}/2`);
  await answers('1 run(s) are open, 1 ended');
  await later.terminate('end of test');
  await answers('0 run(s) are open, 1 ended');
  const { namespace } = await i.config().then((config) => config.temporal);
  await workflowService.deleteWorkflowExecution({
    namespace: namespace ?? 'default',
    workflowExecution: { workflowId: first.workflowId },
  });
  await eventually('nothing holds it any more', async () => (await retire(i, old)).exit === 0);
  expect((await keysOf(i)).keys).toHaveLength(1);
});

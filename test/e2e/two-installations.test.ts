/** Two installations share a Temporal namespace, a task queue and, by mistake, a credential id. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { KeyturnClient } from '../../src/client.js';
import { asked, eventually, rotated, serve, serving } from '../support/around.js';
import { keyturn } from '../support/cli.js';
import { installation, type Installation } from '../support/installation.js';
import { sharedServer } from '../support/temporal.js';

/** Another installation whose keyturn.yaml says the same task queue and credential id as this one's. */
async function stranger(own: Installation): Promise<Installation> {
  const other = await installation({ policy: { consumers: [{ name: 'billing', ackWithin: '1h' }] }, top: serving });
  const { address, namespace } = sharedServer();
  const text = await readFile(other.configFile, 'utf8');
  const same = text.replaceAll(other.credentialId, own.credentialId).replaceAll(other.taskQueue, own.taskQueue);
  await writeFile(other.configFile, same);
  const client = await KeyturnClient.connect({
    connection: { address },
    namespace,
    taskQueue: own.taskQueue,
    installationId: await other.vault.custody.installationId(),
  });
  onTestFinished(() => client.close());
  return { ...other, credentialId: own.credentialId, client };
}

/** Rotated once, by an entity that was started by a caller that knows no store. */
async function running(): Promise<Installation> {
  const i = await installation({ policy: { grace: '1h', consumers: [{ name: 'billing', ackWithin: '1h' }] } });
  await i.worker();
  await rotated(i, 2);
  return i;
}

test('no command reaches the workflow of another installation: each is refused with 5, and names both', async () => {
  const own = await running();
  const other = await stranger(own);
  const before = await own.state();
  const { credentialId: id } = own;
  const commands = [
    ['pause', id],
    ['resume', id],
    ['rollback', id],
    ['ack', id, '--consumer', 'billing', '--version', '2'],
    ['rotate', id],
    ['rotate', id, '--reason', 'compromise', '--wait'],
    ['status', id],
    ['status'],
  ];
  const ids = [await own.vault.custody.installationId(), await other.vault.custody.installationId()];
  for (const words of commands) {
    const ran = await keyturn(other, ...words, '--json');
    expect(ran, words.join(' ')).toMatchObject({ exit: 5, json: { error: { code: 'KT-STORE-FOREIGN' } } });
    for (const each of ids) expect(ran.json.error.message).toContain(each);
  }
  expect({ ...(await own.state()), lockout: null }).toEqual({ ...before, lockout: null });
  expect(await keyturn(own, 'ack', id, '--consumer', 'billing', '--version', '2')).toMatchObject({ exit: 0 });
  expect(await keyturn(own, 'pause', id)).toMatchObject({ exit: 0 });
});

test('webhooks, API and page of another installation are refused, and say why', async () => {
  const own = await running();
  const server = await serve(await stranger(own));
  expect((await server.deliver({ attempts: 1 }))[0]).toMatchObject({ status: 503, delivered: false });
  expect(await server.count('foreign-workflow')).toBeGreaterThan(0);
  const answer = await fetch(`${server.url}/api/credentials/${own.credentialId}`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ ok: false, error: { code: 'KT-STORE-FOREIGN' } });
  expect(await (await fetch(server.url)).text()).not.toContain(String((await own.state()).current?.keyId));
  expect(await own.state()).toMatchObject({ current: { version: 2 }, pendingRequests: 0 });
});

test('the table of another installation does not list what is not its own', async () => {
  const own = await running();
  const other = await stranger(own);
  const text = await readFile(other.configFile, 'utf8');
  await writeFile(other.configFile, text.replaceAll(own.credentialId, 'its-own'));
  await other.client.temporal.workflow.start('credential', {
    workflowId: 'credential/its-own',
    taskQueue: own.taskQueue,
    args: [{ credentialId: 'its-own' }],
    memo: { installationId: await other.vault.custody.installationId() },
  });
  onTestFinished(async () => void (await other.client.handle('its-own').terminate('end of test')));
  await eventually('visibility has both', async () => (await own.client.runningCredentials()).length === 2);
  const ran = await keyturn(other, 'status', '--json');
  expect(ran.json.data).toMatchObject([{ credentialId: 'its-own' }]);
});

test('a worker with the store of another installation does not take over a workflow that is started anew', async () => {
  const own = await installation();
  const { address, namespace } = sharedServer();
  const installationId = await own.vault.custody.installationId();
  const mine = { connection: { address }, namespace, taskQueue: own.taskQueue, installationId };
  const client = await KeyturnClient.connect(mine);
  onTestFinished(() => client.close());
  const other = await stranger(own);
  const wrong = await other.worker();
  await client.ensureStarted(own.credentialId);
  const troubled = await own.until('it is told', (s) => s.attention.length > 0);
  expect(troubled).toMatchObject({
    status: 'needs-operator',
    attention: [{ code: 'KT-STORE-FOREIGN' }],
    current: null,
  });
  await wrong.stop();
  await own.worker();
  await own.until('it heals', (s) => s.attention.length === 0 && s.current?.version === 1);
  expect(await asked(own, 'r-1')).toMatchObject({ outcome: 'rotated', version: 2 });
});

test('while the store cannot be opened an operator can still look and pause, and is told', async () => {
  const i = await running();
  await rename(join(i.directory, 'key'), join(i.directory, 'key.away'));
  const paused = await keyturn(i, 'pause', i.credentialId, '--json');
  expect(paused).toMatchObject({ exit: 0, json: { ok: true, data: { paused: {} } } });
  expect(paused.json.warnings.join(' ')).toContain('not compared');
});

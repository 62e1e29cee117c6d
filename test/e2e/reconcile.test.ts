/** Provider, store and workflow disagree: what `keyturn reconcile` says of it, what it mends, and what it never touches. */
import { cp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { reconcileScheduleId, workflowNames } from '../../src/contract.js';
import type { Finding } from '../../src/domain/reconcile.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { edit, eventually } from '../support/around.js';
import { keyturn } from '../support/cli.js';
import { startGate } from '../support/gate.js';
import { installation, type Home, type Installation, type InstallationOptions } from '../support/installation.js';
import { requestsTo, writesOf } from '../support/invariants.js';

const password = 'Rc81-of-the-user';
const all = ['VIEW_API_CONSUMERS_AND_KEYS', 'CREATE_API_CONSUMERS_AND_KEYS', 'DELETE_API_CONSUMERS_AND_KEYS'];
const create = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;

type OnFinished = Pick<TestContext, 'onTestFinished'>;

/** A user of the tenant manages the keys, so that they can be listed whatever became of them. */
async function managed({ onTestFinished }: OnFinished, options: InstallationOptions = {}): Promise<Installation> {
  const { mambu, ...more } = options;
  const management = { kind: 'basic', username: 'ops', password: '${file:password}' };
  const i = await installation({ ...more, mambu: { management, ...mambu }, onTestFinished });
  i.simulator.setUser({ username: 'ops', password, permissions: all });
  await writeFile(join(i.directory, 'password'), password);
  return i;
}

async function running(i: Home): Promise<void> {
  await i.worker();
  await i.client.ensureStarted(i.credentialId, await i.vault.custody.installationId());
  await i.until('it is loaded', (s) => s.current !== null);
}

async function rotated(i: Home, version = 2): Promise<void> {
  await i.request(`to-${version}`);
  await i.until(`version ${version} is current`, (s) => s.current?.version === version && s.rotation === null);
}

interface Reconciled {
  readonly exit: number;
  readonly findings: readonly Finding[];
  readonly kinds: readonly string[];
  readonly repaired: readonly string[];
}

async function reconcile(i: Home, ...flags: readonly string[]): Promise<Reconciled> {
  const ran = await keyturn(i, 'reconcile', i.credentialId, ...flags, '--json');
  if (!ran.json.ok) throw new Error(JSON.stringify(ran.json));
  const { findings, repaired } = ran.json.data as Record<'findings' | 'repaired', Finding[]>;
  return { exit: ran.exit, findings, kinds: findings.map((f) => f.kind), repaired: repaired.map((f) => f.kind) };
}

const record = async (i: Home) => {
  const opened = await i.vault.custody.read(i.credentialId);
  if (!opened) throw new Error('there is no record');
  return opened.record;
};

const livingIds = ({ simulator }: Installation) =>
  simulator
    .oracle()
    .keys.filter((k) => k.deletedAt === null)
    .map((k) => k.id);

const TEN_MINUTES_MS = 600_000;

/** As after many attempts: the next ones are far away. */
async function muchLater(i: Home): Promise<void> {
  const nextAttemptAtMs = Date.now() + TEN_MINUTES_MS;
  await i.vault.custody.update(i.credentialId, ({ record: owing, shelf }) => ({
    next: {
      record: {
        ...owing,
        debts: owing.debts.map((d) => ({ ...d, nextAttemptAtMs })),
        versions: owing.versions.map((v) =>
          v.retirement ? { ...v, retirement: { ...v.retirement, nextAttemptAtMs } } : v,
        ),
      },
      shelf,
    },
    value: null,
  }));
  await i.client.adopt(i.credentialId, 2);
}

const codes = async (i: Home) => (await i.state()).attention.map((a) => a.code);
const until = (i: Home, code: string) => i.until(`attention ${code}`, (s) => s.attention.some((a) => a.code === code));
const untilClear = (i: Home) => i.until('nothing needs attention', (s) => s.attention.length === 0);

it.concurrent(
  'removes the orphan of a lost answer and an old key in debt now, and no key of others',
  async (context) => {
    const { onTestFinished } = context;
    const i = await installation({ onTestFinished, simulator: { tenant: { idempotencyReplaysSecrets: false } } });
    const foreign = i.simulator.createKey('rotator');
    i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
    i.simulator.faults.add({ match: { method: 'DELETE', times: 'always' }, action: 'status', status: 400 });
    await running(i);
    await i.request('r-1');
    await i.until('both have failed', ({ debts }) => debts.length === 2 && debts.every((d) => d.attempts > 0));
    await muchLater(i);
    const inDebt = await i.until('that is known', ({ debts }) =>
      debts.every((d) => Date.parse(d.nextAttemptAt ?? '') > Date.now() + TEN_MINUTES_MS / 2),
    );
    expect(inDebt.debts.map((d) => d.kind).toSorted()).toEqual(['orphan', 'revoke']);
    const before = await record(i);
    const dry = await reconcile(i, '--dry-run');
    expect(dry).toMatchObject({ exit: 3, repaired: [] });
    expect(dry.kinds.toSorted()).toEqual(['foreign', 'orphan', 'revoke-debt']);
    expect(await record(i)).toEqual(before);
    // The provider still refuses: tried, and said.
    expect(await reconcile(i)).toMatchObject({ exit: 3, repaired: [] });
    expect((await record(i)).debts[0]?.attempts).toBe((before.debts[0]?.attempts ?? 0) + 1);

    i.simulator.faults.clear();
    const done = await reconcile(i);
    expect(done).toMatchObject({ exit: 0, kinds: ['foreign'] });
    expect(done.repaired.toSorted()).toEqual(['orphan', 'revoke-debt']);
    const { current } = await untilClear(i);
    expect(new Set(livingIds(i))).toEqual(new Set([foreign.keyId, current?.keyId]));
  },
);

it.concurrent('closes a version that somebody removed, with its proof, and only when asked to', async (context) => {
  const i = await managed(context, { policy: { grace: '1h' } });
  await running(i);
  await rotated(i);
  const [old] = (await i.state()).previous;
  i.simulator.deleteKey(old?.keyId ?? '');
  const writes = writesOf(i);
  expect(await reconcile(i, '--dry-run')).toMatchObject({ exit: 3, kinds: ['missing-previous'] });
  expect((await record(i)).versions).toHaveLength(2);
  expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [], repaired: ['missing-previous'] });
  expect(await record(i)).toMatchObject({ versions: [{ version: 2 }], destroyed: [{ version: 1, proof: 'listed' }] });
  expect(writesOf(i)).toEqual(writes);
});

it.concurrent('during the provider’s own grace a key that is not listed proves nothing', async (context) => {
  const i = await installation({ ...context, strategy: 'rotation', policy: { grace: '20m' } });
  await running(i);
  await rotated(i);
  const [old] = (await i.state()).previous;
  i.simulator.deleteKey(old?.keyId ?? '');
  expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [], repaired: [] });
  expect((await i.state()).previous).toMatchObject([{ version: 1, retirement: 'in-grace' }]);
});

it.concurrent('says that the current key was deleted by hand, until another one is current', async (context) => {
  const i = await managed(context);
  await running(i);
  i.simulator.deleteKey((await i.state()).current?.keyId ?? '');
  const found = await reconcile(i);
  expect(found).toMatchObject({ exit: 3, kinds: ['missing-current'], repaired: [] });
  expect(found.findings[0]).toMatchObject({
    code: 'KT-KEY-MISSING',
    next: `keyturn import ${i.credentialId} --replace`,
  });
  expect(await until(i, 'KT-KEY-MISSING')).toMatchObject({ status: 'needs-operator' });
  const { out } = await keyturn(i, 'status', i.credentialId);
  expect(out).toMatch(/KT-KEY-MISSING[^]*what lives:[^]*next: keyturn import/);
  await rotated(i);
  await untilClear(i);
  expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [] });
  expect(i.simulator.oracle().strikes.total).toBe(0);
});

it.concurrent(
  'a key that manages itself and was deleted costs one strike, however often it is asked for',
  async (context) => {
    const i = await installation(context);
    await running(i);
    expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [] });
    i.simulator.deleteKey((await i.state()).current?.keyId ?? '');
    expect(await reconcile(i)).toMatchObject({ exit: 3, kinds: ['current-refused'] });
    await until(i, 'KT-CREDENTIAL-REFUSED');
    for (const flags of [[], ['--dry-run']])
      expect(await reconcile(i, ...flags)).toMatchObject({ exit: 3, kinds: ['not-compared'] });
    expect(i.simulator.oracle().strikes.total).toBe(1);
    expect(await codes(i)).toContain('KT-CREDENTIAL-REFUSED');
  },
);

it.concurrent(
  'an older store that was put back is noticed, and nothing is written until the newer one is back',
  async (context) => {
    const i = await managed(context, { policy: { grace: '1h' } });
    const [store, older, newer] = ['store', 'older', 'newer'].map((name) => join(i.directory, name)) as [
      string,
      string,
      string,
    ];
    const first = await i.worker();
    await i.client.ensureStarted(i.credentialId);
    await i.until('it is loaded', (s) => s.current !== null);
    await cp(store, older, { recursive: true });
    await rotated(i);
    const { current } = await i.state();
    await first.stop();
    await rename(store, newer);
    await rename(older, store);
    const second = await i.worker();
    const before = await record(i);
    const writes = writesOf(i);
    // The daily comparison makes the workflow look, which has had no reason to.
    await i.client.temporal.workflow.execute(workflowNames.reconcileCredential, {
      workflowId: `reconcile/${i.credentialId}`,
      taskQueue: i.taskQueue,
      args: [{ credentialId: i.credentialId }],
    });
    await until(i, 'KT-STORE-BEHIND');
    const found = await reconcile(i);
    expect(found.exit).toBe(3);
    expect(found.findings[0]).toMatchObject({ kind: 'store-behind', code: 'KT-STORE-BEHIND', version: 1 });
    expect(found.findings[0]?.means).toContain(`version 2 (key ${current?.keyId}, listed at the provider)`);
    const behind = await until(i, 'KT-STORE-BEHIND');
    expect(behind).toMatchObject({ status: 'needs-operator', current: { version: 2 } });
    expect(behind.attention[0]?.command).toBe(`keyturn reconcile ${i.credentialId}`);
    expect(await record(i)).toEqual(before);
    expect(writesOf(i)).toEqual(writes);
    await second.stop();
    await rm(store, { recursive: true });
    await rename(newer, store);
    await i.worker();
    await untilClear(i);
    expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [] });
  },
);

it.concurrent('a cloned sandbox at the same address: nothing is closed or removed, there or here', async (context) => {
  const gate = await startGate(context.onTestFinished);
  const i = await managed(context, {
    policy: { grace: '1h' },
    mambu: { baseUrl: gate.baseUrl },
    simulator: { tenant: { cloneKeepsConsumerIds: true } },
  });
  gate.leadTo(i.simulator.baseUrl);
  await running(i);
  await rotated(i);
  const sandbox = await i.simulator.cloneSandbox();
  sandbox.setUser({ username: 'ops', password, permissions: all });
  sandbox.createKey('rotator');
  gate.leadTo(sandbox.baseUrl);
  const found = await reconcile(i);
  expect(found).toMatchObject({ exit: 3, kinds: ['wrong-tenant'], repaired: [] });
  expect(await until(i, 'KT-WRONG-TENANT')).toMatchObject({ status: 'needs-operator' });
  expect([sandbox.oracle().writes, sandbox.oracle().strikes.total]).toEqual([[], 0]);
  expect((await record(i)).versions).toHaveLength(2);
  gate.leadTo(i.simulator.baseUrl);
  expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [] });
  await untilClear(i);
});

it.concurrent('a consumer that was deleted, and a configuration that names another one', async (context) => {
  const i = await managed(context);
  await running(i);
  const asked = i.simulator.oracle().requests.length;
  await edit(i, (_, own) => Object.assign(own['mambu'] ?? {}, { consumerId: 'somebody-else' }));
  expect(await reconcile(i)).toMatchObject({ exit: 3, findings: [{ kind: 'wrong-tenant', code: 'KT-REPOINTED' }] });
  expect(i.simulator.oracle().requests).toHaveLength(asked);
  await edit(i, (_, own) => Object.assign(own['mambu'] ?? {}, { consumerId: 'rotator' }));
  i.simulator.deleteConsumer('rotator');
  expect(await reconcile(i)).toMatchObject({
    exit: 3,
    findings: [{ kind: 'consumer-gone', code: 'KT-CONSUMER-GONE' }],
  });
  expect(await until(i, 'KT-CONSUMER-GONE')).toMatchObject({ status: 'needs-operator' });
});

it.concurrent('what was found before another writer came is no less true: it names its version', async (context) => {
  const i = await installation(context);
  await running(i);
  const { installationId, seq } = await record(i);
  const atMs = Date.now();
  const gone = {
    kind: 'consumer-gone',
    code: 'KT-CONSUMER-GONE',
    version: 1,
    keyId: null,
    sinceMs: atMs,
    message: 'the consumer was deleted',
    command: 'keyturn import',
  };
  await i.client.keysCompared(i.credentialId, {
    installationId,
    recordSeq: seq - 1,
    drift: { checkedAtMs: atMs, findings: [gone] },
  });
  expect(await until(i, 'KT-CONSUMER-GONE')).toMatchObject({ status: 'needs-operator' });
});

it.concurrent('is refused with 5 while a rotation is in progress; a dry run is not', async (context) => {
  const i = await installation({ ...context, policy: { activationLag: '30s' } });
  await running(i);
  await i.request('r-1');
  await i.until('its key is made', (s) => s.rotation?.step === 'persist');
  const refused = await keyturn(i, 'reconcile', i.credentialId, '--json');
  expect(refused).toMatchObject({ exit: 5, json: { error: { code: 'KT-CONFLICT' } } });
  const dry = await keyturn(i, 'reconcile', i.credentialId, '--dry-run', '--json');
  expect(dry).toMatchObject({ exit: 0, json: { warnings: [expect.stringContaining('a rotation is in progress')] } });
});

it.concurrent(
  'Apigee: a key that was revoked, got another secret, or was deleted by hand',
  async ({ onTestFinished }) => {
    const i: ApigeeInstallation = await apigeeInstallation({ onTestFinished });
    const { consumerKey, consumerSecret, app } = i.simulator.seeded;
    await running(i);
    expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [] });
    i.simulator.setKeyStatus(consumerKey, 'revoked');
    const revoked = await reconcile(i);
    expect(revoked).toMatchObject({ exit: 3, findings: [{ kind: 'revoked-by-hand', code: 'KT-KEY-MISSING' }] });
    i.simulator.deleteKey(consumerKey);
    expect(await reconcile(i)).toMatchObject({ exit: 3, kinds: ['missing-current'] });
    await until(i, 'KT-KEY-MISSING');
    i.simulator.addKey(app, ['orders'], { consumerKey, consumerSecret: 'drawn-by-hand' });
    const changed = await reconcile(i);
    expect(changed).toMatchObject({ exit: 3, findings: [{ kind: 'secret-changed', code: 'KT-KEY-MISSING' }] });
    expect(JSON.stringify([revoked, changed])).not.toContain(consumerKey);
    i.simulator.deleteKey(consumerKey);
    i.simulator.addKey(app, ['orders'], { consumerKey, consumerSecret });
    expect(await reconcile(i)).toMatchObject({ exit: 0, kinds: [] });
    await untilClear(i);
    expect(i.simulator.oracle().writes).toEqual([]);
  },
);

it.concurrent('a daily Schedule compares, raises attention, and takes it back', async (context) => {
  const i = await managed(context, { policy: { reconcile: true, grace: '1h' } });
  const schedule = i.client.temporal.schedule.getHandle(reconcileScheduleId(i.credentialId));
  context.onTestFinished(() => schedule.delete().catch(() => undefined));
  const made = await keyturn(i, 'apply', '--json');
  expect(made.json.data).toMatchObject({ changes: [{ do: 'create-schedule', schedule: 'reconcile' }, {}] });
  await running(i);
  expect((await keyturn(i, 'apply', '--json')).json.data).toMatchObject({ changes: [] });
  await rotated(i);
  const [old] = (await i.state()).previous;
  i.simulator.deleteKey(old?.keyId ?? '');
  const asked = requestsTo(i, 'GET', '/consumers/{id}/keys').length;
  await schedule.trigger();
  const drifted = await until(i, 'KT-DRIFT');
  expect(drifted).toMatchObject({
    status: 'retiring',
    attention: [{ command: `keyturn reconcile ${i.credentialId}` }],
  });
  expect(requestsTo(i, 'GET', '/consumers/{id}/keys').length).toBe(asked + 2);
  // Kept by the record, not by the run that was told.
  await eventually('the record has it', async () => (await record(i)).drift?.findings.length === 1);
  await i.client.handle(i.credentialId).terminate('by a test');
  await i.client.ensureStarted(i.credentialId);
  const { attention } = await until(i, 'KT-DRIFT');
  expect(attention[0]?.since).toBe(drifted.attention[0]?.since);
  await reconcile(i);
  await untilClear(i);
  const before = (await i.state()).reconciledAt;
  await schedule.trigger();
  await i.until('it has compared again', (s) => s.reconciledAt !== null && s.reconciledAt !== before);
  expect(await codes(i)).toEqual([]);

  await edit(i, (_, own) => Object.assign(own['policy'] ?? {}, { reconcile: false }));
  const gone = await keyturn(i, 'apply', '--json');
  expect(gone.json.data).toMatchObject({ changes: [{ do: 'delete-schedule', schedule: 'reconcile' }] });
  await expect(schedule.describe()).rejects.toThrow(/not found/i);
});

it.concurrent('the daily Schedule of a credential that is gone is paused, and pruned with it', async (context) => {
  const i = await installation({ ...context, policy: { reconcile: true } });
  const schedule = i.client.temporal.schedule.getHandle(reconcileScheduleId(i.credentialId));
  context.onTestFinished(() => schedule.delete().catch(() => undefined));
  const apply = async (...flags: readonly string[]) => (await keyturn(i, 'apply', ...flags, '--json')).json.data;
  await apply();
  await edit(i, (file) => Object.assign(file, { credentials: {} }));
  const own = { credentialId: i.credentialId, schedule: 'reconcile' };
  expect(await apply('--dry-run')).toMatchObject({ changes: [{ ...own, do: 'pause-schedule' }, {}] });
  await apply();
  expect((await schedule.describe()).state.paused).toBe(true);
  expect(await apply('--prune')).toMatchObject({ changes: [{ ...own, do: 'delete-schedule' }] });
  await expect(schedule.describe()).rejects.toThrow(/not found/i);
});

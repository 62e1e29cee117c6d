import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import type { CredentialState } from '../../src/contract.js';
import { markLeaked } from '../../src/domain/transitions.js';
import { editConfig, hideAmbientTemporal, keyturn } from '../support/cli.js';
import { bytesUnder } from '../support/custody.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';

const nowhere = ['--address', '127.0.0.1:1'];

/** An installation that is applied and has a worker. */
async function running(options: InstallationOptions = {}): Promise<Installation> {
  const i = await installation(options);
  await i.worker();
  await keyturn(i, 'apply');
  await i.until('it is loaded', (s) => s.current !== null);
  return i;
}

describe('rotate --wait', () => {
  test('prints the outcome and exits with 0 when the new key is current', async () => {
    const i = await running();
    const ran = await keyturn(i, 'rotate', i.credentialId, '--wait', '--request-id', 'r-1', '--json');
    const { current } = await i.state();
    expect(ran).toMatchObject({
      exit: 0,
      json: {
        ok: true,
        data: {
          outcome: 'rotated',
          requestId: 'r-1',
          credentialId: i.credentialId,
          version: 2,
          keyId: current?.keyId,
          publishedAt: current?.publishedAt,
        },
      },
    });
  });

  test('one id is one rotation: the second time tells the outcome of the first', async () => {
    const i = await running();
    const words = ['rotate', i.credentialId, '--wait', '--request-id', 'r-1', '--json'];
    const first = await keyturn(i, ...words);
    const { current } = await i.state();
    await keyturn(i, 'rotate', i.credentialId, '--wait');
    const second = await keyturn(i, ...words);
    const { attention: _, ...outcome } = first.json.data as Record<string, unknown>;
    expect(outcome).toMatchObject({ outcome: 'rotated', version: 2, requestId: 'r-1', keyId: current?.keyId });
    expect(second).toMatchObject({ exit: 0, json: { data: outcome } });
    expect((await i.state()).current?.version).toBe(3);
  });

  test('a request that joins a rotation gets its outcome', async () => {
    const i = await running({ policy: { activationLag: '1s' } });
    await i.request('r-1');
    await i.until('r-1 is being worked on', (s) => s.rotation?.requestId === 'r-1');
    const ran = await keyturn(i, 'rotate', i.credentialId, '--wait', '--json');
    expect(ran).toMatchObject({ exit: 0, json: { data: { outcome: 'rotated', version: 2, servedBy: 'r-1' } } });
    expect((await i.state()).lastRotation?.requestId).toBe('r-1');
  });

  test('exits with 1 when the rotation failed, and says why', async () => {
    const i = await running();
    await editConfig(i, ({ credentials }) => {
      Object.assign(credentials[i.credentialId]?.mambu ?? {}, { consumerId: 'somebody-else' });
    });
    const ran = await keyturn(i, 'rotate', i.credentialId, '--wait', '--json');
    expect(ran).toMatchObject({
      exit: 1,
      json: { ok: true, data: { outcome: 'failed', version: 1, error: { code: 'KT-REPOINTED' } } },
    });
  });

  test('exits with 3 when an operator is needed', async () => {
    const i = await installation({ strategy: 'rotation' });
    await i.vault.custody.update(i.credentialId, ({ record, shelf }) => ({
      next: { record: { ...record, versions: record.versions.map((v) => ({ ...v, secretKey: 'lost' })) }, shelf },
      value: null,
    }));
    await i.worker();
    const ran = await keyturn(i, 'rotate', i.credentialId, '--wait', '--json');
    expect(ran).toMatchObject({
      exit: 3,
      json: { data: { outcome: 'needs-operator', error: { code: 'KT-CAPABILITY-LOST' } } },
    });
    const status = await keyturn(i, 'status', i.credentialId, '--json');
    expect(status).toMatchObject({ exit: 3, json: { data: { status: 'needs-operator' } } });
  });

  test('exits with 7 when the time is over, and the rotation goes on', async () => {
    const i = await running({ policy: { activationLag: '2s' } });
    const ran = await keyturn(i, 'rotate', i.credentialId, '--wait', '--timeout', '300ms', '--json');
    expect(ran).toMatchObject({ exit: 7, json: { ok: false, error: { code: 'KT-TIMEOUT' } } });
    await i.until('version 2 is current', (s) => s.current?.version === 2);
  });

  test('says that a paused credential was skipped, and rotates it after resume', async () => {
    const i = await running();
    const paused = await keyturn(i, 'pause', i.credentialId, '--reason', 'audit', '--json');
    expect(paused.json.data).toMatchObject({ paused: { reason: 'audit', by: expect.stringMatching(/./) } });
    const skipped = await keyturn(i, 'rotate', i.credentialId, '--wait', '--json');
    expect(skipped).toMatchObject({ exit: 0, json: { data: { outcome: 'skipped', skippedBecause: 'paused' } } });
    const resumed = await keyturn(i, 'resume', i.credentialId, '--json');
    expect(resumed.json.data).toMatchObject({ paused: null });
    const rotated = await keyturn(i, 'rotate', i.credentialId, '--wait', '--json');
    expect(rotated.json.data).toMatchObject({ outcome: 'rotated', version: 2 });
  });

  test('tells of a credential that was never imported', async () => {
    const i = await running();
    await editConfig(i, ({ credentials }) => {
      const like = credentials[i.credentialId];
      if (like) credentials['never-imported'] = like;
    });
    const ran = await keyturn(i, 'rotate', 'never-imported', '--wait', '--timeout', '10s', '--json');
    expect(ran).toMatchObject({ exit: 1, json: { data: { outcome: 'failed', error: { code: 'KT-NOT-IMPORTED' } } } });
    const attention = [{ code: 'KT-NOT-IMPORTED', command: 'keyturn import never-imported' }];
    const status = await keyturn(i, 'status', 'never-imported', '--json');
    expect(status).toMatchObject({ exit: 3, json: { data: { status: 'new', attention } } });
    await i.client.handle(i.credentialId).terminate('by a test');
    // What needs somebody is not hidden behind a workflow that does not run.
    expect(await keyturn(i, 'status', '--json')).toMatchObject({ exit: 3 });
    await i.client.handle('never-imported').terminate('end of test');
  });
});

describe('rotate', () => {
  test('answers with the place in the queue once the workflow has accepted it', async () => {
    const i = await running();
    const ran = await keyturn(i, 'rotate', i.credentialId, '--json');
    expect(ran).toMatchObject({ exit: 0, json: { data: { credentialId: i.credentialId, position: 0 } } });
    await i.until('version 2 is current', (s) => s.current?.version === 2);
  });

  test('a compromise ends the old key without a grace', async () => {
    const i = await running({ policy: { grace: '10m' } });
    const ran = await keyturn(i, 'rotate', i.credentialId, '--reason', 'compromise', '--wait', '--json');
    expect(ran.json.data).toMatchObject({ outcome: 'rotated', version: 2 });
    await i.until('version 1 is gone', (s) => s.previous.length === 0);
  });

  test('exits with 6 where no worker answers', async () => {
    const i = await installation();
    const ran = await keyturn(i, 'rotate', i.credentialId, '--json');
    expect(ran).toMatchObject({ exit: 6, json: { error: { code: 'KT-NO-WORKER' } } });
    // And nothing is left behind that a worker would serve later.
    expect(await i.client.entity(i.credentialId)).toBeNull();
  });

  test.each([
    ['--leaked-version', '1'],
    ['--timeout', '1m'],
  ])('%s alone is a mistake', async (...flags) => {
    const i = await installation();
    const ran = await keyturn(i, 'rotate', i.credentialId, ...flags, '--json');
    expect(ran).toMatchObject({ exit: 2, json: { error: { code: 'KT-USAGE' } } });
  });
});

describe('rotate --dry-run', () => {
  test('prints the plan without Temporal, and sends nothing with a key that was never accepted', async () => {
    const i = await installation({ policy: { grace: '20m', refreshWithin: '5m' } });
    const before = await bytesUnder(join(i.directory, 'store'));
    const ran = await keyturn(i, 'rotate', i.credentialId, '--dry-run', '--json', ...nowhere);
    expect(ran).toMatchObject({
      exit: 0,
      json: { data: { decision: 'rotate', capability: 'B', nextVersion: 2, current: { version: 1 }, listing: null } },
    });
    const { steps } = ran.json.data as { steps: { step: string; at: string }[] };
    expect(steps.map(({ step }) => step)).toEqual([
      'plan',
      'rotate',
      'persist',
      'verify',
      'publish',
      'refresh',
      'revoke',
    ]);
    const at = (name: string): number => Date.parse(steps.find(({ step }) => step === name)?.at ?? '');
    expect(at('revoke') - at('publish')).toBe(25 * 60_000);
    expect(i.simulator.oracle().requests).toEqual([]);
    expect((await bytesUnder(join(i.directory, 'store'))).equals(before)).toBe(true);
  });

  test('lists the keys at the provider with a key that was accepted before, and writes nothing', async () => {
    const i = await running({ policy: { grace: '10m' } });
    await keyturn(i, 'rotate', i.credentialId, '--wait');
    const { current, previous } = await i.state();
    const before = i.simulator.oracle();
    const record = await i.vault.custody.read(i.credentialId);
    const ran = await keyturn(i, 'rotate', i.credentialId, '--dry-run', '--json', ...nowhere);
    expect(ran.json.data).toMatchObject({ obstacles: [], decision: 'rotate', nextVersion: 3 });
    const { listing } = ran.json.data as { listing: { keyId: string }[] };
    expect(listing.map(({ keyId }) => keyId)).toEqual(expect.arrayContaining([current?.keyId, previous[0]?.keyId]));
    const after = i.simulator.oracle();
    expect(after.keys).toEqual(before.keys);
    expect(after.requests.slice(before.requests.length)).toMatchObject([{ method: 'GET' }]);
    expect((await i.vault.custody.read(i.credentialId))?.record).toEqual(record?.record);
  });
});

describe('status', () => {
  test('shows one credential with a timeline, and as JSON exactly the state', async () => {
    const i = await running({ policy: { grace: '10m', consumers: [{ name: 'billing', ackWithin: '1h' }] } });
    await keyturn(i, 'rotate', i.credentialId, '--wait');
    const json = await keyturn(i, 'status', i.credentialId, '--json');
    const { lockout: _, ...state } = await i.state();
    expect(json).toMatchObject({ exit: 0, json: { ok: true, data: state } });
    const { out } = await keyturn(i, 'status', i.credentialId);
    expect(out).toMatch(/^core-\S+ +retiring/);
    expect(out).toMatch(/v2 +current, verified/);
    expect(out).toMatch(/v1 +in-grace .* ack:billing/);
    expect(out).toMatch(/last rotation ended: rotated \(routine, operator\) \((\d+s ago|now)\)/);
    expect(out).toMatch(/version 1 dies at the latest \(in 1h \d+m\)/);
  });

  test('lists all credentials; with attention at one it exits with 3', async () => {
    const i = await running();
    expect(await keyturn(i, 'status')).toMatchObject({ exit: 0, out: expect.stringMatching(/^CREDENTIAL +STATUS/) });
    const ran = await keyturn(i, 'status', '--json');
    expect(ran.json.data).toMatchObject([{ credentialId: i.credentialId, status: 'idle' }]);
  });

  test('names the known ids when it is asked for another one', async () => {
    const i = await installation();
    const ran = await keyturn(i, 'status', 'nope', '--json');
    expect(ran).toMatchObject({ exit: 2, json: { error: { code: 'KT-UNKNOWN-CREDENTIAL' } } });
    expect(ran.json.error.hint).toContain(i.credentialId);
  });

  test('says that apply is missing where the workflow does not run, even if it ran before', async () => {
    const i = await running();
    await i.client.handle(i.credentialId).terminate('by a test');
    for (const words of [['status'], ['status', i.credentialId]]) {
      const ran = await keyturn(i, ...words, '--json');
      expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-NOT-RUNNING' } } });
    }
  });

  test('--watch --json prints one object a line for every change, until SIGINT', async () => {
    const i = await running();
    await hideAmbientTemporal(i.directory);
    let out = '';
    let interrupt: (signal: NodeJS.Signals) => void = () => undefined;
    const watching = runCli(['-c', i.configFile, 'status', i.credentialId, '--watch', '--json'], {
      stdin: Readable.from([]),
      stdout: { write: (text) => (out += text) },
      stderr: { write: () => true },
      env: {},
      onSignal: (_, react) => {
        interrupt = react;
        return () => undefined;
      },
    });
    const states = (): CredentialState[] =>
      out
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { data: CredentialState }).data);
    const seen = async (version: number): Promise<void> => {
      const deadline = Date.now() + 20_000;
      while (states().at(-1)?.current?.version !== version && Date.now() < deadline) await sleep(50);
    };
    await seen(1);
    await keyturn(i, 'rotate', i.credentialId, '--wait');
    await seen(2);
    const shown = states();
    interrupt('SIGINT');
    expect(await watching).toBe(130);
    expect(shown.at(0)?.current?.version).toBe(1);
    expect(shown.at(-1)?.current?.version).toBe(2);
  });
});

test('history tells the rotations and the proofs of death from the store, without Temporal', async () => {
  const i = await running();
  await keyturn(i, 'rotate', i.credentialId, '--wait', '--request-id', 'r-1');
  await i.until('version 1 is gone', (s) => s.previous.length === 0);
  const ran = await keyturn(i, 'history', i.credentialId, '--json', ...nowhere);
  expect(ran).toMatchObject({
    exit: 0,
    json: {
      data: {
        rotations: [{ requestId: 'r-1', outcome: 'rotated', version: 2, source: 'operator' }],
        destroyed: [{ version: 1, proof: 'listed' }],
      },
    },
  });
  expect((await keyturn(i, 'history', i.credentialId, ...nowhere)).out).toMatch(/rotated +v2 +routine, operator/);
  expect(await keyturn(i, 'history', 'nope', '--json')).toMatchObject({ exit: 2 });
});

describe('rollback', () => {
  test('publishes the older key again as a new version, and waits for it', async () => {
    const i = await running({ policy: { grace: '10m' } });
    const { current: first } = await i.state();
    await keyturn(i, 'rotate', i.credentialId, '--wait');
    const ran = await keyturn(i, 'rollback', i.credentialId, '--json');
    expect(ran).toMatchObject({ exit: 0, json: { data: { current: { version: 3, keyId: first?.keyId } } } });
    expect((await i.state()).lastRotation).toMatchObject({ reason: 'rollback', outcome: 'rotated' });
  });

  test('is refused with 5 where there is nothing to go back to', async () => {
    const i = await running();
    for (const flags of [[], ['--to-version', '7']]) {
      const ran = await keyturn(i, 'rollback', i.credentialId, ...flags, '--json');
      expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-ROLLBACK-REFUSED' } } });
    }
  });
});

test('a rollback that is refused after it was accepted exits with 5, and is in state and history', async () => {
  const i = await running({ policy: { grace: '10m' } });
  await keyturn(i, 'rotate', i.credentialId, '--wait');
  // Behind the workflow's back, as between acceptance and the record's own check.
  await i.vault.custody.update(i.credentialId, ({ record, shelf }) => ({
    next: { record: markLeaked(record, [1]), shelf },
    value: null,
  }));
  const ran = await keyturn(i, 'rollback', i.credentialId, '--json');
  expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-ROLLBACK-REFUSED' } } });
  expect(ran.json.error.message).toContain('version 1 has leaked');
  const refused = { reason: 'rollback', outcome: 'failed', error: { code: 'KT-ROLLBACK-REFUSED' } };
  expect(await i.state()).toMatchObject({ current: { version: 2 }, lastRotation: refused });
  expect((await keyturn(i, 'history', i.credentialId, '--json')).json.data).toMatchObject({ rotations: [refused, {}] });
  const next = await keyturn(i, 'rotate', i.credentialId, '--wait', '--json');
  expect(next.json.data).toMatchObject({ outcome: 'rotated', version: 3 });
});

describe('ack', () => {
  test('lets the old key die earlier', async () => {
    const i = await running({ policy: { grace: '10m', consumers: [{ name: 'billing', ackWithin: '1h' }] } });
    await keyturn(i, 'rotate', i.credentialId, '--wait');
    const [waiting] = (await i.state()).previous;
    expect(waiting?.waitingFor).toEqual(['ack:billing']);
    const ran = await keyturn(i, 'ack', i.credentialId, '--consumer', 'billing', '--version', '2', '--json');
    expect(ran).toMatchObject({ exit: 0, json: { data: { previous: [{ version: 1, waitingFor: [] }] } } });
    const [dying] = (await i.state()).previous;
    expect(Date.parse(dying?.diesAt ?? '')).toBeLessThan(Date.parse(waiting?.diesAt ?? '') - 40 * 60_000);
  });

  test.each([
    ['an unknown consumer', 'shipping', '1'],
    ['a version that is not published', 'billing', '9'],
  ])('%s is refused', async (_, consumer, version) => {
    const i = await running({ policy: { consumers: [{ name: 'billing', ackWithin: '1h' }] } });
    const ran = await keyturn(i, 'ack', i.credentialId, '--consumer', consumer, '--version', version, '--json');
    expect(ran).toMatchObject({ exit: 2, json: { error: { code: 'KT-INPUT' } } });
  });
});

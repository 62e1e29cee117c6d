/** The store goes away around the one moment that counts: a new key exists, and only this process knows it. */
import { expect, it } from 'vitest';
import { startWorker } from '../../src/worker.js';
import { temporalTarget } from '../../src/temporal.js';
import { openFlakyVault, type Outage } from '../support/flaky-vault.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';
import { expectInvariants, writesOf } from '../support/invariants.js';
import { quietRuntime } from '../support/quiet-runtime.js';

quietRuntime();

const strategies = ['create-and-delete', 'rotation'] as const;
const makes = { 'create-and-delete': 'create-key', rotation: 'rotate' } as const;

async function withOutage(
  options: InstallationOptions & Required<Pick<InstallationOptions, 'onTestFinished'>>,
  isOut: (i: Installation) => Outage,
): Promise<Installation> {
  const i = await installation(options);
  const config = await i.config();
  const vault = await openFlakyVault(config, isOut(i));
  options.onTestFinished(() => vault.close());
  const running = await startWorker({
    config,
    target: temporalTarget(config, { ignoreAmbient: true }),
    vault,
    debugMode: true,
  });
  options.onTestFinished(() => running.stop());
  return i;
}

it.concurrent.for(strategies)(
  '%s: a store that is down when the provider has answered costs nothing: the answer travels sealed and is written later',
  async (strategy, { onTestFinished }) => {
    let back = false;
    const i = await withOutage(
      { onTestFinished, strategy },
      ({ simulator }) =>
        () =>
          !back && simulator.oracle().writes.length > 0,
    );
    await i.request('r-1');
    const parked = await i.until('it waits for the store', (s) => s.rotation?.parked === true);
    expect(parked.rotation).toMatchObject({ step: 'persist', lastError: { code: 'KT-STORE-UNAVAILABLE' } });
    expect(parked.rotation?.nextAttemptAt).toBeDefined();
    expect(parked.current?.version).toBe(1);
    back = true;
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.current).toMatchObject({ verified: true, secretKey: 'ok' });
    expect(state.lastRotation?.outcome).toBe('rotated');
    expect(writesOf(i)[makes[strategy]]).toBe(1);
    await expectInvariants(i);
  },
);

it.concurrent.for(strategies)(
  '%s: a store that is down for the record’s write alone, once, costs nothing',
  async (strategy, { onTestFinished }) => {
    let failed = 0;
    const i = await withOutage({ onTestFinished, strategy }, ({ simulator }) => (access, name) => {
      if (access !== 'write' || !name.startsWith('credential/') || simulator.oracle().writes.length === 0) return false;
      failed += 1;
      return failed === 1;
    });
    await i.request('r-1');
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(failed).toBeGreaterThan(1);
    expect(state.lastRotation?.outcome).toBe('rotated');
    expect(writesOf(i)[makes[strategy]]).toBe(1);
    await expectInvariants(i);
  },
);

it.concurrent.for(strategies)(
  '%s: nothing is sent while the intent cannot be written, and nothing is made twice afterwards',
  async (strategy, { onTestFinished }) => {
    let back = false;
    let planned = false;
    const i = await withOutage({ onTestFinished, strategy }, ({ simulator }) => (access) => {
      planned ||= simulator.oracle().requests.length >= 2;
      return access === 'write' && planned && !back;
    });
    await i.request('r-1');
    await i.until('it waits for the store', (s) => s.rotation?.parked === true);
    expect(writesOf(i)).toEqual({});
    back = true;
    await i.until('version 2', (s) => s.current?.version === 2);
    expect(writesOf(i)[makes[strategy]]).toBe(1);
    await expectInvariants(i);
  },
);

it.concurrent.for(strategies)(
  '%s: a store that goes down between intent and sending leaves one key in the end',
  async (strategy, { onTestFinished }) => {
    let back = false;
    let intents = 0;
    const i = await withOutage({ onTestFinished, strategy }, ({ simulator }) => (access, name) => {
      if (back) return false;
      // Third listing: the inventory of the intent. The next write of the record is the intent itself, and then the store is gone.
      if (simulator.oracle().requests.length < 2) return false;
      if (access === 'write' && name.startsWith('credential/')) intents += 1;
      return intents > 1 || (intents === 1 && access === 'read');
    });
    await i.request('r-1');
    await i.until('it waits for the store', (s) => s.rotation?.parked === true);
    expect(writesOf(i)).toEqual({});
    back = true;
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.current).toMatchObject({ verified: true, secretKey: 'ok' });
    await i.until('nothing is owed', (s) => s.debts.length === 0);
    await expectInvariants(i);
  },
);

it.concurrent(
  'a store that is down at publish keeps the old key current until it is back',
  async ({ onTestFinished }) => {
    let back = false;
    const i = await withOutage({ onTestFinished }, ({ simulator }) => (access) => {
      return access === 'write' && !back && simulator.oracle().requests.filter((r) => r.method === 'GET').length >= 3;
    });
    await i.request('r-1');
    const parked = await i.until('it waits for the store', (s) => s.rotation?.parked === true);
    expect(parked.current?.version).toBe(1);
    back = true;
    await i.until('version 2', (s) => s.current?.version === 2 && s.current.verified);
    expect(writesOf(i)['create-key']).toBe(1);
    await expectInvariants(i);
  },
);

it.concurrent(
  'a store that is down when the old key is to die delays its end, and nothing else',
  async ({ onTestFinished }) => {
    let out = false;
    const i = await withOutage({ onTestFinished }, () => () => out);
    await i.request('r-1');
    await i.until('version 2', (s) => s.current?.version === 2);
    out = true;
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect((await i.state()).previous).toHaveLength(1);
    out = false;
    const state = await i.until('the old key is gone', (s) => s.previous.length === 0);
    expect(state.debts).toEqual([]);
    expect(writesOf(i)).toEqual({ 'create-key': 1, 'delete-key': 1 });
    await expectInvariants(i);
  },
);

it.concurrent(
  'a compromise that is reported while the store is down is served when it is back',
  async ({ onTestFinished }) => {
    let back = false;
    const i = await withOutage(
      { onTestFinished },
      ({ simulator }) =>
        () =>
          !back && simulator.oracle().requests.filter((r) => r.method === 'GET').length >= 3,
    );
    await i.request('r-1');
    await i.until('the proof waits for the store', (s) => s.rotation?.step === 'verify' && s.rotation.parked);
    await i.request('leak', { reason: 'compromise' });
    await i.until('the key is being taken back', (s) => s.rotation?.step !== 'verify' || s.rotation.parked === false);
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    back = true;
    const state = await i.until('the compromise is served', (s) => s.lastRotation?.requestId === 'leak');
    expect(state.lastRotation).toMatchObject({ outcome: 'rotated', reason: 'compromise' });
    expect(state.current).toMatchObject({ verified: true });
    await i.until('everything that leaked is gone', (s) => s.previous.length === 0 && s.debts.length === 0);
    await expectInvariants(i, { refreshWithinMs: 0 });
  },
);

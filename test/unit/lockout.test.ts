import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Lockout } from '../../src/custody/custody.js';
import { admit, emptyAccount, forgive, prove, reset, strike, type Account } from '../../src/custody/lockout-account.js';
import { createLockout } from '../../src/custody/lockout.js';
import { lockoutName } from '../../src/custody/names.js';
import { maxPlaintextBytes } from '../../src/custody/objects.js';
import { openFileStore } from '../../src/stores/file.js';
import { StoreFailure, type Store } from '../../src/stores/store.js';
import { newKeys, nowMs, temporaryFolder } from '../support/custody.js';

const scope = { baseUrl: 'https://acme.mambu.com/api', egress: 'default' };
const keys = newKeys('k-a');
const limit = 4;
const blocked = { class: 'blocked', facts: { code: 'KT-LOCKOUT-BUDGET' } };
let path: string;
let store: Store;
let nowIsMs: number;
let lockout: Lockout;

beforeEach(async () => {
  path = await temporaryFolder();
  store = await openFileStore({ path });
  nowIsMs = nowMs;
  lockout = createLockout({ store, keys, clock: { now: () => nowIsMs }, limit });
});

async function etag(): Promise<string | undefined> {
  return (await store.read(lockoutName(scope)))?.etag;
}

describe('lockout', () => {
  test('an untouched account is empty, and looking at it writes nothing', async () => {
    expect(await lockout.view(scope)).toEqual({ limit, used: 0, reserved: 0, strikes: [], resets: [], asOfMs: nowMs });
    expect(await store.list('')).toEqual([]);
  });

  test('an unproven credential reserves one strike an operation, however often it is tried', async () => {
    for (let i = 0; i < 3; i++) await lockout.admit(scope, 'fp-1', 'op-1');
    expect(await lockout.view(scope)).toMatchObject({ used: 0, reserved: 1 });
    await lockout.admit(scope, 'fp-1', 'op-2');
    expect(await lockout.view(scope)).toMatchObject({ reserved: 2 });
  });

  test('a success frees what was reserved, and from then on calls are free and write nothing', async () => {
    await lockout.admit(scope, 'fp-1', 'op-1');
    await lockout.proved(scope, 'fp-1');
    const before = await etag();
    await lockout.proved(scope, 'fp-1');
    for (let i = 0; i < 10; i++) await lockout.admit(scope, 'fp-1', `op-${i}`);
    expect(await lockout.view(scope)).toMatchObject({ used: 0, reserved: 0 });
    expect(await etag()).toBe(before);
  });

  test('a 401 turns the reservation into a strike, and nothing is called with it again until it is forgiven', async () => {
    await lockout.admit(scope, 'fp-1', 'op-1');
    await lockout.struck(scope, 'fp-1', 'op-1', nowMs);
    expect(await lockout.view(scope)).toMatchObject({
      used: 1,
      reserved: 0,
      strikes: [{ fingerprint: 'fp-1', operationId: 'op-1', atMs: nowMs }],
    });
    await expect(lockout.admit(scope, 'fp-1', 'op-1')).rejects.toMatchObject(blocked);
    await expect(lockout.admit(scope, 'fp-1', 'op-2')).rejects.toMatchObject(blocked);
    await lockout.forgive(scope, 'fp-1');
    await lockout.admit(scope, 'fp-1', 'op-2');
    expect(await lockout.view(scope)).toMatchObject({ used: 1, reserved: 1 });
    await lockout.struck(scope, 'fp-1', 'op-2', nowMs);
    await expect(lockout.admit(scope, 'fp-1', 'op-3')).rejects.toMatchObject(blocked);
  });

  test('a proven credential that is refused is counted and is proven no more', async () => {
    await lockout.proved(scope, 'fp-1');
    await lockout.struck(scope, 'fp-1', 'op-1', nowMs);
    expect(await lockout.view(scope)).toMatchObject({ used: 1, reserved: 0 });
    await expect(lockout.admit(scope, 'fp-1', 'op-2')).rejects.toMatchObject(blocked);
  });

  test('when the budget is spent nothing unproven is admitted, and proven credentials go on', async () => {
    await lockout.proved(scope, 'good');
    for (let i = 0; i < limit; i++) await lockout.admit(scope, `fp-${i}`, 'op');
    await expect(lockout.admit(scope, 'fp-9', 'op')).rejects.toMatchObject(blocked);
    for (let i = 0; i < limit; i++) await lockout.struck(scope, `fp-${i}`, 'op', nowMs);
    await expect(lockout.admit(scope, 'fp-9', 'op')).rejects.toMatchObject(blocked);
    await lockout.forgive(scope, 'fp-0');
    await expect(lockout.admit(scope, 'fp-0', 'op')).rejects.toMatchObject({ message: expect.stringContaining('4') });
    await lockout.admit(scope, 'good', 'op');
  });

  test('a reset clears the strikes, keeps its reason, and leaves calls that may be under way reserved', async () => {
    for (const fp of ['a', 'b', 'c']) await lockout.admit(scope, fp, 'op');
    await lockout.struck(scope, 'a', 'op', nowMs);
    nowIsMs += 3_600_000;
    await lockout.admit(scope, 'd', 'op');
    await lockout.reset(scope, 'IP unblocked by the operator');
    expect(await lockout.view(scope)).toMatchObject({
      used: 0,
      reserved: 1,
      resets: [{ atMs: nowIsMs, reason: 'IP unblocked by the operator' }],
    });
    await lockout.admit(scope, 'a', 'op-2');
  });

  test('is one account for every spelling of a base URL, another for another tenant or egress', async () => {
    await lockout.admit(scope, 'fp-1', 'op-1');
    for (const baseUrl of [
      'https://acme.mambu.com/api/',
      'https://ACME.Mambu.com/API',
      'https://acme.mambu.com:443/api//',
      'https://acme.mambu.com./api?x=1',
    ]) {
      expect(await lockout.view({ ...scope, baseUrl })).toMatchObject({ reserved: 1 });
    }
    for (const other of [
      { ...scope, baseUrl: 'https://other.mambu.com/api' },
      { ...scope, baseUrl: 'https://acme.mambu.com:8443/api' },
      { ...scope, egress: 'b' },
    ]) {
      expect(await lockout.view(other)).toMatchObject({ reserved: 0 });
    }
  });

  test('outlives the process', async () => {
    await lockout.admit(scope, 'fp-1', 'op-1');
    const later = createLockout({ store: await openFileStore({ path }), keys, clock: Date, limit });
    expect(await later.view(scope)).toMatchObject({ reserved: 1 });
  });

  test('admits nothing while the store cannot be written', async () => {
    await lockout.proved(scope, 'fp-0');
    const failing = createLockout({
      store: {
        kind: 'file',
        read: (name) => store.read(name),
        write: () => Promise.reject(new StoreFailure('unavailable', 'down')),
        list: (prefix) => store.list(prefix),
        remove: (name) => store.remove(name),
        check: () => store.check(),
        close: () => store.close(),
      },
      ...{ keys, clock: Date, limit },
    });
    await expect(failing.admit(scope, 'fp-1', 'op-1')).rejects.toMatchObject({ code: 'KT-STORE-UNAVAILABLE' });
  });

  test('of any number of racing calls over one store only the budget is admitted', async () => {
    const several = await Promise.all(
      Array.from({ length: 4 }, async () =>
        createLockout({ store: await openFileStore({ path }), keys, clock: Date, limit }),
      ),
    );
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => several[i % 4]?.admit(scope, `fp-${i}`, `op-${i}`)),
    );
    expect(outcomes.filter((o) => o.status === 'fulfilled').length).toBe(limit);
    expect(await lockout.view(scope)).toMatchObject({ used: 0, reserved: limit });
  });
});

type Event =
  | { readonly do: 'call'; readonly fp: string; readonly op: string }
  | { readonly do: 'answer'; readonly nth: number; readonly ok: boolean }
  | { readonly do: 'forgive'; readonly fp: string }
  | { readonly do: 'reset' };

const fp = fc.integer({ min: 0, max: 6 }).map((n) => `fp-${n}`);
const op = fc.integer({ min: 0, max: 3 }).map((n) => `op-${n}`);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('call' as const), fp, op }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), nth: fc.nat(9), ok: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgive' as const), fp }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reset' as const }) },
);

describe('lockout account', () => {
  /**
   * Calls are admitted, and answered in any order, by a provider to which a credential is either good or bad. Strikes are counted by the
   * provider from one reset to the next.
   */
  test('whatever happens in whatever order, used and reserved together stay within the limit, and cover the provider’s count', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), fc.integer({ min: 1, max: 6 }), (events, max) => {
        let account: Account = emptyAccount;
        let atProvider = 0;
        const inFlight: { fp: string; op: string }[] = [];
        for (const e of events) {
          if (e.do === 'call') {
            if (inFlight.some((c) => c.fp === e.fp && c.op === e.op)) continue;
            const admission = admit(account, max, { fingerprint: e.fp, operationId: e.op, atMs: nowMs });
            if (!admission.admitted) continue;
            account = admission.account;
            inFlight.push({ fp: e.fp, op: e.op });
          } else if (e.do === 'answer') {
            const [call] = inFlight.splice(e.nth % Math.max(1, inFlight.length), 1);
            if (!call) continue;
            const good = Number(call.fp.slice(3)) % 2 === 0;
            if (!good) atProvider++;
            account = good
              ? prove(account, call.fp)
              : strike(account, { fingerprint: call.fp, operationId: call.op, atMs: nowMs }, nowMs);
          } else if (e.do === 'forgive') {
            account = forgive(account, e.fp);
          } else {
            account = reset(account, 'x', nowMs);
            atProvider = 0;
          }
          expect(account.used + account.reservations.length).toBeLessThanOrEqual(max);
          expect(account.used).toBe(atProvider);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('stays within the size of an object, whatever is booked', () => {
    let account: Account = emptyAccount;
    const long = (n: number): string => `hmac:${String(n).padStart(32, '0')}`;
    for (let n = 0; n < 2_000; n++) {
      account = prove(account, long(n));
      account = strike(account, { fingerprint: long(n + 5_000), operationId: `op-${long(n)}`, atMs: nowMs }, nowMs);
      account = reset(account, 'r'.repeat(1_000), nowMs);
      account = strike(account, { fingerprint: long(n + 9_000), operationId: `op-${long(n)}`, atMs: nowMs }, nowMs);
    }
    for (let n = 0; n < 400; n++)
      account = strike(account, { fingerprint: long(n), operationId: long(n), atMs: nowMs }, nowMs);
    for (let n = 0; n < 400; n++) account = prove(account, long(n + 20_000));
    expect(JSON.stringify(account).length).toBeLessThan(maxPlaintextBytes);
  });
});

import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Custody, Opened } from '../../src/custody/custody.js';
import { openCustody } from '../../src/custody/open.js';
import { createScrubber } from '../../src/custody/scrub.js';
import { bounds, type RotationFacts } from '../../src/domain/record.js';
import { newDebt } from '../../src/domain/transitions.js';
import { Secret } from '../../src/domain/secret.js';
import { openFileStore } from '../../src/stores/file.js';
import { StoreFailure, type Store } from '../../src/stores/store.js';
import {
  bytesUnder,
  filesUnder,
  imported,
  intentFacts,
  lateAnswer,
  newKeys,
  nowMs,
  operationFacts,
  record,
  shelf,
  temporaryFolder,
  versionFacts,
} from '../support/custody.js';

const keys = newKeys('k-a');
const ID = 'core-prod';
let path: string;
let store: Store;
let custody: Custody;

beforeEach(async () => {
  path = await temporaryFolder();
  store = await openFileStore({ path });
  custody = await openCustody({ store, keys, clock: { now: () => nowMs } });
});

async function importOne(): Promise<Opened> {
  return custody.create(ID, imported(await custody.installationId()));
}

function revealed(opened: Opened | undefined, version: number): Readonly<Record<string, string>> {
  const fields = Object.entries(opened?.shelf.versions[version]?.fields ?? {});
  return Object.fromEntries(fields.map(([name, value]) => [name, value.reveal()]));
}

const raisedEpoch = ({ record: r, shelf: s }: Opened) =>
  ({ next: { record: { ...r, epoch: r.epoch + 1 }, shelf: s }, value: r.epoch + 1 }) as const;

describe('installation', () => {
  test('an empty store stays empty until something needs it', async () => {
    expect(await custody.read(ID)).toBeUndefined();
    expect(await custody.list()).toEqual([]);
    expect(await custody.readLate(ID, 'op-1')).toEqual([]);
    expect(await readdir(join(path, 'objects'))).toEqual([]);
  });

  test('all who open the store at once agree on one id and one fingerprint', async () => {
    const all = await Promise.all(
      Array.from({ length: 5 }, async () => openCustody({ store: await openFileStore({ path }), keys })),
    );
    const ids = await Promise.all(all.map((c) => c.installationId()));
    const prints = await Promise.all(all.map((c) => c.fingerprint(new Secret('value'))));
    expect(new Set(ids).size).toBe(1);
    expect(new Set(prints).size).toBe(1);
    expect(prints[0]).toMatch(/^hmac:[0-9a-f]{32}$/);
  });

  test('fingerprints differ between values and between installations', async () => {
    const other = await openCustody({ store: await openFileStore({ path: await temporaryFolder() }), keys });
    const prints = [
      await custody.fingerprint(new Secret('value')),
      await custody.fingerprint(new Secret('valuf')),
      await other.fingerprint(new Secret('value')),
    ];
    expect(new Set(prints).size).toBe(3);
  });

  test('another key file is refused at opening, by both key ids', async () => {
    await importOne();
    await expect(openCustody({ store, keys: newKeys('k-b') })).rejects.toMatchObject({
      code: 'KT-KEY-FILE',
      message: expect.stringContaining('sealed with key id k-a, this key file has k-b'),
    });
  });

  test('a record of another installation is foreign', async () => {
    await importOne();
    const otherStore = await openFileStore({ path: await temporaryFolder() });
    const other = await openCustody({ store: otherStore, keys });
    await other.create('mine', {
      ...imported(await other.installationId()),
      record: { ...record(await other.installationId()), credentialId: 'mine' },
    });
    const foreign = await store.read(`credential/${ID}`);
    await otherStore.write(`credential/${ID}`, foreign?.bytes ?? new Uint8Array(), null);
    await expect(other.read(ID)).rejects.toMatchObject({ code: 'KT-STORE-FOREIGN' });
    await expect(other.update(ID, raisedEpoch)).rejects.toMatchObject({ code: 'KT-STORE-FOREIGN' });
  });

  test('a store that is put in place under a running process is noticed; one that was emptied is not taken for a new one', async () => {
    await importOne();
    const right = await custody.installationId();
    await rename(path, `${path}-away`);
    onTestFinished(() => rm(`${path}-away`, { recursive: true, force: true }));
    const clock = { atMs: nowMs, now: () => clock.atMs };
    const early = await openCustody({ store: await openFileStore({ path }), keys, clock });
    const wrong = await early.installationId();
    expect(wrong).not.toBe(right);
    await rm(path, { recursive: true });
    await rename(`${path}-away`, path);
    clock.atMs += 5_000;
    expect(await early.installationId()).toBe(right);
    expect((await early.read(ID))?.record.seq).toBe(1);

    await rename(path, `${path}-away`);
    await openFileStore({ path });
    clock.atMs += 5_000;
    expect(await early.installationId()).toBe(right);
    expect(await early.read(ID)).toBeUndefined();
    expect(await filesUnder(path)).toEqual([]);
  });

  test('records without their installation are not given a new one', async () => {
    await importOne();
    await store.remove('installation');
    await expect(openCustody({ store, keys })).rejects.toMatchObject({ code: 'KT-STORE-CORRUPT' });
  });
});

describe('records', () => {
  test('are created once and read back with their values', async () => {
    await importOne();
    const opened = await custody.read(ID);
    expect(opened?.record).toEqual({ ...record(await custody.installationId()), seq: 1 });
    expect(revealed(opened, 1)).toEqual({ apiKey: 'api-1-canary/+"x', secretKey: 'secret-1-canary' });
    expect(await custody.list()).toEqual([ID]);
    await expect(importOne()).rejects.toMatchObject({ code: 'KT-ALREADY-IMPORTED' });
  });

  test('every part of a busy record comes back as it was', async () => {
    const { record: first } = await importOne();
    const busy = {
      ...first,
      operation: operationFacts(),
      intents: [intentFacts(1)],
      paused: { sinceMs: nowMs, by: null, reason: 'audit' },
      seen: ['abc.1.h'],
      acknowledged: [{ consumer: 'billing', version: 1 }],
    };
    const oneTimeKey = new Secret(randomBytes(32).toString('base64'));
    const intents = { '1': { oneTimeKey, body: null, actingVersion: 1 } };
    await custody.update(ID, (now) => ({ next: { record: busy, shelf: { ...now.shelf, intents } }, value: null }));
    const opened = await custody.read(ID);
    expect(opened?.record).toEqual({ ...busy, seq: 2 });
    expect(opened?.shelf.intents['1']?.oneTimeKey.reveal()).toBe(oneTimeKey.reveal());
  });

  test('a version that becomes a debt leaves its secret id behind, as long as the debt lives', async () => {
    await importOne();
    const pending = { ...versionFacts(2, 'pending'), keyId: 'hmac:of-the-id' };
    const made = await custody.update(ID, ({ record: r, shelf: s }) => ({
      next: {
        record: { ...r, highestVersion: 2, versions: [...r.versions, pending] },
        shelf: { ...s, versions: { ...s.versions, ...shelf(2).versions } },
      },
      value: null,
    }));
    const debt = newDebt('orphan', pending.keyId, pending.identity, nowMs);
    const dropped = { ...made.opened.record, versions: made.opened.record.versions.slice(0, 1), debts: [debt] };
    await custody.update(ID, ({ shelf: s }) => ({ next: { record: dropped, shelf: s }, value: null }));
    await custody.update(ID, (now) => ({ next: { ...now, record: { ...now.record, epoch: 1 } }, value: null }));
    const owed = await custody.read(ID);
    expect(owed?.shelf.debts?.['hmac:of-the-id']?.reveal()).toBe('key-2');
    expect(JSON.stringify(owed?.record)).not.toContain('key-2');
    await custody.update(ID, (now) => ({ next: { ...now, record: { ...now.record, debts: [] } }, value: null }));
    expect((await custody.read(ID))?.shelf).not.toHaveProperty('debts');
  });

  test('the sequence number grows by one with each write and is custody’s own', async () => {
    await importOne();
    const { opened, value } = await custody.update(ID, (now) => ({
      next: { ...now, record: { ...now.record, epoch: 7, seq: 99 } },
      value: 'done',
    }));
    expect([opened.record.seq, opened.record.epoch, value]).toEqual([2, 7, 'done']);
    expect((await custody.read(ID))?.record.seq).toBe(2);
  });

  test('an unchanged decision writes nothing', async () => {
    await importOne();
    const before = await store.read(`credential/${ID}`);
    expect(await custody.update(ID, () => ({ unchanged: 'same' }))).toMatchObject({
      value: 'same',
      opened: { record: { seq: 1 } },
    });
    expect((await store.read(`credential/${ID}`))?.etag).toBe(before?.etag);
  });

  test('racing updates are each decided from what the others wrote', async () => {
    await importOne();
    const several = await Promise.all(
      Array.from({ length: 4 }, async () => openCustody({ store: await openFileStore({ path }), keys })),
    );
    const outcomes = await Promise.all(
      several.map(async (one) => {
        const values: number[] = [];
        for (let i = 0; i < 5; i++) values.push((await one.update(ID, raisedEpoch)).value);
        return values;
      }),
    );
    expect(outcomes.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect((await custody.read(ID))?.record).toMatchObject({ epoch: 20, seq: 21 });
  });

  test('the values of versions and intents that are no longer listed are dropped with the write', async () => {
    const { record: first } = await importOne();
    const oneTimeKey = new Secret(randomBytes(32).toString('base64'));
    const intents = { '1': { oneTimeKey, body: new Secret('body'), actingVersion: 1 } };
    await custody.update(ID, () => ({
      next: {
        record: { ...first, versions: [versionFacts(1, 'previous'), versionFacts(2)], intents: [intentFacts(1)] },
        shelf: { versions: shelf(1, 2, 3).versions, intents },
      },
      value: null,
    }));
    expect(Object.keys((await custody.read(ID))?.shelf.versions ?? {})).toEqual(['1', '2']);
    const { opened } = await custody.update(ID, (now) => ({
      next: { ...now, record: { ...now.record, versions: [versionFacts(2)], intents: [] } },
      value: null,
    }));
    expect(opened.shelf).toMatchObject({ intents: {} });
    const read = await custody.read(ID);
    expect([Object.keys(read?.shelf.versions ?? {}), Object.keys(read?.shelf.intents ?? {})]).toEqual([['2'], []]);
    expect(revealed(read, 2)['apiKey']).toBe('api-2-canary/+"x');
  });

  test('a write that would lose the values of a living version is refused', async () => {
    await importOne();
    const lose = custody.update(ID, ({ record: r }) => ({ next: { record: r, shelf: shelf(2) }, value: null }));
    await expect(lose).rejects.toMatchObject({ code: 'KT-INTERNAL' });
    expect(revealed(await custody.read(ID), 1)['apiKey']).toBe('api-1-canary/+"x');
  });

  test('a write that could not be read back is refused before it is made', async () => {
    await importOne();
    const broken = custody.update(ID, (now) => ({
      next: { ...now, record: { ...now.record, epoch: -1 } },
      value: null,
    }));
    await expect(broken).rejects.toMatchObject({ code: 'KT-INTERNAL', message: expect.stringContaining('epoch') });
    expect((await custody.read(ID))?.record.seq).toBe(1);
  });

  test('a record cannot become another credential’s or installation’s', async () => {
    await importOne();
    for (const change of [{ credentialId: 'other' }, { installationId: 'other' }]) {
      const moved = custody.update(ID, (now) => ({
        next: { ...now, record: { ...now.record, ...change } },
        value: null,
      }));
      await expect(moved).rejects.toMatchObject({ code: 'KT-INTERNAL' });
    }
  });

  test('what the decision throws comes out as it is, and nothing is written', async () => {
    await importOne();
    const thrown = new Error('lost');
    const update = custody.update(ID, () => {
      throw thrown;
    });
    await expect(update).rejects.toBe(thrown);
  });

  test('ids that could reach elsewhere are refused', async () => {
    for (const id of ['', '../x', 'a/b', 'A', `a${'b'.repeat(63)}`]) {
      await expect(custody.read(id)).rejects.toMatchObject({ code: 'KT-INPUT' });
    }
    await expect(custody.update(ID, raisedEpoch)).rejects.toMatchObject({ code: 'KT-NOT-IMPORTED' });
  });

  test('at all bounds of the domain the sealed record stays under 64 KiB and keeps everything', async () => {
    const { record: first } = await importOne();
    const random = (bytes: number): string => randomBytes(bytes).toString('hex');
    const rotation = (i: number): RotationFacts => ({
      operationId: `op-${random(16)}`,
      requestId: `mambu-id/${random(18)}`,
      reason: 'routine',
      source: 'webhook',
      outcome: 'failed',
      version: i,
      startedAtMs: nowMs + i * 7_919,
      endedAtMs: nowMs + i * 7_927,
      steps:
        i < bounds.historySteps
          ? (['plan', 'rotate', 'persist', 'equip', 'verify', 'publish'] as const).map((step) => ({
              step,
              startedAtMs: nowMs + i,
              endedAtMs: nowMs + i * 3,
              attempts: 1,
            }))
          : [],
      error: { code: 'KT-PROVIDER-UNREACHABLE', message: `Mambu did not answer within 15 s: ${random(8)}` },
    });
    const full = {
      ...first,
      versions: [1, 2, 3, 4, 5].map((v) => versionFacts(v, v === 5 ? 'current' : 'previous')),
      operation: operationFacts(),
      intents: [1, 2, 3].map((n) => ({ ...intentFacts(n), inventory: Array.from({ length: 20 }, () => random(16)) })),
      seen: Array.from(
        { length: bounds.seenRequests },
        (_, i) => `${random(7).slice(0, 13)}.${1_795_000_000 + i * 61}.d`,
      ),
      history: Array.from({ length: bounds.history }, (_, i) => rotation(i)),
      destroyed: Array.from({ length: bounds.history }, (_, i) => ({
        version: i,
        keyId: random(16),
        fingerprint: `hmac:${random(16)}`,
        destroyedAtMs: nowMs + i * 997,
        proof: 'listed' as const,
      })),
    };
    await custody.update(ID, () => ({ next: { record: full, shelf: shelf(1, 2, 3, 4, 5) }, value: null }));
    expect((await custody.read(ID))?.record).toEqual({ ...full, seq: 2 });
    expect((await store.read(`credential/${ID}`))?.bytes.length).toBeLessThan(bounds.recordBytes);
  });

  test('beyond the bound the oldest rotations go first, so that a new key can always be stored', async () => {
    const { record: first } = await importOne();
    const rotations = Array.from({ length: 50 }, (_, i): RotationFacts => ({
      ...{ operationId: `op-${i}`, requestId: 'r', reason: 'routine', source: 'operator', outcome: 'failed' },
      ...{ version: null, startedAtMs: 1, endedAtMs: 1, steps: [] },
      error: { code: 'KT-INTERNAL', message: randomBytes(1_000).toString('base64') },
    }));
    const { opened } = await custody.update(ID, () => ({
      next: {
        record: { ...first, versions: [versionFacts(1), versionFacts(2, 'pending')], history: rotations },
        shelf: shelf(1, 2),
      },
      value: null,
    }));
    expect(opened.record.history.length).toBeLessThan(50);
    expect(opened.record.history[0]?.operationId).toBe('op-0');
    expect((await custody.read(ID))?.record).toEqual(opened.record);
    expect((await store.read(`credential/${ID}`))?.bytes.length).toBeLessThan(bounds.recordBytes);
  });
});

describe('writes with an unknown outcome', () => {
  /** A store that says `unavailable` to the next write, after it was (or was not) made. */
  function lossy(made: 'made' | 'not-made' | 'made-then-overtaken', readable = true): Store {
    let armed = true;
    let blind = false;
    return {
      ...bound(store),
      read: (name) => (blind ? Promise.reject(new StoreFailure('unavailable', 'gone')) : store.read(name)),
      write: async (name, bytes, expected) => {
        if (!armed) return store.write(name, bytes, expected);
        armed = false;
        if (made !== 'not-made') await store.write(name, bytes, expected);
        if (made === 'made-then-overtaken') await custody.update(ID, raisedEpoch);
        blind = !readable;
        throw new StoreFailure('unavailable', 'the connection was lost');
      },
    };
  }

  function bound(s: Store): Store {
    return {
      kind: s.kind,
      read: (name) => s.read(name),
      write: (name, bytes, expected) => s.write(name, bytes, expected),
      list: (prefix) => s.list(prefix),
      remove: (name) => s.remove(name),
      check: () => s.check(),
      close: () => s.close(),
    };
  }

  test('one that was made counts as made, once', async () => {
    await importOne();
    const unsure = await openCustody({ store: lossy('made'), keys });
    expect((await unsure.update(ID, raisedEpoch)).value).toBe(1);
    expect((await custody.read(ID))?.record).toMatchObject({ epoch: 1, seq: 2 });
  });

  test('one that was overtaken is decided anew from what is there', async () => {
    await importOne();
    const unsure = await openCustody({ store: lossy('made-then-overtaken'), keys });
    const decide = vi.fn(raisedEpoch);
    expect((await unsure.update(ID, decide)).value).toBe(3);
    expect(decide).toHaveBeenCalledTimes(2);
  });

  test('one that has not arrived stays unknown and is reported', async () => {
    await importOne();
    const unsure = await openCustody({ store: lossy('not-made'), keys });
    await expect(unsure.update(ID, raisedEpoch)).rejects.toMatchObject({ code: 'KT-STORE-UNAVAILABLE' });
    expect((await custody.read(ID))?.record.seq).toBe(1);
  });

  test('one that cannot be read back is reported', async () => {
    await importOne();
    const unsure = await openCustody({ store: lossy('made', false), keys });
    await expect(unsure.update(ID, raisedEpoch)).rejects.toMatchObject({ code: 'KT-STORE-UNAVAILABLE' });
  });

  test('an import whose answer was lost is not refused as a second one', async () => {
    const installationId = await custody.installationId();
    const unsure = await openCustody({ store: lossy('made'), keys });
    expect((await unsure.create(ID, imported(installationId))).record.seq).toBe(1);
  });

  test('a store that always loses the race ends as a conflict after sixteen decisions', async () => {
    await importOne();
    const losing = { ...bound(store), write: () => Promise.reject(new StoreFailure('conflict', 'lost')) };
    const decide = vi.fn(raisedEpoch);
    await expect((await openCustody({ store: losing, keys })).update(ID, decide)).rejects.toMatchObject({
      code: 'KT-CONFLICT',
    });
    expect(decide).toHaveBeenCalledTimes(16);
  });
});

describe('late answers', () => {
  test('come in the order of their intents, and each intent’s as they were received', async () => {
    await importOne();
    for (const intent of [10, 2]) {
      await custody.keepLate(ID, { ...lateAnswer(intent, 'second'), receivedAtMs: nowMs + 9 });
      await custody.keepLate(ID, { ...lateAnswer(intent, 'first'), receivedAtMs: nowMs });
    }
    const kept = await custody.readLate(ID, 'op-1');
    expect(kept.map((a) => [a.intent, a.fields['apiKey']?.reveal()])).toEqual([
      [2, 'first'],
      [2, 'second'],
      [10, 'first'],
      [10, 'second'],
    ]);
  });

  test('are kept beside the record, each different one once, and dropped with their operation', async () => {
    await importOne();
    await custody.keepLate(ID, lateAnswer(2));
    await custody.keepLate(ID, lateAnswer(1));
    await custody.keepLate(ID, { ...lateAnswer(1), receivedAtMs: nowMs + 5 });
    await custody.keepLate(ID, { ...lateAnswer(1, 'another'), receivedAtMs: nowMs + 9 });
    await custody.keepLate(ID, { ...lateAnswer(1), operationId: 'op-2' });
    const kept = await custody.readLate(ID, 'op-1');
    expect(kept.map((a) => [a.intent, a.fields['apiKey']?.reveal()])).toEqual([
      [1, 'late-canary'],
      [1, 'another'],
      [2, 'late-canary'],
    ]);
    expect(kept[2]).toEqual(lateAnswer(2));
    await custody.dropLate(ID, 'op-1');
    await custody.dropLate(ID, 'op-1');
    expect(await custody.readLate(ID, 'op-1')).toEqual([]);
    expect(await custody.readLate(ID, 'op-2')).toHaveLength(1);
    expect((await custody.read(ID))?.record.seq).toBe(1);
    await custody.keepLate(ID, lateAnswer(1));
    expect(await custody.readLate(ID, 'op-1')).toHaveLength(1);
  });

  test('an answer sealed in memory opens only with its own key, for its own credential, untouched', () => {
    const [key, other] = [1, 2].map(() => new Secret(randomBytes(32).toString('base64'))) as [Secret, Secret];
    const sealed = custody.sealAnswer(ID, key, lateAnswer(1));
    expect(sealed).not.toContain('late-canary');
    const opened = custody.openAnswer(ID, key, sealed);
    expect(opened).toEqual(lateAnswer(1));
    expect(opened.fields['apiKey']?.reveal()).toBe('late-canary');
    const corrupt = expect.objectContaining({ code: 'KT-STORE-CORRUPT' });
    expect(() => custody.openAnswer(ID, other, sealed)).toThrow(corrupt);
    expect(() => custody.openAnswer('other', key, sealed)).toThrow(corrupt);
    expect(() => custody.openAnswer(ID, new Secret('short'), sealed)).toThrow(corrupt);
    for (let at = 0; at < sealed.length; at++) {
      const tampered = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      expect(() => custody.openAnswer(ID, key, tampered)).toThrow(corrupt);
    }
  });
});

describe('no plaintext', () => {
  const canaries = ['api-1-canary', 'secret-1-canary', 'late-canary', 'body-canary'];
  const forms = canaries.flatMap((c) => [
    c,
    Buffer.from(c).toString('base64').slice(0, -4),
    Buffer.from(c).toString('hex'),
  ]);

  function found(text: string): readonly string[] {
    return forms.filter((form) => text.includes(form));
  }

  async function writeEverything(): Promise<Opened> {
    await importOne();
    await custody.keepLate(ID, lateAnswer(1));
    const oneTimeKey = new Secret(randomBytes(32).toString('base64'));
    const intents = { '1': { oneTimeKey, body: new Secret('body-canary'), actingVersion: 1 } };
    const { opened } = await custody.update(ID, (now) => ({
      next: { record: { ...now.record, intents: [intentFacts(1)] }, shelf: { ...now.shelf, intents } },
      value: null,
    }));
    return opened;
  }

  test('stands in any file of the store, nor in a file name', async () => {
    await writeEverything();
    expect(found((await bytesUnder(path)).toString('latin1'))).toEqual([]);
    expect(found((await readdir(path, { recursive: true })).join('\n'))).toEqual([]);
  });

  test('shows in print or JSON of anything that custody hands out', async () => {
    const opened = await writeEverything();
    const all = {
      custody,
      keys,
      store,
      opened,
      read: await custody.read(ID),
      late: await custody.readLate(ID, 'op-1'),
    };
    expect(found(inspect(all, { depth: 20, showHidden: true }))).toEqual([]);
    expect(found(JSON.stringify(all))).toEqual([]);
  });

  test('shows in an error', async () => {
    await writeEverything();
    const sealed = await store.read(`credential/${ID}`);
    const wrong = sealed?.bytes.map((byte, i) => (i === 400 ? byte ^ 1 : byte)) ?? new Uint8Array();
    await store.write(`credential/${ID}`, wrong, sealed?.etag ?? null);
    const errors: unknown[] = [];
    for (const attempt of [
      () => custody.read(ID),
      () => importOne(),
      () => custody.update(ID, raisedEpoch),
      () => openCustody({ store, keys: newKeys('k-b') }),
      async () => custody.openAnswer(ID, new Secret('api-1-canary'), 'late-canary'),
      () => custody.create('new', { record: { ...record('x'), credentialId: 'new' }, shelf: shelf(1) }),
    ]) {
      errors.push(await attempt().catch((error: unknown) => error));
    }
    expect(errors.every((error) => error instanceof Error)).toBe(true);
    expect(found(inspect(errors, { depth: 20, showHidden: true }))).toEqual([]);
  });

  test('every value that passes through is known to the scrubber', async () => {
    const first = imported(await custody.installationId());
    const withSecretId = {
      record: first.record,
      shelf: {
        ...first.shelf,
        versions: { '1': { keyId: 'consumer-key-canary', fields: first.shelf.versions['1']?.fields ?? {} } },
      },
    };
    await custody.create(ID, withSecretId);
    const scrubber = createScrubber();
    const watched = await openCustody({ store, keys, scrubber });
    await watched.read(ID);
    await watched.fingerprint(new Secret('manager-password'));
    const line = 'api-1-canary/+"x secret-1-canary consumer-key-canary manager-password key-1';
    expect(scrubber.scrub(line)).toBe('[secret] [secret] [secret] [secret] key-1');
  });
});

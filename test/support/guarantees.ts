/** What must hold once a rotation has come to rest after a crash: the invariants, and that nothing was done twice. */
import { expect } from 'vitest';
import { sha256, type Installation } from './installation.js';
import { expectInvariants } from './invariants.js';

/** `version` is the one current key and works; no gap, no orphan, no strike; no write was sent blindly, and nothing is left open. */
export async function expectAllWell(i: Installation, version: number): Promise<void> {
  await expectInvariants(i);
  const opened = await i.vault.custody.read(i.credentialId);
  const current = opened?.record.versions.filter((v) => v.stage === 'current') ?? [];
  expect(current.map((v) => v.version)).toEqual([version]);
  expect(current[0]?.verifiedAtMs).not.toBeNull();
  expect(opened?.record).toMatchObject({ operation: null, intents: [], highestVersion: version });
  const oracle = i.simulator.oracle();
  const value = opened?.shelf.versions[String(version)]?.fields['apiKey']?.reveal() ?? '';
  expect(oracle.acceptedAt(sha256(value), oracle.now), 'the current key works').toBe(true);
  expectNoBlindWrite(i);
}

/** No two effects under one idempotency key or without one, and one rotation in place at most for each that was asked for. */
function expectNoBlindWrite(i: Installation): void {
  const committed = i.simulator.oracle().requests.filter((r) => r.method === 'POST' && r.committed);
  const keyed = committed.map((r) => r.idempotencyKey).filter((key) => key !== null);
  expect(new Set(keyed).size, 'effects for each idempotency key').toBe(keyed.length);
  const bare = committed.filter((r) => r.route !== '/apikey/rotation' && r.idempotencyKey === null);
  expect(bare, 'creations without idempotency key').toEqual([]);
}

/** Keys and secret keys that came into being at the provider, in order. */
export function madeIn(i: Installation): readonly string[] {
  const made = i.simulator.oracle().writes.map((w) => w.kind);
  return made.filter((kind) => kind !== 'delete-key');
}

import { describe, expect, test } from 'vitest';
import { bounds, type CredentialRecord } from '../../../src/domain/record.js';
import { remember } from '../../../src/domain/seen.js';
import { storedOutcome } from '../../../src/domain/storedOutcome.js';
import { closeOperation } from '../../../src/domain/transitions.js';
import { hour, recordOf, rotationFacts, t0, versionFacts } from './facts.js';

const ended = (record: CredentialRecord, n: number, more: Parameters<typeof rotationFacts>[1] = {}): CredentialRecord =>
  closeOperation(record, rotationFacts(`operation-${n}`, { requestId: `r-${n}`, version: n, ...more }), t0 + n);

describe('the outcome of an earlier request', () => {
  test('is that of its rotation, with the error of one that ended badly', () => {
    const error = { code: 'KT-FORBIDDEN', message: 'not permitted' };
    const record = ended(ended(recordOf(), 2, { outcome: 'failed', version: 1, error }), 3);
    expect(storedOutcome(record, 'r-2', t0 + hour)).toMatchObject({
      outcome: 'failed',
      version: 1,
      error,
      servedBy: null,
    });
    expect(storedOutcome(record, 'r-3', t0 + hour)).toMatchObject({ outcome: 'rotated', version: 3, error: null });
    expect(storedOutcome(record, 'r-4', t0 + hour)).toBeNull();
  });

  test('names the key that was current then, and when it was published', () => {
    const dead = { version: 2, keyId: 'key-2', fingerprint: 'hmac:2', destroyedAtMs: t0, proof: 'listed' } as const;
    const publishedAtMs = t0 - hour;
    const versions = [versionFacts(3, { publishedAtMs }), versionFacts(4, { stage: 'pending', publishedAtMs: null })];
    const failed = rotationFacts('operation-5', { requestId: 'r-5', version: 3, outcome: 'failed', endedAtMs: t0 + 5 });
    const record = closeOperation(ended(ended(recordOf({ versions, destroyed: [dead] }), 2), 3), failed, t0 + 5);
    const told = (requestId: string) => storedOutcome(record, requestId, t0);
    expect(told('r-3'), 'living').toMatchObject({ keyId: 'key-3', publishedAtMs });
    expect(told('r-5'), 'failed, and left it current').toMatchObject({ keyId: 'key-3', publishedAtMs });
    expect(told('r-2'), 'its rotation tells').toMatchObject({ keyId: 'key-2', publishedAtMs: t0 });
  });

  test('does not know when an imported key was published that is gone', () => {
    const failed = ended(recordOf({ versions: [] }), 2, { outcome: 'failed', version: 1 });
    expect(storedOutcome(failed, 'r-2', t0)).toMatchObject({ version: 1, keyId: null, publishedAtMs: null });
  });

  test('is the last one, where keyturn has tried again by itself', () => {
    const failed = ended(recordOf(), 2, { outcome: 'failed', requestId: 'r' });
    const record = ended(failed, 3, { requestId: 'r' });
    expect(storedOutcome(record, 'r', t0 + hour)).toMatchObject({ outcome: 'rotated', version: 3 });
  });

  test('of one that joined is that of the rotation it joined, which is named', () => {
    const record = ended(recordOf(), 2);
    const joined = { ...record, seen: remember(record.seen, 'late', t0, 'operation-2') };
    expect(storedOutcome(joined, 'late', t0 + hour)).toMatchObject({ outcome: 'rotated', version: 2, servedBy: 'r-2' });
    expect(storedOutcome(record, 'late', t0 + hour)).toBeNull();
  });

  test('is forgotten with the rotation, and of a constant webhook body after 6 h', () => {
    let record = ended(ended(recordOf(), 2), 3, { requestId: 'mambu/constant', endedAtMs: t0 });
    expect(storedOutcome(record, 'mambu/constant', t0 + 6 * hour - 1)).not.toBeNull();
    expect(storedOutcome(record, 'mambu/constant', t0 + 6 * hour)).toBeNull();
    for (let n = 4; n < 4 + bounds.history - 2; n++) record = ended(record, n);
    expect(storedOutcome(record, 'r-2', t0 + hour)).not.toBeNull();
    expect(storedOutcome(ended(record, 99), 'r-2', t0 + hour)).toBeNull();
  });
});

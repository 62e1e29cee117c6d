import { describe, expect, test } from 'vitest';
import { bounds, currentOf, type CredentialRecord } from '../../../src/domain/record.js';
import { remember } from '../../../src/domain/seen.js';
import { intend, nextIntentN, settle } from '../../../src/domain/intents.js';
import { acknowledged, begin, destroy, publish, stage } from '../../../src/domain/transitions.js';
import {
  after,
  freshKey,
  hour,
  intentFacts,
  operationOf,
  policy,
  recordOf,
  request,
  rotationFacts,
  t0,
} from './facts.js';

const stepNames = ['plan', 'rotate', 'persist', 'equip', 'verify', 'publish'] as const;
const id32 = (n: number): string => n.toString(16).padStart(32, '8a81');
const uuid = (n: number): string => `0b5f0a62-6f5e-4f0b-9a3e-${String(n).padStart(12, '0')}`;

/** One rotation with everything that comes with it: outage before the write, acknowledgement, death of the old key. */
function rotated(record: CredentialRecord, i: number): CredentialRecord {
  const nowMs = t0 + i * hour;
  const operationId = uuid(i);
  const requestId = `mambu/${i.toString(16).padStart(64, '0')}`;
  const consumers = [{ name: 'billing', ackWithinMs: hour }];
  const operation = operationOf(record, {
    operationId,
    request: request({ requestId, source: 'webhook' }),
    policy: { ...policy, consumers },
  });
  let r = after(begin(record, operation));
  for (let attempt = 0; attempt < 20; attempt++) {
    const intent = intentFacts(nextIntentN(r), { operationId, epoch: r.epoch, idempotencyKey: uuid(attempt) });
    r = after(intend(r, intent));
    if (attempt < 19) r = after(settle(r, intent, 'not-sent'));
  }
  const fingerprint = `hmac:${id32(i)}`;
  r = after(stage(r, operationId, nextIntentN(r) - 1, { ...freshKey(i), keyId: id32(i), fingerprint }));
  const steps = stepNames.map((step) => ({ step, startedAtMs: nowMs, endedAtMs: nowMs + 500, attempts: 1 }));
  const rotation = rotationFacts(operationId, { requestId, source: 'webhook', steps, endedAtMs: nowMs });
  const old = currentOf(r)?.version ?? 0;
  r = after(publish(r, operationId, { nowMs, verified: true, force: false, rotation }));
  r = acknowledged(r, 'billing', r.highestVersion, nowMs);
  return i % 5 === 0 ? r : destroy(r, old, 'listed', nowMs);
}

describe('after years of hourly rotations the record', () => {
  let record = recordOf();
  for (let i = 1; i <= 400; i++) {
    record = rotated(record, i);
    if (i % 25 === 0) for (const v of record.versions) record = destroy(record, v.version, 'elapsed', t0 + i * hour);
  }
  for (let i = 0; i < bounds.seenRequests; i++)
    record = { ...record, seen: remember(record.seen, `schedule/${i}`, t0 + 400 * hour, uuid(400)) };

  test('keeps what is bounded within its bounds', () => {
    expect(record.highestVersion).toBe(401);
    expect(record.history).toHaveLength(bounds.history);
    expect(record.destroyed).toHaveLength(bounds.history);
    expect(record.seen).toHaveLength(bounds.seenRequests);
    expect(record.history.filter((h) => h.steps.length > 0)).toHaveLength(bounds.historySteps);
    expect(record.acknowledged).toHaveLength(1);
    expect(record.intents).toEqual([]);
  });

  test('is less than 64 KiB of JSON', () => {
    expect(JSON.stringify(record).length).toBeLessThan(bounds.recordBytes);
  });
});

/** Consumers that confirm a version: what that does to the life of the old one. Times are compared, not raced. */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { acceptedIds, eventually, rotated } from '../support/around.js';
import { installation } from '../support/installation.js';
import type { CredentialState } from '../../src/contract.js';

const problems: unknown[] = [];
Runtime.install({
  logger: new DefaultLogger('WARN', ({ message, meta }) => {
    if (message === 'an acknowledgement was ignored') problems.push(meta?.['problem']);
  }),
});

const ms = (at: string | null | undefined): number => Date.parse(at ?? '');
const oldest = (s: CredentialState) => s.previous.at(-1);
const named = (ackWithin: string) => [
  { name: 'billing', ackWithin },
  { name: 'ledger', ackWithin },
];

it('the last missing acknowledgement lowers revokeAt to publish + refreshWithin + grace and no further', async () => {
  const i = await installation({ policy: { refreshWithin: '3s', grace: '500ms', consumers: named('1h') } });
  await i.worker();
  const before = await rotated(i, 2);
  const publishedMs = ms(before.current?.publishedAt);
  expect(oldest(before)).toMatchObject({
    version: 1,
    retirement: 'in-grace',
    waitingFor: ['ack:billing', 'ack:ledger'],
  });
  expect(ms(oldest(before)?.revokeAt)).toBe(publishedMs + 3_600_000 + 500);

  await i.client.acknowledge(i.credentialId, 'billing', 2);
  const one = await i.until('billing is done', (s) => oldest(s)?.waitingFor.length === 1);
  expect(oldest(one)).toMatchObject({ waitingFor: ['ack:ledger'], revokeAt: oldest(before)?.revokeAt });

  await i.client.acknowledge(i.credentialId, 'ledger', 2);
  const both = await i.until('ledger is done', (s) => oldest(s)?.waitingFor.length === 0);
  expect(ms(oldest(both)?.revokeAt)).toBe(publishedMs + 3_500);
  await i.until('version 1 is gone', (s) => s.previous.length === 0);
  const old = i.simulator.oracle().keys.find((k) => k.by === 'seed');
  expect(old?.deletedAt).toBeGreaterThanOrEqual(publishedMs + 3_500);
  expect(acceptedIds(i)).toEqual([both.current?.keyId]);
});

it('a late acknowledgement lets the old version live for its grace from then on', async () => {
  const i = await installation({ policy: { refreshWithin: '0s', grace: '1h', consumers: named('2h').slice(0, 1) } });
  await i.worker();
  const before = await rotated(i, 2);
  await eventually('some time has passed', () => Date.now() > ms(before.current?.publishedAt) + 1_000);
  const sentMs = Date.now();
  await i.client.acknowledge(i.credentialId, 'billing', 2);
  const done = await i.until('billing is done', (s) => oldest(s)?.waitingFor.length === 0);
  expect(ms(oldest(done)?.revokeAt)).toBeGreaterThanOrEqual(sentMs + 3_600_000);
  expect(ms(oldest(done)?.revokeAt)).toBeLessThanOrEqual(Date.now() + 3_600_000);
});

it('a missing acknowledgement is waited for until ackBy and no longer', async () => {
  const policy = { refreshWithin: '500ms', grace: '500ms', consumers: named('3s') };
  const i = await installation({ policy });
  await i.worker();
  const before = await rotated(i, 2);
  const revokeAtMs = ms(before.current?.publishedAt) + 3_500;
  expect(ms(oldest(before)?.revokeAt)).toBe(revokeAtMs);
  await i.client.acknowledge(i.credentialId, 'billing', 2);
  await i.until('version 1 is gone', (s) => s.previous.length === 0);
  expect(i.simulator.oracle().keys.find((k) => k.by === 'seed')?.deletedAt).toBeGreaterThanOrEqual(revokeAtMs);
});

it('an unknown consumer, an unpublished version and nonsense are ignored with a warning', async () => {
  const i = await installation({ policy: { consumers: named('1h') } });
  await i.worker();
  const before = await rotated(i, 2);
  const since = problems.length;
  await i.client.acknowledge(i.credentialId, 'nobody', 2);
  await i.client.acknowledge(i.credentialId, 'billing', 3);
  await i.client.acknowledge(i.credentialId, 'billing', Number.NaN);
  await i.client.acknowledge(i.credentialId, 'billing', 1);
  await i.client.handle(i.credentialId).signal('acknowledgeVersion');
  await eventually('four warnings', () => problems.length >= since + 4);
  expect(problems.slice(since)).toEqual([
    'no such consumer',
    'no such published version',
    'consumer and version are needed',
    'consumer and version are needed',
  ]);
  const after = await i.state();
  expect(after.previous).toEqual(before.previous);
  expect(after.current).toEqual(before.current);
});

it('an acknowledgement of a version that is not published yet does not count for it', async () => {
  const i = await installation({ policy: { activationLag: '2s', consumers: named('1h').slice(0, 1) } });
  await i.worker();
  const since = problems.length;
  await i.request('r-1');
  await i.until('the new key is made', (s) => s.rotation?.step === 'persist');
  await i.client.acknowledge(i.credentialId, 'billing', 2);
  const published = await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
  expect(problems.slice(since)).toEqual(['no such published version']);
  expect(oldest(published)?.waitingFor).toEqual(['ack:billing']);
  await i.client.acknowledge(i.credentialId, 'billing', 2);
  await i.until('now it counts', (s) => oldest(s)?.waitingFor.length === 0);
});

it('an acknowledgement covers older versions, and not the next one', async () => {
  const i = await installation({ policy: { consumers: named('1h').slice(0, 1) } });
  await i.worker();
  await rotated(i, 2);
  await rotated(i, 3);
  await i.client.acknowledge(i.credentialId, 'billing', 3);
  await i.until('versions 1 and 2 wait for nobody', (s) => s.previous.every((p) => p.waitingFor.length === 0));
  const next = await rotated(i, 4);
  expect(next.previous[0]).toMatchObject({ version: 3, waitingFor: ['ack:billing'] });
});

it('acknowledgements survive the termination of the entity, also one that arrives before the new run knows anything', async () => {
  const i = await installation({ policy: { consumers: named('1h') } });
  const worker = await i.worker();
  await rotated(i, 2);
  await i.client.acknowledge(i.credentialId, 'billing', 2);
  await eventually('the record has it', async () => {
    const facts = (await i.vault.custody.read(i.credentialId))?.record;
    return facts?.acknowledged.some((a) => a.consumer === 'billing' && a.version === 2);
  });
  await worker.stop();
  await i.client.handle(i.credentialId).terminate('test');
  await i.client.ensureStarted(i.credentialId);
  await i.client.acknowledge(i.credentialId, 'ledger', 2);
  await i.worker();
  await i.until('version 1 waits for nobody and dies', (s) => s.current?.version === 2 && s.previous.length === 0);
});

/** Mambu's end-of-day webhook, from the sender of the simulated tenant to the new key. */
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { edit, eventually, keysMade, serve, serving } from '../support/around.js';
import { importSeeded, installation } from '../support/installation.js';
import { ownServer } from '../support/temporal.js';
import type { TemporalServer } from '../../src/dev/temporal-server.js';
import type { DeliveryReport } from '../../src/simulators/mambu/webhook-sender.js';

interface Answer {
  ok: boolean;
  data: { credentialId: string; requestId: string; workflowId: string; requests: { credentialId: string }[] };
}
const answerOf = (report: DeliveryReport | undefined) => JSON.parse(report?.answer ?? 'null') as Answer;

it('one delivery gives one new key, however often Mambu delivers it', async () => {
  const i = await installation({ top: serving });
  const server = await serve(i);
  await i.worker();
  const reports = await server.deliver({ duplicates: 3 });
  expect(reports.map((r) => r.status)).toEqual([202, 202, 202, 202]);
  const [first, ...again] = reports.map((r) => answerOf(r).data);
  expect(first).toMatchObject({ credentialId: i.credentialId, workflowId: `credential/${i.credentialId}` });
  expect(first?.requestId).toBe(`mambu-id/${reports[0]?.idempotencyKey}`);
  for (const other of again) expect(other).toEqual(first);
  const rotated = await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
  expect(rotated.lastRotation).toMatchObject({ source: 'webhook', outcome: 'rotated', requestId: first?.requestId });
  await server.deliver({ duplicates: 0, body: 'again', idempotencyHeader: false });
  await i.until('the next delivery gives version 3, no other came between', (s) => s.current?.version === 3);
  expect(keysMade(i)).toBe(2);
});

it('a constant body without an idempotency header is one delivery, by whichever name of the consumer', async () => {
  const i = await installation({ top: serving, mambu: { consumerIdAliases: ['the-alias'] } });
  const server = await serve(i);
  await i.worker();
  const constant = { idempotencyHeader: false, body: '{"event":"EOD"}' };
  const [first] = await server.deliver(constant);
  await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
  const [second] = await server.deliver({ ...constant, consumerId: 'the-alias' });
  expect(answerOf(first).data.requestId).toMatch(/^mambu\/[0-9a-f]{64}$/);
  expect(answerOf(second).data.requestId).toBe(answerOf(first).data.requestId);
  await i.request('marker');
  await i.until('the marker gives version 3', (s) => s.lastRotation?.requestId === 'marker');
  expect(keysMade(i)).toBe(2);
});

it('a resend by hand has a new id, and minInterval is what bounds it', async () => {
  const i = await installation({ top: serving, policy: { minInterval: '1h' } });
  const server = await serve(i);
  await i.worker();
  const [first] = await server.deliver();
  const rotated = await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
  const [resent] = await server.deliver({ body: 'the stored payload of last week' });
  expect(resent?.status).toBe(202);
  expect(answerOf(resent).data.requestId).not.toBe(answerOf(first).data.requestId);
  await i.request('marker');
  const next = await i.until('the marker gives version 3', (s) => s.lastRotation?.requestId === 'marker');
  expect(next.current?.version).toBe(3);
  expect(rotated.current?.version).toBe(2);
  expect(keysMade(i)).toBe(2);
});

it('a consumer that two credentials share rotates both', async () => {
  const i = await installation({ top: serving });
  const other = `${i.credentialId}-b`;
  await edit(i, (file, own) => {
    Object.assign(file['credentials'] ?? {}, { [other]: own });
  });
  const { keyId, apiKey } = i.simulator.createKey('rotator');
  const secretKey = i.simulator.seeded[0]?.secretKey ?? '';
  await importSeeded(i.vault, await i.config(), other, { keyId, apiKey, secretKey });
  const server = await serve(i);
  await i.worker();
  const [report] = await server.deliver();
  expect(answerOf(report).data.requests.map((r) => r.credentialId)).toEqual([i.credentialId, other]);
  await i.until('the first is at version 2', (s) => s.current?.version === 2);
  await eventually('the second is at version 2', async () => (await i.client.state(other)).current?.version === 2);
  await i.client.handle(other).terminate('end of test');
});

it('an unknown consumer, a wrong secret and a missing consumer start no workflow', async () => {
  const i = await installation({ top: serving });
  const server = await serve(i);
  const once = { attempts: 1 } as const;
  expect((await server.deliver({ ...once, consumerId: 'somebody' }))[0]?.status).toBe(404);
  expect((await server.deliver({ ...once, headers: { 'x-keyturn-secret': 'guess' } }))[0]?.status).toBe(401);
  expect((await server.deliver({ ...once, consumerId: null }))[0]?.status).toBe(400);
  await server.deliver();
  const listed = await eventually('the entity shows in the list', async () => {
    const ids: string[] = [];
    const query = `TaskQueue = '${i.taskQueue}'`;
    for await (const { workflowId } of i.client.temporal.workflow.list({ query })) ids.push(workflowId);
    return ids.length > 0 && ids;
  });
  expect(listed).toEqual([`credential/${i.credentialId}`]);
  expect(await server.count('unknown-consumer')).toBe(1);
});

it('answers 503 while Temporal is down, and the retry of Mambu succeeds when it is back', async () => {
  const dbFilename = join((await installation()).directory, 'temporal.db');
  const before = await ownServer({ dbFilename });
  let after: TemporalServer | undefined;
  onTestFinished(() => after?.stop());
  const { address, namespace } = before;
  const i = await installation({ top: serving, temporal: { address, namespace } });
  const server = await serve(i);
  before.kill('SIGKILL');
  await before.ended;
  const delivering = server.deliver({ attempts: 8, backoffMs: 500 });
  await eventually('the first try was refused', async () => (await server.count('temporal-unreachable')) > 0);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  after = await ownServer({ dbFilename, port: Number(address.split(':')[1]), keep: true });
  const [report] = await delivering;
  expect(report).toMatchObject({ delivered: true, status: 202 });
  expect(report?.attempts[0]?.status).toBe(503);
  await i.worker();
  await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
  expect(keysMade(i)).toBe(1);
});

it('takes 300 deliveries, thirty at a time, and loses none', async () => {
  const i = await installation({ top: serving });
  const server = await serve(i);
  const durations: number[] = [];
  const ids = new Set<string>();
  const round = async (): Promise<void> => {
    for (const [report] of await Promise.all(Array.from({ length: 30 }, () => server.deliver({ attempts: 1 })))) {
      expect(report?.status).toBe(202);
      durations.push(report?.attempts[0]?.durationMs ?? Number.NaN);
      ids.add(answerOf(report).data.requestId);
    }
  };
  for (let n = 0; n < 10; n += 1) await round();
  durations.sort((a, b) => a - b);
  const at = (share: number): number | undefined => durations[Math.floor(share * durations.length)];
  process.stdout.write(`webhook answers: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`);
  expect(ids.size).toBe(300);
  const { events } = await i.client.handle(i.credentialId).fetchHistory();
  expect(events?.filter((e) => e.workflowExecutionSignaledEventAttributes).length).toBe(300);
});

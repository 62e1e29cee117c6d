/** A write whose answer is lost, or whose worker, is not sent again unless the document or an operator says so. */
import { expect, it } from 'vitest';
import {
  arazzoSetUp,
  callsOf,
  changedDocument,
  createRoute,
  guardedDocument,
  isAccepted,
  ownDocument,
  type ArazzoSetUp,
} from '../support/arazzo.js';
import { keyturn } from '../support/cli.js';
import { workerProcess } from '../support/worker-process.js';

const args = ['--workflow', 'rotate', '--wait'] as const;
const resolve = (s: ArazzoSetUp, id: string, step: string, decision: string) =>
  keyturn(s.i, 'arazzo', 'resolve', id, '--step', step, '--decision', decision, '--json');

async function lost(): Promise<{ s: ArazzoSetUp; id: string }> {
  const s = await arazzoSetUp();
  await s.i.worker();
  s.apigee.faults.add({ match: createRoute, action: 'drop-after-commit' });
  const ran = await s.run(ownDocument, s.ownInputs(), ...args);
  const id = s.idOf(ran);
  const template = '/organizations/{organization}/developers/{developer}/apps/{app}/keys';
  expect(ran).toMatchObject({
    exit: 3,
    json: {
      data: {
        outcome: 'needs-operator',
        unknown: { stepId: 'make', request: `POST ${s.apigee.managementUrl}${template}` },
      },
    },
  });
  expect(await s.state(id)).toMatchObject({
    status: 'needs-operator',
    unknown: { error: { code: 'KT-ARAZZO-UNKNOWN' } },
  });
  expect(callsOf(s)).toEqual(['GET', 'POST #2']);
  return { s, id };
}

it('waits for an operator; `skip` goes on with the next step', async () => {
  const { s, id } = await lost();
  const wrong = await resolve(s, id, 'grant', 'skip');
  expect(wrong).toMatchObject({
    exit: 5,
    json: { error: { code: 'KT-CONFLICT', message: expect.stringContaining('make') } },
  });
  expect((await resolve(s, id, 'make', 'skip')).exit).toBe(0);
  const { outcome, outputs, steps } = await s.result(id);
  expect(outcome).toBe('completed');
  expect(steps.map((step) => step.outcome)).toEqual(['succeeded', 'skipped', 'succeeded', 'succeeded']);
  expect(Object.keys(outputs)).toEqual(['state', 'removed']);
  expect(callsOf(s)).toEqual(['GET', 'POST #2', 'POST #2', 'DELETE #1']);
  expect((await resolve(s, id, 'make', 'skip')).exit).toBe(5);
});

it('`retry` sends it again, once: here the key is taken, and the old one lives on', async () => {
  const { s, id } = await lost();
  await resolve(s, id, 'make', 'retry');
  expect(await s.result(id)).toMatchObject({ outcome: 'failed', error: { message: expect.stringContaining('409') } });
  expect(callsOf(s)).toEqual(['GET', 'POST #2', 'POST']);
  expect(isAccepted(s, s.values.old)).toBe(true);
});

it('`abort` ends the run without another request', async () => {
  const { s, id } = await lost();
  await resolve(s, id, 'make', 'abort');
  expect(await s.result(id)).toMatchObject({ outcome: 'aborted', outputs: {} });
  expect(callsOf(s)).toEqual(['GET', 'POST #2']);
  expect(isAccepted(s, s.values.old)).toBe(true);
});

it('is repeated at once where the document’s own retry says so, and not when that is exhausted', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const match = { method: 'DELETE', route: `${createRoute.route}/{key}`, times: 2 } as const;
  s.apigee.faults.add({ match, action: 'fail-before', reset: true });
  const document = await changedDocument(s.i.directory, (text) =>
    text.replace('outputs: { removed:', 'onFailure: [{ name: again, type: retry }]\n        outputs: { removed:'),
  );
  const ran = await s.run(document, s.ownInputs(), ...args);
  expect(ran).toMatchObject({ exit: 3, json: { data: { unknown: { stepId: 'remove' } } } });
  expect(callsOf(s)).toEqual(['GET', 'POST #2', 'POST #2', 'DELETE #1', 'DELETE #1']);
  await resolve(s, s.idOf(ran), 'remove', 'retry');
  expect(await s.result(s.idOf(ran))).toMatchObject({ outcome: 'completed' });
});

it('a document that looks before it goes on ends well after `retry`', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  s.apigee.faults.add({ match: createRoute, action: 'drop-after-commit' });
  const ran = await s.run(guardedDocument, s.guardedInputs(), '--workflow', 'rotate-app-key', '--wait');
  expect(ran.exit).toBe(3);
  await resolve(s, s.idOf(ran), 'createKey', 'retry');
  expect(await s.result(s.idOf(ran))).toMatchObject({ outcome: 'completed' });
  expect(callsOf(s)).toEqual(['GET #1', 'POST #2', 'POST', 'GET #2', 'POST #2', 'GET #2', 'DELETE #1']);
  expect([s.values.key, s.values.old].map((key) => isAccepted(s, key))).toEqual([true, false]);
});

it('a connection that is refused is a failure of the step: nothing is unknown', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const ran = await s.run(ownDocument, s.ownInputs(), ...args, '--server', 'apigee=http://127.0.0.1:1/v1');
  expect(ran).toMatchObject({ exit: 1, json: { data: { outcome: 'failed', error: { code: 'KT-ARAZZO-STEP' } } } });
});

const steps = [
  { step: 'readApp', match: { method: 'GET', route: createRoute.route.replace('/keys', '') }, isWrite: false },
  { step: 'make', match: createRoute, isWrite: true },
  { step: 'grant', match: { method: 'POST', route: `${createRoute.route}/{key}` }, isWrite: true },
  { step: 'remove', match: { method: 'DELETE', route: `${createRoute.route}/{key}` }, isWrite: true },
] as const;
const whole = ['GET', 'POST #2', 'POST #2', 'DELETE #1'];

it.concurrent.for(steps)(
  'a worker killed in the middle of $step: a read is repeated, a write is asked about and never sent twice',
  { timeout: 90_000 },
  async ({ step, match, isWrite }, { onTestFinished }) => {
    const s = await arazzoSetUp({ onTestFinished });
    s.apigee.faults.add({ match, action: 'delay', ms: 2_000, when: 'after' });
    const worker = await workerProcess(s.i, { onTestFinished });
    const id = s.idOf(await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate'));
    const at = steps.findIndex((one) => one.step === step);
    await s.until(id, `${step} is on the wire`, () => s.apigee.oracle().requests[at] !== undefined);
    worker.kill('SIGKILL');
    await worker.ended;
    await s.i.worker();
    if (isWrite) {
      const asked = await s.until(id, 'it asks', ({ status }) => status === 'needs-operator');
      expect(asked.unknown?.stepId).toBe(step);
      expect(callsOf(s)).toHaveLength(at + 1);
      await resolve(s, id, step, 'skip');
    }
    expect(await s.result(id)).toMatchObject({ outcome: 'completed' });
    expect(callsOf(s)).toEqual(isWrite ? whole : ['GET', ...whole]);
    expect([s.values.key, s.values.old].map((key) => isAccepted(s, key))).toEqual([true, false]);
  },
);

it.concurrent.for([1, 2, 3])(
  'a worker killed right after answer %i: the run goes on, or asks, and no write is sent twice',
  { timeout: 90_000 },
  async (answers, { onTestFinished }) => {
    const s = await arazzoSetUp({ onTestFinished });
    const worker = await workerProcess(s.i, { onTestFinished });
    const id = s.idOf(await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate'));
    const hasAnswered = (): boolean =>
      s.apigee.oracle().requests.filter(({ status }) => status !== null).length >= answers;
    while (!hasAnswered()) await new Promise((next) => setImmediate(next));
    worker.kill('SIGKILL');
    await worker.ended;
    await s.i.worker();
    for (;;) {
      const { status, unknown } = await s.until(id, 'it has ended or asks', (state) =>
        ['needs-operator', 'completed', 'failed'].includes(state.status),
      );
      if (status !== 'needs-operator') break;
      const wasExecuted =
        s.apigee.oracle().writes.length > (unknown?.stepId === 'make' ? 0 : unknown?.stepId === 'grant' ? 1 : 2);
      await resolve(s, id, unknown?.stepId ?? '', wasExecuted ? 'skip' : 'retry');
      await s.until(id, 'it goes on', (state) => state.unknown?.stepId !== unknown?.stepId);
    }
    expect(await s.result(id)).toMatchObject({ outcome: 'completed' });
    expect(callsOf(s).filter((call) => call !== 'GET')).toEqual(whole.slice(1));
  },
);

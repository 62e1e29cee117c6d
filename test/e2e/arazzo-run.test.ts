/** Documents performed from the command line against an Apigee organization. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sha256 } from '../support/installation.js';
import {
  arazzoSetUp,
  callsOf,
  changedDocument,
  createRoute,
  guardedDocument,
  isAccepted,
  jumpingDocument,
  lookingDocument,
  ownDocument,
} from '../support/arazzo.js';
import { edit } from '../support/around.js';
import { keyturn } from '../support/cli.js';
import { noReference, referenceFile } from '../support/reference.js';

const published = referenceFile('apigee-rotate-app-key-workflow.yml');
const description = referenceFile('apigee-api-management-openapi.yml');

it('performs a document as it stands: the new key lives, the old one is dead, outputs show fingerprints', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const ran = await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate', '--wait');
  expect(ran.exit).toBe(0);
  expect(callsOf(s)).toEqual(['GET', 'POST #2', 'POST #2', 'DELETE #1']);
  expect([s.values.key, s.values.old].map((key) => isAccepted(s, key))).toEqual([true, false]);
  const fingerprint = expect.stringMatching(/^hmac:[0-9a-f]{32}$/);
  expect(ran.json.data).toMatchObject({
    outcome: 'completed',
    outputs: { made: fingerprint, state: 'approved', removed: fingerprint },
  });
});

it.skipIf(published === null || description === null)(
  `performs the published rotation unchanged${published === null ? `: ${noReference}` : ''}`,
  async () => {
    const s = await arazzoSetUp({ source: 'apigeeApiManagement' });
    await s.i.worker();
    const { organization, developer, app } = s.apigee.seeded;
    const inputs = {
      ...{ organizationId: organization, developerId: developer, appId: app, apiProduct: 'orders' },
      ...{ newConsumerKey: s.values.key, newConsumerSecret: s.values.secret, oldKeyId: s.values.old },
    };
    const source = ['--source', `apigeeApiManagement=${description ?? ''}`];
    const ran = await s.run(published ?? '', inputs, '--workflow', 'rotate-app-key', ...source, '--wait');
    expect({ exit: ran.exit, calls: callsOf(s) }).toEqual({
      exit: 0,
      calls: ['GET', 'POST #2', 'PUT #2', 'DELETE #1'],
    });
    const key = s.apigee.oracle().keys.find((one) => one.sha256 === sha256(s.values.key));
    expect(key).toMatchObject({ status: 'approved', products: [{ apiproduct: 'orders', status: 'approved' }] });
    expect(isAccepted(s, s.values.old)).toBe(false);
    for (const value of Object.values(s.values)) expect(ran.out + ran.err).not.toContain(value);
  },
);

it('never comes to the delete when the create fails for good, with and without retries', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  s.apigee.faults.add({ match: { ...createRoute, times: 'always' }, action: 'status', status: 503 });
  const plain = await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate', '--wait');
  expect(plain.exit).toBe(1);
  expect(plain.json.data).toMatchObject({
    outcome: 'failed',
    error: { code: 'KT-ARAZZO-STEP', message: expect.stringContaining('answered 503') },
  });
  expect(callsOf(s)).toEqual(['GET', 'POST']);
  const retrying = await changedDocument(s.i.directory, (text) =>
    text.replace(
      'outputs: { made:',
      'onFailure: [{ name: again, type: retry, retryLimit: 2 }]\n        outputs: { made:',
    ),
  );
  const ran = await s.run(retrying, s.ownInputs(), '--workflow', 'rotate', '--wait');
  expect(ran.exit).toBe(1);
  expect(callsOf(s)).toEqual(['GET', 'POST', 'GET', 'POST', 'POST', 'POST']);
  expect(isAccepted(s, s.values.old)).toBe(true);
});

it('waits out an overload as Retry-After says, by a timer that outlives the worker', async () => {
  const s = await arazzoSetUp();
  const first = await s.i.worker();
  const headers = { 'retry-after': '3' };
  s.apigee.faults.add({ match: createRoute, action: 'status', status: 429, headers });
  const id = s.idOf(await s.run(guardedDocument, s.guardedInputs(), '--workflow', 'rotate-app-key'));
  const waiting = await s.until(id, 'it waits', ({ status }) => status === 'waiting');
  const [, asked] = s.apigee.oracle().requests;
  expect(Date.parse(waiting.nextAttemptAt ?? '') - (asked?.realAt ?? 0)).toBeGreaterThanOrEqual(3_000);
  await first.stop();
  await s.i.worker();
  expect(await s.result(id)).toMatchObject({ outcome: 'completed', outputs: { status: 'approved' } });
  expect(callsOf(s)).toEqual(['GET #1', 'POST', 'POST #2', 'POST #2', 'GET #2', 'DELETE #1']);
  const [again] = s.apigee.oracle().requests.slice(2);
  expect((again?.realAt ?? 0) - (asked?.realAt ?? 0)).toBeGreaterThanOrEqual(3_000);
  expect(isAccepted(s, s.values.old)).toBe(false);
});

it('follows goto, sub-workflows, what a workflow depends on, and end', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const document = await changedDocument(s.i.directory, () => jumpingDocument);
  const ran = await s.run(document, s.ownInputs(), '--workflow', 'main', '--wait');
  expect(ran.json.data).toMatchObject({
    outcome: 'completed',
    outputs: { name: 'orders-app', before: 'orders-app' },
  });
  const { steps } = ran.json.data as { steps: { stepId: string; workflowId: string }[] };
  expect(steps.map(({ workflowId, stepId }) => `${workflowId} ${stepId}`)).toEqual([
    ...['look read', 'look read', 'main call', 'main second', 'main first'],
  ]);
  expect(callsOf(s)).toEqual(['GET', 'GET', 'GET #1', 'GET #1']);
});

it('sends the credential of keyturn.yaml only where keyturn.yaml says, and renews it once', async () => {
  const s = await arazzoSetUp({ apigee: { rules: { dialect: 'edge' } } });
  await s.i.worker();
  await writeFile(join(s.i.directory, 'password'), s.apigee.seeded.password);
  const auth = { kind: 'edge-oauth', tokenUrl: s.apigee.tokenUrl, username: s.apigee.seeded.username };
  const source = { url: s.apigee.managementUrl, auth: { ...auth, password: '${file:password}' } };
  await edit(s.i, (file) => Object.assign(file, { arazzo: { sources: { apigee: source } } }));
  const look = await changedDocument(s.i.directory, () => lookingDocument);
  const args = ['--workflow', 'look', '--wait'] as const;
  expect((await s.run(look, s.ownInputs(), ...args)).exit).toBe(0);
  s.apigee.expireTokens();
  expect((await s.run(look, s.ownInputs(), ...args)).exit).toBe(0);
  const used = (): readonly string[] =>
    s.apigee
      .oracle()
      .requests.filter(({ plane }) => plane === 'management')
      .map(({ credential }) => `${credential.kind} ${credential.outcome}`);
  expect(used()).toEqual(['bearer accepted', 'bearer expired', 'bearer accepted']);

  // The same organization by another base path is another place.
  const elsewhere = s.apigee.managementUrl.replace('127.0.0.1', 'localhost');
  const ran = await s.run(look, s.ownInputs(), ...args, '--server', `apigee=${elsewhere}`);
  expect(ran.exit).toBe(1);
  expect(used().slice(3)).toEqual(['none refused']);
});

it('waits for its credential before anything is sent', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const token = join(s.i.directory, 'token');
  await rm(token);
  const id = s.idOf(await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate'));
  const waiting = await s.until(id, 'it waits', ({ status }) => status === 'waiting');
  expect(waiting).toMatchObject({ step: null, lastError: { code: 'KT-MANAGEMENT-AUTH' } });
  expect(callsOf(s)).toEqual([]);
  await writeFile(token, s.apigee.seeded.accessToken);
  expect(await s.result(id)).toMatchObject({ outcome: 'completed' });
});

it('a cancelled run ends as aborted after the step in hand', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  s.apigee.faults.add({ match: createRoute, action: 'delay', ms: 1_000, when: 'after' });
  const id = s.idOf(await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate'));
  await s.until(id, 'it creates the key', ({ step }) => step?.stepId === 'make');
  await s.i.client.temporal.workflow.getHandle(id).cancel();
  const { outcome, steps } = await s.result(id);
  expect({ outcome, done: steps.map(({ stepId, outcome: how }) => `${stepId} ${how}`) }).toEqual({
    outcome: 'aborted',
    done: ['readApp succeeded', 'make succeeded'],
  });
  expect(isAccepted(s, s.values.old)).toBe(true);
});

it('says that no worker polls, and that it goes on when --wait is over', async () => {
  const s = await arazzoSetUp();
  const unattended = await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate');
  expect(unattended.json.warnings).toEqual([expect.stringContaining('no worker polls')]);
  await s.i.client.temporal.workflow.getHandle(s.idOf(unattended)).terminate();
  await s.i.worker();
  s.apigee.faults.add({ match: { method: 'GET' }, action: 'delay', ms: 1_500 });
  const ran = await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate', '--wait', '--timeout', '300ms');
  expect(ran).toMatchObject({ exit: 7, json: { error: { code: 'KT-TIMEOUT' } } });
  expect(await s.result(s.idOf(ran))).toMatchObject({ outcome: 'completed' });
});

it('refuses on the command line what is wrong, and starts nothing', async () => {
  const s = await arazzoSetUp();
  const args = ['--workflow', 'rotate'] as const;
  const withoutProduct = { ...s.ownInputs(), product: undefined };
  const refused = [
    await s.run(ownDocument, s.ownInputs(), '--workflow', 'other'),
    await s.run(ownDocument, withoutProduct, ...args),
    await s.run(ownDocument, s.ownInputs(), ...args, '--secret', 'typo'),
    await s.run(ownDocument, s.ownInputs(), ...args, '--server', 'apigee=http://169.254.169.254/v1'),
    await s.run(ownDocument, s.ownInputs(), ...args, '--server', 'other=https://api.example'),
    await s.run(ownDocument, s.ownInputs(), ...args, '--timeout', '5s'),
    await s.run(join(s.i.directory, 'none.yaml'), s.ownInputs(), ...args),
    await keyturn(s.i, 'arazzo', 'run', ownDocument, ...args, '--inputs', join(s.i.directory, 'none.json'), '--json'),
  ];
  for (const { exit, err, out } of refused) {
    expect(exit, out).toBe(2);
    expect(err).not.toContain('started');
    for (const value of Object.values(s.values)) expect(out + err).not.toContain(value);
  }
  expect(callsOf(s)).toEqual([]);
});

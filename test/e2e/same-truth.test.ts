/** Whoever asks, and however: the answer is the same. */
import { execFile } from 'node:child_process';
import { isDeepStrictEqual, promisify } from 'node:util';
import { expect, it } from 'vitest';
import { eventually, rotated, serve, serving } from '../support/around.js';
import { installation, type Installation } from '../support/installation.js';
import { ownServer, sharedServer } from '../support/temporal.js';
import { queryNames, type CredentialState } from '../../src/contract.js';

const query = queryNames.credentialState;
const decoded = (payload: { data: string } | undefined): CredentialState =>
  JSON.parse(Buffer.from(payload?.data ?? '', 'base64').toString()) as CredentialState;

async function temporal(address: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(sharedServer().binary, [...args, '--address', address]);
  return stdout;
}

/** The Temporal CLI. Its shorthand for payloads, which is the default, prints an empty list as null. */
async function askedByCli(address: string, i: Installation): Promise<CredentialState> {
  const asking = ['workflow', 'query', '-w', `credential/${i.credentialId}`, '--type', query, '-o', 'json'];
  const raw = await temporal(address, ...asking, '--no-json-shorthand-payloads');
  return decoded((JSON.parse(raw) as { queryResult: { payloads: { data: string }[] } }).queryResult.payloads[0]);
}

/** As the page of Temporal's UI does: its own API, with the token that it gives its page. */
async function askedByUi(uiUrl: string, namespace: string, i: Installation): Promise<CredentialState | null> {
  const workflowId = `credential/${i.credentialId}`;
  const [cookie = ''] = (await fetch(`${uiUrl}/api/v1/settings`)).headers.getSetCookie();
  const token = /_csrf=([^;]+)/.exec(cookie)?.[1] ?? '';
  const path = `/api/v1/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}/query/${query}`;
  const answer = await fetch(uiUrl + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie: `_csrf=${token}`, 'x-csrf-token': token },
    body: JSON.stringify({ execution: { workflowId }, query: { queryType: query } }),
  });
  // Busy: Temporal buffers one query per workflow. Its clients try again by themselves.
  if (!answer.ok) return null;
  const { queryResult } = (await answer.json()) as { queryResult: { payloads: { data: string }[] } };
  return decoded(queryResult.payloads[0]);
}

async function askedByHttp(url: string, i: Installation): Promise<CredentialState> {
  const answer = await fetch(`${url}/api/credentials/${i.credentialId}`);
  return ((await answer.json()) as { data: CredentialState }).data;
}

it('client, HTTP, Temporal CLI and Temporal UI tell the same state: idle, rotating, retiring and paused', async () => {
  const { address, namespace, uiUrl = '' } = await ownServer({ ui: true });
  const policy = { grace: '1h', activationLag: '4s' };
  const i = await installation({ top: serving, temporal: { address, namespace }, policy });
  const { url } = await serve(i);
  await i.worker();
  // The state may move on between two of the questions; it comes to rest, and then all agree.
  const everyone = (what: string, version: number, holds: (s: CredentialState) => boolean): Promise<CredentialState> =>
    eventually(`all agree that it is ${what}`, async () => {
      const state = await i.state();
      // One after the other: Temporal holds one query per workflow back, and refuses the next.
      const answers = [await askedByHttp(url, i), await askedByCli(address, i), await askedByUi(uiUrl, namespace, i)];
      const agreed = answers.every((answer) => isDeepStrictEqual(answer, state));
      return agreed && holds(state) && state.current?.version === version && state;
    });
  await i.client.ensureStarted(i.credentialId);
  await everyone('idle', 1, (s) => s.status === 'idle');
  await i.request('r-1');
  await everyone('rotating', 1, (s) => s.rotation?.step === 'persist');
  await everyone('retiring', 2, (s) => s.status === 'retiring');
  await i.client.pause(i.credentialId, { by: 'ops' });
  await everyone('paused', 2, (s) => s.status === 'paused');

  const all = (await (await fetch(`${url}/api/credentials`)).json()) as { data: CredentialState[] };
  expect(all.data.map((s) => s.current?.version)).toEqual([2]);
  const page = await (await fetch(url)).text();
  expect(page).toContain(i.credentialId);
  expect(page).toContain((await i.state()).current?.keyId);
});

it('`temporal workflow metadata` shows the details, and the status finds the credential in a list', async () => {
  const { address } = sharedServer();
  const i = await installation({ mambu: { keyTtl: '1h' }, policy: { grace: '2s' } });
  await i.worker();
  const state = await rotated(i, 2);
  const metadata = await temporal(address, 'workflow', 'metadata', '-w', `credential/${i.credentialId}`);
  expect(metadata).toContain(`**${i.credentialId}** · retiring`);
  expect(metadata).toContain(`| 2 | \`${state.current?.keyId}\` | current, verified | ${state.current?.expiresAt} |`);
  expect(metadata).toContain(`| 1 | \`${state.previous[0]?.keyId}\` | in-grace | ${state.previous[0]?.diesAt} |`);
  expect(metadata).toContain('the state of this credential: versions, rotation, debts, attention');

  const listed = (status: string) => async (): Promise<boolean> => {
    const soon = new Date(Date.now() + 3_700_000).toISOString();
    const facts = `KeyturnCredential = '${i.credentialId}' AND KeyturnProvider = 'mambu' AND KeyturnVersion = 2`;
    const times = `KeyturnExpires < '${soon}' AND KeyturnNextRotation < '${soon}'`;
    const wanted = `KeyturnStatus = '${status}' AND ${facts} AND ${times}`;
    const found = await temporal(address, 'workflow', 'list', '--query', wanted, '-o', 'json');
    const ids = (JSON.parse(found) as { execution: { workflowId: string } }[]).map((w) => w.execution.workflowId);
    return ids.length === 1 && ids[0] === `credential/${i.credentialId}`;
  };
  await eventually('it is listed as idle', listed('idle'));
  expect(await listed('retiring')()).toBe(false);
});

it('retrieveConfiguration tells a process the same version, without a secret', async () => {
  const i = await installation();
  await i.worker();
  const { current } = await rotated(i, 2);
  const configuration: unknown = await i.client.temporal.workflow.execute('retrieveConfiguration', {
    taskQueue: i.taskQueue,
    workflowId: `configuration/${i.credentialId}`,
    args: [{ credentialId: i.credentialId }],
  });
  expect(configuration).toEqual({
    credentialId: i.credentialId,
    provider: 'mambu',
    baseUrl: i.simulator.baseUrl,
    version: 2,
    keyId: current?.keyId,
    settings: expect.objectContaining({ consumerId: 'rotator', strategy: 'create-and-delete' }) as unknown,
  });
});

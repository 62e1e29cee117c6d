/** The engine's steps as a worker runs them, one call at a time, over a real store and a token service in memory: what they do to both. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { provider as tiny } from '../../examples/plugin-tiny/index.js';
import type { CredentialActivities, RequestActivities, StepInput } from '../../src/activities/api.js';
import { createActivities } from '../../src/activities/index.js';
import { arazzoDeps, openVault, sealFirstKey } from '../../src/compose.js';
import { parseConfig } from '../../src/config.js';
import type { Opened } from '../../src/custody/custody.js';
import { createKeyFile } from '../../src/custody/key-file.js';
import type { CredentialRecord } from '../../src/domain/record.js';
import { Secret } from '../../src/domain/secret.js';
import type { Provider, ProviderAnswer, ProviderRequest } from '../../src/providers/provider.js';
import { temporaryFolder } from './custody.js';

type TinySettings = typeof tiny extends Provider<infer S> ? S : never;
export type TinyProvider = Provider<TinySettings>;

type Steps = CredentialActivities & Pick<RequestActivities, 'makeApiRequest'>;

const CREDENTIAL = 'core';
export const t0 = Date.parse('2026-11-21T04:00:00.000Z');
export const second = 1_000;
export const minute = 60 * second;

export interface StepsBench {
  /** Of the token service: which token is accepted, by its id. */
  readonly tokens: Map<string, string>;
  /** Requests as they arrived, e.g. `POST /tokens`. */
  readonly requests: string[];
  readonly clock: { nowMs: number };
  /** Happens in `create`, before its bytes go out. */
  beforeCreate: (() => Promise<unknown>) | undefined;
  /** Happens while such a request is under way. */
  readonly before: Map<string, () => Promise<unknown>>;
  /** In the place of the service's answer to such a request; an error is thrown by the client. */
  readonly instead: Map<string, ProviderAnswer | Error>;
  run<N extends keyof Steps>(name: N, more?: Partial<Parameters<Steps[N]>[0]>): Promise<Awaited<ReturnType<Steps[N]>>>;
  opened(): Promise<Opened>;
  /** A version that is new has the values of the one that `change` was given last. */
  change(change: (record: CredentialRecord) => CredentialRecord): Promise<void>;
  /** Plans a rotation and goes as far as this step. */
  rotateUntil(last: 'plan' | 'rotate' | 'publish'): Promise<void>;
  /** The worker is told to shut down. */
  cancel(): void;
}

/** Version 1 is the token `old`, current. */
export async function openSteps(
  changes: Partial<TinyProvider> = {},
  timing: Readonly<Record<string, string>> = {},
): Promise<StepsBench> {
  const folder = await temporaryFolder();
  const tokens = new Map([['old', 'token-of-old-which-is-long']]);
  const requests: string[] = [];
  const instead: StepsBench['instead'] = new Map();
  const before: StepsBench['before'] = new Map();
  const clock = { nowMs: t0 };
  let environment: MockActivityEnvironment | undefined;

  function answered({ method, path, auth }: ProviderRequest): ProviderAnswer {
    const presented = auth.kind === 'header' ? auth.value.reveal().slice('Bearer '.length) : '';
    const id = [...tokens].find(([, token]) => token === presented)?.[0];
    const json = (status: number, body: unknown): ProviderAnswer => ({
      status,
      headers: {},
      text: JSON.stringify(body),
    });
    if (id === undefined) return json(401, {});
    if (path === '/whoami') return json(200, { id, account: 'acme' });
    if (method === 'GET') return json(200, { tokens: [...tokens.keys()].map((one) => ({ id: one, createdAt: t0 })) });
    if (method === 'DELETE') return json(tokens.delete(path.slice('/tokens/'.length)) ? 204 : 404, {});
    const made = { id: `new-${tokens.size}`, token: `token-${randomUUID()}` };
    tokens.set(made.id, made.token);
    return json(201, made);
  }

  const provider: TinyProvider = {
    ...tiny,
    ...changes,
    async create(context, intent) {
      await bench.beforeCreate?.();
      return (changes.create ?? tiny.create)(context, intent);
    },
  };
  const text = stringify({
    version: 1,
    plugins: [provider.name],
    store: { kind: 'file', path: 'store', keyFile: 'key' },
    timing,
    credentials: {
      [CREDENTIAL]: {
        provider: { module: provider.name },
        settings: { baseUrl: 'https://tiny.example', account: 'acme' },
      },
    },
  });
  const config = parseConfig(text, join(folder, 'keyturn.yaml'), new Map([[provider.name, provider as Provider]]));
  await createKeyFile(config.sealingKey.path);
  const vault = await openVault(config);
  onTestFinished(() => vault.close());
  const credential = config.credentials.get(CREDENTIAL);
  if (!credential) throw new Error('the configuration has no credential');
  const seed = { keyId: 'old', fields: { token: new Secret('token-of-old-which-is-long') } };
  await sealFirstKey(vault, credential, seed, provider as Provider);

  const activities = createActivities({
    custody: vault.custody,
    lockout: vault.lockout,
    config: () => Promise.resolve(config),
    provider: () => provider as Provider,
    http: {
      async send(_, request) {
        const asked = `${request.method} ${request.path}`;
        requests.push(asked);
        await before.get(asked)?.();
        const other = instead.get(asked);
        if (other instanceof Error) throw other;
        return other ?? answered(request);
      },
    },
    arazzo: arazzoDeps(vault),
    clock: { now: () => clock.nowMs },
    schedule: () => Promise.resolve({ nextMs: null, unservedMs: null }),
    searchAttributes: () => Promise.resolve([]),
  });

  const bench: StepsBench = {
    tokens,
    requests,
    clock,
    instead,
    before,
    beforeCreate: undefined,
    async run<N extends keyof Steps>(
      name: N,
      more: Partial<Parameters<Steps[N]>[0]> = {},
    ): Promise<Awaited<ReturnType<Steps[N]>>> {
      const { record } = await bench.opened();
      const { seq, installationId } = record;
      const input: StepInput = { credentialId: CREDENTIAL, seq, installationId, operationId: 'op-1', ...more };
      environment = new MockActivityEnvironment({ activityType: name }, { logger: new DefaultLogger('ERROR') });
      const activity = activities[name] as (given: unknown) => Promise<unknown>;
      const result: unknown = await environment.run(activity, input);
      return result as Awaited<ReturnType<Steps[N]>>;
    },
    async opened() {
      const opened = await vault.custody.read(CREDENTIAL);
      if (!opened) throw new Error('the record is gone');
      return opened;
    },
    async change(change) {
      await vault.custody.update(CREDENTIAL, ({ record, shelf }) => {
        const next = change(record);
        const newest = shelf.versions[String(record.versions.at(-1)?.version)];
        const added = next.versions.flatMap(({ version }) => (newest ? [[version, newest] as const] : []));
        const versions = { ...Object.fromEntries(added), ...shelf.versions };
        return { next: { record: next, shelf: { ...shelf, versions } }, value: null };
      });
    },
    async rotateUntil(last) {
      const request = { requestId: 'r-1', reason: 'routine', source: 'operator' } as const;
      await bench.run('plan', { request, startedAtMs: clock.nowMs });
      if (last === 'plan') return;
      await bench.run('rotate');
      if (last === 'rotate') return;
      await bench.run('verify', { hurry: false });
      const { requestId, reason, source } = request;
      const rotation = { operationId: 'op-1', requestId, reason, source, startedAtMs: clock.nowMs, steps: [] };
      await bench.run('publish', { verified: true, rotation });
    },
    cancel: () => environment?.cancel('WORKER_SHUTDOWN'),
  };
  return bench;
}

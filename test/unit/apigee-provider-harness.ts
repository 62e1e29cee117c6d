/** The Apigee provider over real sockets, behind the guard, against the strict simulator. */
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { type FailureFacts, ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import { apigeeProvider } from '../../src/providers/apigee/provider.js';
import { type ApigeeSettings, apigeeSettingsSchema } from '../../src/providers/apigee/settings.js';
import { createAuthorizer } from '../../src/providers/authorizer.js';
import { type Guard, sendGuarded } from '../../src/providers/guard.js';
import { createHttpClient } from '../../src/providers/http.js';
import type {
  Created,
  CredentialValues,
  KeyInfo,
  PreparedIntent,
  Provider,
  ProviderContext,
} from '../../src/providers/provider.js';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';

export interface Bench {
  readonly simulator: ApigeeSimulator;
  readonly provider: Provider<ApigeeSettings>;
  readonly settings: ApigeeSettings;
  readonly context: ProviderContext<ApigeeSettings>;
  /** The seeded key, as the listing has it now. */
  old(): Promise<KeyInfo>;
  intent(): Promise<PreparedIntent>;
  /** Made, not equipped. */
  created(): Promise<CredentialValues>;
  /** Made and equipped, and old enough for its differences to count. */
  equipped(): Promise<CredentialValues>;
  /** Method, route and action of every management request since the last call. */
  asked(): string[];
  /** The failure, after proving that it holds no secret of the organization. */
  failureOf(calling: Promise<unknown>): Promise<FailureFacts>;
}

export interface BenchOptions extends ApigeeSimulatorOptions {
  readonly dialect?: 'x' | 'edge';
  /** More keys of the `apigee:` block, instead of those that fit the simulator. */
  readonly block?: (simulator: ApigeeSimulator) => Record<string, unknown>;
}

export async function bench({
  dialect = 'x',
  block = () => ({}),
  rules,
  ...options
}: BenchOptions = {}): Promise<Bench> {
  const simulator = await startApigeeSimulator({ ...options, rules: { dialect, ...rules } });
  onTestFinished(() => simulator.close());
  const { seeded } = simulator;
  const secrets: Readonly<Record<string, string>> = { TOKEN: seeded.accessToken, PASSWORD: seeded.password };
  const http = createHttpClient({ httpTimeoutMs: 2_000 });
  const authorizer = createAuthorizer({
    resolveSecret: (ref) => Promise.resolve(new Secret((ref.from === 'env' && secrets[ref.name]) || 'wrong')),
    http,
    now: () => simulator.clock.now(),
  });
  const provider = apigeeProvider({ authorizer });
  const settings = apigeeSettingsSchema.parse({
    baseUrl: simulator.managementUrl,
    dialect,
    organization: seeded.organization,
    ...(seeded.appGroup === null ? { developer: seeded.developer } : { appGroup: seeded.appGroup }),
    app: seeded.app,
    auth:
      dialect === 'x'
        ? { kind: 'bearer', token: '${env:TOKEN}' }
        : { kind: 'basic', username: seeded.username, password: '${env:PASSWORD}' },
    ...block(simulator),
  });
  const never = (): Promise<never> => Promise.reject(new Error('Apigee has no lockout to keep account of'));
  const guard: Guard = {
    provider: provider as Provider,
    settings,
    http,
    httpTimeoutMs: 2_000,
    now: () => simulator.clock.now(),
    scope: { baseUrl: settings.baseUrl, egress: 'default' },
    operationId: 'test',
    fingerprint: never,
    lockout: { admit: never, proved: never, struck: never },
    onBookFailure: () => undefined,
  };
  const seededValues: CredentialValues = {
    keyId: seeded.consumerKey,
    fields: {
      consumerKey: new Secret(seeded.consumerKey),
      consumerSecret: new Secret(seeded.consumerSecret),
    },
  };
  const context: ProviderContext<ApigeeSettings> = {
    settings,
    credential: seededValues,
    now: () => simulator.clock.now(),
    send: (request) => sendGuarded(guard, request),
  };

  const listed = async (consumerKey: string): Promise<KeyInfo | undefined> =>
    (await provider.inventory(context)).find(({ keyId }) => keyId === consumerKey);
  const old = async (): Promise<KeyInfo> => (await listed(seeded.consumerKey)) ?? { keyId: seeded.consumerKey };
  const intent = async (): Promise<PreparedIntent> => ({
    kind: 'create-key',
    idempotencyKey: randomUUID(),
    body: provider.prepare(context, 'create-key', await old()),
  });
  const created = async (): Promise<CredentialValues> => valuesOf(await provider.create(context, await intent()));

  let seen = 0;
  const asked = (): string[] => {
    const requests = simulator.oracle().requests.filter(({ plane }) => plane === 'management');
    const news = requests.slice(seen);
    seen = requests.length;
    return news.map(
      ({ method, route, action }) =>
        `${method} ${route.replace(/^.*\/apps\/\{app\}/, '')}${action === null ? '' : `?${action}`}`,
    );
  };

  const secretsNow = (): string[] => {
    const keys = simulator.oracle({ values: true }).keys;
    const values = keys.flatMap(({ consumerKey, consumerSecret }) => [consumerKey ?? '', consumerSecret ?? '']);
    return [...values, ...Object.values(secrets)].filter((value) => value !== '');
  };

  return {
    simulator,
    provider,
    settings,
    context,
    old,
    intent,
    created,
    async equipped() {
      const fresh = await created();
      await provider.equip?.(context, fresh, await old());
      simulator.clock.advance(31_000);
      return fresh;
    },
    asked,
    async failureOf(calling) {
      const error: unknown = await calling.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (!(error instanceof ProviderFailure)) throw new Error(`a ProviderFailure was expected, not ${String(error)}`);
      const text = `${JSON.stringify(error.facts)} ${error.stack ?? ''}`;
      const leaked = secretsNow().filter((secret) => text.includes(secret));
      if (leaked.length > 0) throw new Error(`a failure holds a secret: ${error.facts.code}`);
      return error.facts;
    },
  };
}

export const valuesOf = ({ keyId, fields }: Created): CredentialValues => ({ keyId: keyId ?? '', fields });

/** The values of an intent's key, as `prepare` chose them. */
export function pairOf({ body }: PreparedIntent): { consumerKey: string; consumerSecret: string } {
  return JSON.parse(body?.reveal() ?? '') as { consumerKey: string; consumerSecret: string };
}

/** An installation of keyturn for one test: its real activities, custody, file store and HTTP client around a provider and a double of its system. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { stringify } from 'yaml';
import type { CredentialActivities, StepFailureDetails } from '../../activities/api.js';
import { createActivities } from '../../activities/index.js';
import { arazzoDeps, openVault, sealFirstKey, type Vault } from '../../compose.js';
import { parseConfig, type Config, type CredentialConfig } from '../../config.js';
import type { Opened } from '../../custody/custody.js';
import { createKeyFile } from '../../custody/key-file.js';
import { CALLS_PER_ACTIVITY } from '../../domain/capability.js';
import { currentOf, previousOf, type CredentialRecord, type RotationFacts } from '../../domain/record.js';
import { retireDueMs } from '../../domain/retirement.js';
import { viewOf } from '../../domain/view.js';
import { createHttpClient, type HttpClient } from '../../providers/http.js';
import type { CredentialValues, Provider, ProviderContext } from '../../providers/provider.js';
import { rotation, RotationStopped } from '../../workflows/rotation.js';
import { startFaultProxy, type FaultProxy } from './faults.js';
import { JumpingSteps, StepFailed, type Activities } from './steps.js';
import type { ProviderUnderTest, SystemUnderTest } from './subject.js';
import { Watch } from './watch.js';

const CREDENTIAL = 'under-test';
/** Real time, unlike all other waits: a late answer is waited for this long. */
const HTTP_TIMEOUT_MS = 500;
const policy = { grace: '20m', refreshWithin: '5m', minInterval: '0s' } as const;
const MAX_JOBS = 200;

export interface Bench extends Activities {
  readonly system: SystemUnderTest;
  readonly watch: Watch;
  readonly provider: Provider;
  readonly credential: CredentialConfig;
  record(): Promise<CredentialRecord>;
  /** Values of a living version; default the current one. */
  values(version?: number): Promise<CredentialValues>;
  /** For a call of one's own. */
  context(acting: CredentialValues): ProviderContext<unknown>;
  /** A whole rotation, to its outcome. */
  rotate(): Promise<RotationFacts>;
  /** The next piece of work on old keys and debts, at its time; false: there is none. */
  work(): Promise<boolean>;
  /** Until all old keys and debts are gone. */
  settle(): Promise<void>;
  /** Whether keyturn.yaml has an entry for the credential, from now on. */
  setInConfig(isThere: boolean): void;
  close(): Promise<void>;
}

/** @throws ConfigError where keyturn.yaml could not hold these settings */
export async function openBench(subject: ProviderUnderTest): Promise<Bench> {
  const system = await subject.start();
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-conformance-'));
  const proxy = await startFaultProxy();
  const release = async (): Promise<void> => {
    await Promise.all([system.stop(), proxy.close()]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const config = configure(subject, system, folder);
    await createKeyFile(config.sealingKey.path);
    const vault = await openVault(config);
    const bench = new Installation(subject.provider, system, config, vault, proxy, release);
    await bench.seal();
    return bench;
  } catch (error) {
    await release();
    throw error;
  }
}

/** Through the text of a keyturn.yaml, as a user would. */
function configure({ provider, timing }: ProviderUnderTest, { settings }: SystemUnderTest, folder: string): Config {
  const text = stringify({
    version: 1,
    plugins: [provider.name],
    store: { kind: 'file', path: 'store', keyFile: 'key' },
    lockout: { limit: 9 },
    timing: { httpTimeout: `${HTTP_TIMEOUT_MS}ms`, ...timing },
    credentials: { [CREDENTIAL]: { provider: { module: provider.name }, settings, policy } },
  });
  return parseConfig(text, join(folder, 'keyturn.yaml'), new Map([[provider.name, provider]]));
}

class Installation implements Bench {
  readonly watch = new Watch(() => this.now());
  readonly provider: Provider;
  readonly credential: CredentialConfig;
  readonly #activities: CredentialActivities;
  readonly #http: HttpClient;
  readonly #logger = new DefaultLogger('INFO', ({ message, meta }) => {
    this.watch.texts.push(`log: ${message} ${JSON.stringify(meta)}`);
  });
  #config: Config;
  #skippedMs = 0;

  constructor(
    provider: Provider,
    readonly system: SystemUnderTest,
    config: Config,
    private readonly vault: Vault,
    proxy: FaultProxy,
    private readonly release: () => Promise<void>,
  ) {
    const credential = config.credentials.get(CREDENTIAL);
    if (!credential) throw new Error('the configuration has no credential');
    this.credential = credential;
    this.#config = config;
    this.provider = this.watch.provider(provider);
    this.#http = this.watch.http(createHttpClient({ httpTimeoutMs: HTTP_TIMEOUT_MS }), proxy);
    this.#activities = createActivities({
      custody: vault.custody,
      lockout: vault.lockout,
      config: () => Promise.resolve(this.#config),
      provider: () => this.provider,
      http: this.#http,
      arazzo: arazzoDeps(vault),
      clock: { now: () => this.now() },
      schedule: () => Promise.resolve({ nextMs: null, unservedMs: null }),
      searchAttributes: () => Promise.resolve([]),
    });
  }

  async seal(): Promise<void> {
    const { seed } = this.system;
    this.watch.learn(seed.fields);
    await sealFirstKey(this.vault, this.credential, seed, this.provider);
  }

  now(): number {
    return Date.now() + this.#skippedMs;
  }

  advanceTo(atMs: number): void {
    const ms = Math.ceil(atMs - this.now());
    if (ms <= 0) return;
    this.#skippedMs += ms;
    this.system.advance?.(ms);
  }

  async run<N extends keyof CredentialActivities>(
    name: N,
    input: Parameters<CredentialActivities[N]>[0],
  ): Promise<Awaited<ReturnType<CredentialActivities[N]>>> {
    const environment = new MockActivityEnvironment({ activityType: name }, { logger: this.#logger });
    const activity = this.#activities[name] as (given: unknown) => Promise<unknown>;
    this.watch.calls = 0;
    try {
      // Inputs and results are payloads: what JSON does not carry, no workflow gets.
      const result = JSON.stringify((await environment.run(activity, JSON.parse(JSON.stringify(input)))) ?? null);
      this.watch.texts.push(`${name} resolved: ${result}`);
      await this.#assertServed(name);
      return JSON.parse(result) as Awaited<ReturnType<CredentialActivities[N]>>;
    } catch (error) {
      if (!(error instanceof ApplicationFailure)) throw error;
      const { message, details, stack } = error;
      this.watch.texts.push(`${name} failed: ${message} ${JSON.stringify(details)} ${stack ?? ''}`);
      throw new StepFailed(details?.[0] as StepFailureDetails);
    } finally {
      this.#checkQuota(name);
    }
  }

  async record(): Promise<CredentialRecord> {
    return (await this.#opened()).record;
  }

  async values(version?: number): Promise<CredentialValues> {
    const { record, shelf } = await this.#opened();
    const values = shelf.versions[String(version ?? currentOf(record)?.version)];
    if (!values) throw new Error(`the record has no values of version ${version ?? '(current)'}`);
    return values;
  }

  context(credential: CredentialValues): ProviderContext<unknown> {
    const { settings, baseUrl } = this.credential;
    const send: ProviderContext<unknown>['send'] = (request) => this.#http.send(request.baseUrl ?? baseUrl, request);
    return { settings, credential, now: () => this.now(), send };
  }

  async rotate(): Promise<RotationFacts> {
    this.watch.rotations += 1;
    const request = { requestId: randomUUID(), reason: 'routine', source: 'operator' } as const;
    const steps = new JumpingSteps(this, randomUUID(), request, viewOf(await this.record(), null));
    try {
      await rotation(steps);
    } catch (stopped) {
      if (!(stopped instanceof RotationStopped)) throw stopped;
      await steps.close(stopped);
    }
    const { lastRotation } = viewOf(await this.record(), null);
    if (lastRotation?.requestId !== request.requestId) throw new Error('the record does not know of the rotation');
    return lastRotation;
  }

  /** As the entity's second lane. */
  async work(): Promise<boolean> {
    const record = await this.record();
    const { credentialId, seq, installationId } = record;
    const believed = { credentialId, seq, installationId };
    const { skewMs } = this.credential.timing;
    const jobs = [
      ...previousOf(record).map(({ version, ...v }) => ({
        dueMs: retireDueMs({ version, ...v }, skewMs),
        run: (): Promise<unknown> => this.run('retire', { ...believed, version }),
      })),
      ...record.debts
        .filter(({ kind }) => kind === 'orphan')
        .map(({ keyId, nextAttemptAtMs }) => ({
          dueMs: nextAttemptAtMs ?? 0,
          run: (): Promise<unknown> => this.run('settleDebt', { ...believed, keyId }),
        })),
    ];
    const [next] = jobs.toSorted((a, b) => a.dueMs - b.dueMs);
    if (!next || next.dueMs === Number.POSITIVE_INFINITY) return false;
    this.advanceTo(next.dueMs);
    await next.run();
    return true;
  }

  async settle(): Promise<void> {
    for (let jobs = 0; await this.work(); jobs++) {
      if (jobs > MAX_JOBS) throw new Error('old keys and debts are never done with');
    }
  }

  setInConfig(isThere: boolean): void {
    this.#config = { ...this.#config, credentials: new Map(isThere ? [[CREDENTIAL, this.credential]] : []) };
  }

  async close(): Promise<void> {
    await this.vault.close();
    await this.release();
  }

  /** Whatever a step has done: who reads the published key now can work with it. */
  async #assertServed(step: string): Promise<void> {
    if (this.provider.capability(this.credential.settings).overlap === 'none') return;
    const isServed = await this.system.accepts(await this.values());
    if (!isServed) this.watch.breaches.push(`after ${step} the published key was not accepted`);
  }

  /** The pace of the workers counts on it. */
  #checkQuota(step: string): void {
    const { callsPerMinute } = this.provider.capability(this.credential.settings);
    const { calls } = this.watch;
    if (callsPerMinute === undefined || calls <= CALLS_PER_ACTIVITY) return;
    this.watch.breaches.push(
      `${step} has made ${calls} calls, and ${CALLS_PER_ACTIVITY} is what \`callsPerMinute\` counts for one step`,
    );
  }

  async #opened(): Promise<Opened> {
    const opened = await this.vault.custody.read(CREDENTIAL);
    if (!opened) throw new Error('the record is gone');
    return opened;
  }
}

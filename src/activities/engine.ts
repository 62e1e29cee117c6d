/** What the steps share: opening the record with the right beliefs, and calls to the provider behind the lockout budget. */
import { Context } from '@temporalio/activity';
import type { CredentialConfig } from '../config.js';
import type { Opened } from '../custody/custody.js';
import { defaultTiming, strategyOf } from '../domain/capability.js';
import { KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import {
  pendingOf,
  type CredentialRecord,
  type EngineStrategy,
  type LockoutView,
  type OperationFacts,
  type RecordView,
} from '../domain/record.js';
import { Secret } from '../domain/secret.js';
import { ownership, type Transition } from '../domain/transitions.js';
import { viewOf } from '../domain/view.js';
import { sendGuarded, type Guard } from '../providers/guard.js';
import type { CredentialValues, Provider, ProviderContext } from '../providers/provider.js';
import type { Believed, StepInput } from './api.js';
import type { ActivityDeps } from './deps.js';
import { stop } from './failures.js';

/** A credential with everything a step needs. */
export interface Working {
  readonly credentialId: string;
  readonly config: CredentialConfig;
  readonly provider: Provider;
  readonly strategy: EngineStrategy;
  readonly opened: Opened;
}

export class Engine {
  constructor(readonly deps: ActivityDeps) {}

  now(): number {
    return this.deps.clock.now();
  }

  /** @throws KeyturnError KT-NOT-IMPORTED; StepFailure KT-NOT-IN-CONFIG, KT-STORE-BEHIND, KT-STORE-FOREIGN */
  async open(input: Believed): Promise<Working> {
    const config = (await this.deps.config()).credentials.get(input.credentialId);
    if (!config)
      // A rotation in hand waits: an entry that is gone by mistake must not end it half-way.
      throw stop('trouble', 'KT-NOT-IN-CONFIG', `credential ${input.credentialId} is not in the configuration`);
    const provider = this.deps.provider(config.provider);
    const opened = await this.read(input);
    if (!opened) throw new KeyturnError('KT-NOT-IMPORTED', `no key of ${input.credentialId} has been imported`);
    return { credentialId: input.credentialId, config, provider, strategy: this.strategy(config, provider), opened };
  }

  /** Like `open`, and where the configuration has no entry any more from what the record knows of the keys: they still have to die. */
  async openToRetire(input: Believed): Promise<Working> {
    const known = (await this.deps.config()).credentials.has(input.credentialId);
    const opened = known ? undefined : await this.read(input);
    const identity = opened?.record.versions.find((v) => v.stage === 'current')?.identity;
    if (!opened || !identity) return this.open(input);
    const provider = this.deps.provider(identity.provider);
    const settings = provider.settingsOf(identity);
    const config: CredentialConfig = {
      credentialId: input.credentialId,
      provider: identity.provider,
      settings,
      baseUrl: identity.baseUrl,
      policy: { graceMs: 0, refreshWithinMs: 0, minIntervalMs: 0, renewBeforeMs: 0, activationLagMs: 0, consumers: [] },
      schedule: null,
      timing: { ...defaultTiming, propagationMs: provider.capability(settings).propagationMs },
      managedBy: null,
      webhook: { consumerIds: [], mode: 'off' },
      allowRequests: [],
      labels: {},
    };
    return { credentialId: input.credentialId, config, provider, strategy: this.strategy(config, provider), opened };
  }

  strategy(config: CredentialConfig, provider: Provider): EngineStrategy {
    const abilities = { equips: provider.equip !== undefined, restorable: provider.restore !== undefined };
    return strategyOf(provider.capability(config.settings), abilities, config.timing);
  }

  /** Reads the record and holds it against what the entity believes. */
  async read(input: Believed): Promise<Opened | undefined> {
    const installationId = await this.deps.custody.installationId();
    if (input.installationId !== null && input.installationId !== installationId) {
      throw stop(
        'trouble',
        'KT-STORE-FOREIGN',
        `this worker's store belongs to installation ${installationId}, the workflow to ${input.installationId}`,
      );
    }
    const opened = await this.deps.custody.read(input.credentialId);
    const seq = opened?.record.seq ?? 0;
    if (seq < input.seq) {
      throw stop(
        'trouble',
        'KT-STORE-BEHIND',
        `the store's record is at ${seq}, the workflow has seen ${input.seq}: was an older backup restored?`,
      );
    }
    return opened;
  }

  /** The open operation of this step. @throws StepFailure when it has ended or another one is open */
  operation(record: CredentialRecord, input: StepInput): OperationFacts {
    if (record.operation?.operationId === input.operationId) return record.operation;
    throw stop('transient', 'KT-CONFLICT', `operation ${input.operationId} is not the one in the record any more`);
  }

  /** Read, transition, compare-and-set; a lost transition is a conflict that the workflow settles by loading again. */
  async apply(
    credentialId: string,
    transition: (record: CredentialRecord, opened: Opened) => Transition,
  ): Promise<Opened> {
    const { opened } = await this.deps.custody.update(credentialId, (opened) => {
      const t = transition(opened.record, opened);
      if (t.kind === 'lost') throw stop('transient', 'KT-CONFLICT', t.because);
      return t.kind === 'done' ? { unchanged: null } : { next: { record: t.record, shelf: opened.shelf }, value: null };
    });
    return opened;
  }

  async change(credentialId: string, change: (record: CredentialRecord) => CredentialRecord): Promise<Opened> {
    return this.apply(credentialId, (record) => {
      const next = change(record);
      return next === record ? { kind: 'done' } : { kind: 'next', record: next };
    });
  }

  /** As `change`, while `mustOwn` holds. */
  async changeOwn(
    credentialId: string,
    own: Own,
    change: (record: CredentialRecord) => CredentialRecord,
  ): Promise<Opened> {
    return this.change(credentialId, (record) => {
      mustOwn(record, own);
      return change(record);
    });
  }

  async view(config: CredentialConfig, record: CredentialRecord): Promise<RecordView> {
    return viewOf(record, await this.lockoutView(config));
  }

  /** The view where the configuration may have no entry any more. */
  async viewWithout(credentialId: string, record: CredentialRecord): Promise<RecordView> {
    const config = (await this.deps.config()).credentials.get(credentialId);
    return config ? this.view(config, record) : viewOf(record, null);
  }

  private async lockoutView(config: CredentialConfig): Promise<LockoutView | null> {
    const provider = this.deps.provider(config.provider);
    if (provider.capability(config.settings).strikeLimit === undefined) return null;
    const account = await this.deps.lockout.view(await this.lockoutScope(config));
    return { used: account.used, reserved: account.reserved, limit: account.limit, asOfMs: account.asOfMs };
  }

  async lockoutScope(config: CredentialConfig): Promise<{ baseUrl: string; egress: string }> {
    return { baseUrl: config.baseUrl, egress: (await this.deps.config()).worker.egress };
  }

  /** The provider's id of a key, or its fingerprint where the id is itself secret: what may leave an activity. */
  async publicId({ config, provider }: Pick<Working, 'config' | 'provider'>, keyId: string): Promise<string> {
    const isSecret = provider.capability(config.settings).keyIdIsSecret;
    return isSecret ? this.deps.custody.fingerprint(new Secret(keyId)) : keyId;
  }

  values(opened: Opened, version: number): CredentialValues {
    const values = opened.shelf.versions[String(version)];
    if (!values)
      throw new KeyturnError('KT-STORE-CORRUPT', `the values of version ${version} are missing from the record`);
    return values;
  }

  /**
   * A provider's view of the world for calls that authenticate as `acting`.
   * `beforeSend` runs right before the bytes go out: the fence of a write.
   */
  async context(
    w: Pick<Working, 'config' | 'provider'>,
    acting: CredentialValues,
    operationId: string,
    beforeSend?: () => Promise<void>,
  ): Promise<ProviderContext<unknown>> {
    const manager = w.config.managedBy === null ? undefined : await this.manager(w.config.managedBy);
    const guard: Guard = {
      provider: w.provider,
      settings: w.config.settings,
      http: this.deps.http,
      httpTimeoutMs: w.config.timing.httpTimeoutMs,
      scope: await this.lockoutScope(w.config),
      operationId,
      fingerprint: (value) => this.deps.custody.fingerprint(value),
      lockout: this.deps.lockout,
      now: () => this.now(),
      signal: Context.current().cancellationSignal,
      ...(beforeSend ? { beforeWrite: beforeSend } : {}),
      onBookFailure(error) {
        Context.current().log.warn('the lockout account could not be written; the reservation stands', {
          reason: error instanceof Error ? error.name : 'unknown',
        });
      },
    };
    return {
      settings: w.config.settings,
      credential: acting,
      ...(manager ? { manager } : {}),
      now: () => this.now(),
      send: (request) => sendGuarded(guard, request),
    };
  }

  /**
   * Right before a write is sent: what it rests on is read once more. An attempt that slept while others went on sends nothing.
   * @throws ProviderFailure `not-sent`, from what is returned
   */
  fence(credentialId: string, holds: (record: CredentialRecord) => boolean): () => Promise<void> {
    return async () => {
      const opened = await this.deps.custody.read(credentialId);
      if (opened && holds(opened.record)) return;
      const message = 'not sent: another attempt has gone on';
      throw new ProviderFailure({ class: 'not-sent', code: 'KT-CONFLICT', message });
    };
  }

  private async manager(credentialId: string): Promise<CredentialValues> {
    const opened = await this.deps.custody.read(credentialId);
    const current = opened?.record.versions.find((v) => v.stage === 'current');
    if (!opened || !current)
      throw new KeyturnError('KT-NOT-IMPORTED', `managedBy: no key of ${credentialId} has been imported`);
    return this.values(opened, current.version);
  }
}

/** The operation is the one at work, and this is what it has made. */
export function isMaking(record: CredentialRecord, operationId: string, version: number): boolean {
  return ownership(record, operationId) === null && pendingOf(record)?.version === version;
}

/** Whose a write is: an operation's, and where it is about the key that is being made, that version's. */
export interface Own {
  readonly operationId: string;
  readonly making?: number;
}

/** @throws StepFailure KT-CONFLICT when the operation is not at work any more, or goes on with another key */
export function mustOwn(record: CredentialRecord, { operationId, making }: Own): void {
  const stale = ownership(record, operationId);
  if (stale?.kind === 'lost') throw stop('transient', 'KT-CONFLICT', stale.because);
  if (making !== undefined && pendingOf(record)?.version !== making)
    throw stop('transient', 'KT-CONFLICT', `version ${making} is not the one that is being made any more`);
}

export function isProviderFailure(
  error: unknown,
  ...classes: readonly ProviderFailure['class'][]
): error is ProviderFailure {
  return error instanceof ProviderFailure && classes.includes(error.class);
}

/** Activities over a record in memory, for workflow tests: the domain's own transitions, no provider and no store. */
import { toApplicationFailure } from '../../src/activities/failures.js';
import type {
  Believed,
  CredentialActivities,
  Planned,
  StepFailureDetails,
  StepInput,
} from '../../src/activities/api.js';
import { canGoBack } from '../../src/domain/capability.js';
import { firstRecord } from '../../src/domain/imports.js';
import {
  currentOf,
  pendingOf,
  type CredentialRecord,
  type EngineStrategy,
  type RecordView,
  type RotationFacts,
  type RotationPolicy,
} from '../../src/domain/record.js';
import { retireDueMs } from '../../src/domain/retirement.js';
import { remember } from '../../src/domain/seen.js';
import { storedOutcome } from '../../src/domain/storedOutcome.js';
import * as change from '../../src/domain/transitions.js';
import type { Verdict } from '../../src/domain/verification.js';
import { viewOf } from '../../src/domain/view.js';
import { classB, classD, policy as usualPolicy } from '../unit/domain/facts.js';

type Name = keyof CredentialActivities;

export const transient: StepFailureDetails = { kind: 'transient', code: 'KT-PROVIDER-UNREACHABLE', message: 'refused' };

export interface FakeOptions {
  readonly strategy?: EngineStrategy;
  readonly policy?: Partial<RotationPolicy>;
  /** Lifetime of new keys. */
  readonly ttlMs?: number;
  /** Told of each call before it acts: what is posted here reaches the workflow together with the call's result. */
  readonly onCall?: (name: Name) => void;
}

export class FakeCredential {
  record: CredentialRecord;
  policy: RotationPolicy;
  readonly strategy: EngineStrategy;
  /** What verify says, first come first served; then `verified`. */
  verdicts: Verdict[] = [];
  /** Every call, in order. */
  readonly calls: string[] = [];
  #failing = new Map<Name, StepFailureDetails>();
  #held = new Map<Name, Promise<void>>();
  readonly #ttlMs: number | null;
  readonly #onCall: (name: Name) => void;

  constructor(
    readonly credentialId: string,
    private readonly now: () => number,
    options: FakeOptions = {},
  ) {
    this.strategy = options.strategy ?? classB;
    this.policy = { ...usualPolicy, minIntervalMs: 0, ...options.policy };
    this.#ttlMs = options.ttlMs ?? null;
    this.#onCall = options.onCall ?? (() => undefined);
    const identity = { provider: 'mambu', baseUrl: 'https://acme.example/api', account: 'c', strategy: 'any' };
    const key = { keyId: 'key-1', fingerprint: 'hmac:1', identity, secretKey: 'ok', nowMs: now() } as const;
    this.record = firstRecord(credentialId, 'installation', key);
  }

  /** From now on until `mend`. */
  fail(name: Name, details: StepFailureDetails = transient): void {
    this.#failing.set(name, details);
  }
  mend(): void {
    this.#failing.clear();
  }
  /** The activity hangs until the returned function is called. */
  hold(name: Name): () => void {
    let open = (): void => undefined;
    this.#held.set(name, new Promise((resolve) => (open = resolve)));
    return () => {
      this.#held.delete(name);
      open();
    };
  }
  count(name: Name): number {
    return this.calls.filter((c) => c === name).length;
  }

  readonly activities: CredentialActivities = {
    load: (input) =>
      this.#step('load', input, () => ({
        view: this.#view(),
        policy: this.policy,
        capability: this.strategy.class,
        provider: 'mambu',
        installationId: 'installation',
        skewMs: 0,
        seen: this.record.seen,
        scheduledNextMs: null,
        scheduledUnservedMs: null,
        repointed: null,
        searchAttributes: ['KeyturnStatus', 'KeyturnVersion'],
      })),
    plan: (input) => this.#step('plan', input, () => this.#plan(input)),
    rotate: (input) =>
      this.#step('rotate', input, () => {
        const made = this.record.highestVersion + 1;
        const fresh = {
          keyId: `key-${made}`,
          fingerprint: `hmac:${made}`,
          secretKey: 'ok',
          createdAtMs: this.now(),
        } as const;
        const expiresAtMs = this.#ttlMs === null ? null : this.now() + this.#ttlMs;
        if (!pendingOf(this.record))
          this.#apply(change.stage(this.record, input.operationId, 1, { ...fresh, expiresAtMs }));
        return { state: 'sealed' as const, view: this.#view() };
      }),
    persist: (input) => this.#step('persist', input, () => ({ view: this.#view(), usableAtMs: this.now() })),
    equip: (input) => this.#step('equip', input, () => ({ view: this.#view(), waitingFor: [] })),
    verify: (input) =>
      this.#step('verify', input, () => ({ view: this.#view(), verdict: this.verdicts.shift() ?? { do: 'verified' } })),
    publish: (input) =>
      this.#step('publish', input, () => {
        const facts = { outcome: 'rotated', version: null, endedAtMs: this.now(), error: null } as const;
        const rotation: RotationFacts = { ...input.rotation, ...facts };
        const force = !canGoBack(this.strategy);
        this.#apply(
          change.publish(this.record, input.operationId, {
            nowMs: this.now(),
            verified: input.verified,
            force,
            rotation,
          }),
        );
        return this.#view();
      }),
    takeBack: (input) => this.#step('takeBack', input, () => this.#write(change.dropPending(this.record, null))),
    giveUpKey: (input) => this.#step('giveUpKey', input, () => this.#write(change.dropPending(this.record, null))),
    close: (input) =>
      this.#step('close', input, () => {
        const version = currentOf(this.record)?.version ?? null;
        this.#apply(change.close(this.record, { ...input.rotation, version, endedAtMs: this.now() }, null));
        return this.#view();
      }),
    note: (input) =>
      this.#step('note', input, () => {
        for (const n of input.notes) {
          if (n.kind === 'leaked') this.#write(change.markLeaked(this.record, n.versions));
          if (n.kind === 'waiting') this.#write(change.keepWaiting(this.record, n.request));
          if (n.kind === 'acknowledge') this.#write(change.acknowledged(this.record, n.consumer, n.version, n.atMs));
          if (n.kind === 'pause')
            this.#write(change.setPaused(this.record, { sinceMs: n.atMs, by: n.by, reason: n.reason }));
          if (n.kind === 'resume') this.#write(change.setPaused(this.record, null));
          if (n.kind === 'seen') {
            const seen = remember(this.record.seen, n.requestId, n.atMs, n.joined);
            this.#write(change.dropWaiting({ ...this.record, seen }, n.requestId));
          }
        }
        return this.#view();
      }),
    recall: (input) => this.#step('recall', input, () => storedOutcome(this.record, input.requestId, this.now())),
    rollback: (input) => this.#step('rollback', input, () => this.#view()),
    retire: (input) =>
      this.#step('retire', input, () => {
        const old = this.record.versions.find((v) => v.version === input.version);
        if (!old || retireDueMs(old, 0) > this.now()) return this.#view();
        return this.#write(change.destroy(this.record, input.version, 'listed', this.now()));
      }),
    completeKey: (input) => this.#step('completeKey', input, () => this.#view()),
    settleDebt: (input) => this.#step('settleDebt', input, () => this.#view()),
  };

  async #step<T>(name: Name, _input: Believed, act: () => T): Promise<T> {
    this.calls.push(name);
    this.#onCall(name);
    await this.#held.get(name);
    const failure = this.#failing.get(name);
    if (failure) throw toApplicationFailure(failure);
    return act();
  }

  #plan(input: StepInput & Parameters<CredentialActivities['plan']>[0]): Planned {
    const { operationId, request, startedAtMs } = input;
    const rest = {
      policy: this.policy,
      strategy: this.strategy,
      compensating: false,
      refusedAtMs: null,
      toVersion: null,
    };
    const fresh = { operationId, request, startedAtMs, fromVersion: currentOf(this.record)?.version ?? 0, ...rest };
    const ended = this.record.history.find((h) => h.operationId === operationId);
    if (!ended && !this.record.operation) this.#apply(change.begin(this.record, fresh));
    const operation = this.record.operation ?? fresh;
    const other = operation.operationId === operationId ? null : { adopt: operation };
    return {
      view: this.#view(),
      operation,
      policy: this.policy,
      capability: this.strategy.class,
      canGoBack: canGoBack(this.strategy),
      scheduledNextMs: null,
      instead: ended ? { ended } : other,
    };
  }

  #apply(t: change.Transition): void {
    if (t.kind === 'lost') throw toApplicationFailure({ kind: 'transient', code: 'KT-CONFLICT', message: t.because });
    if (t.kind === 'next') this.#write(t.record);
  }

  #write(record: CredentialRecord): RecordView {
    if (record !== this.record) this.record = { ...record, seq: this.record.seq + 1 };
    return this.#view();
  }

  #view(): RecordView {
    return viewOf(this.record, null);
  }
}

export { classB, classD };

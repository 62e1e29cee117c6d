/**
 * Variants that must fail: each replaces one function of the domain or one step by what a simpler design would do. The search has to find out,
 * else the invariants or the environment are too weak to mean anything.
 */
import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { Engine } from '../../src/activities/engine.js';
import type { Custody, Opened } from '../../src/custody/custody.js';
import { intend, nextIntentN } from '../../src/domain/intents.js';
import { currentOf, pendingOf, type RetirementFacts, type VersionFacts } from '../../src/domain/record.js';
import { Secret } from '../../src/domain/secret.js';
import { destroy, stage, type Transition } from '../../src/domain/transitions.js';
import type { sendGuarded } from '../../src/providers/guard.js';
import type { Created, Fields, Provider } from '../../src/providers/provider.js';
import { ProviderFailure } from '../../src/domain/failure.js';
import { realSteps, type Steps } from './steps.js';
import { scenario } from './scenario.js';
import { search, type CounterExample } from './search.js';
import type { InvariantName } from './invariants.js';

export interface Naive {
  readonly name: string;
  readonly scenario: string;
  /** The invariant that has to turn red. */
  readonly breaks: InvariantName;
  readonly steps?: () => Partial<Steps>;
  /** Replaces exports of a module; to be called before the model is loaded. */
  readonly mock?: () => void;
}

const isDue = (r: RetirementFacts, dueMs: number): number => r.nextAttemptAtMs ?? dueMs;

const retirement =
  (dueMs: (r: RetirementFacts) => number): (() => void) =>
  () =>
    vi.doMock('../../src/domain/retirement.js', async (original) => ({
      ...(await original<object>()),
      retireDueMs: ({ retirement: r }: VersionFacts) => (r ? isDue(r, dueMs(r)) : Number.POSITIVE_INFINITY),
    }));

const withProvider = (engine: Engine, change: (p: Provider) => Provider): Engine =>
  new Engine({ ...engine.deps, provider: (name) => change(engine.deps.provider(name)) });

const nextOf = (t: Transition) => {
  if (t.kind !== 'next') throw new Error('the naive variant has lost its way');
  return t.record;
};

const revokeBeforePublish: Steps['publish'] = async (engine, input) => {
  const w = await engine.open(input);
  const [pending, current] = [pendingOf(w.opened.record), currentOf(w.opened.record)];
  if (pending && current) {
    const context = await engine.context(w, engine.values(w.opened, pending.version), input.operationId);
    await w.provider.retire(context, engine.values(w.opened, current.version).keyId, 'destroy');
  }
  return realSteps.publish(engine, input);
};

const retriedCreate: Steps['rotate'] = (engine, input) =>
  realSteps.rotate(
    withProvider(engine, (p) => ({
      ...p,
      create: (context, intent) =>
        p.create(context, intent).catch((error: unknown) => {
          if (error instanceof ProviderFailure && error.class === 'unknown') return p.create(context, intent);
          throw error;
        }),
    })),
    input,
  );

const intentAfterTheCall: Steps['rotate'] = async (engine, input) => {
  const w = await engine.open(input);
  const operation = engine.operation(w.opened.record, input);
  const current = currentOf(w.opened.record);
  if (!pendingOf(w.opened.record) && current) {
    const context = await engine.context(w, engine.values(w.opened, current.version), input.operationId);
    const prepared = { kind: 'create-key', idempotencyKey: randomUUID(), body: null } as const;
    const created = await w.provider.create(context, prepared);
    const fingerprint = await engine.deps.custody.fingerprint(created.fields['apiKey'] ?? new Secret(''));
    await engine.deps.custody.update(w.credentialId, ({ record, shelf }) => {
      const nowMs = engine.now();
      const n = nextIntentN(record);
      const { kind, idempotencyKey } = prepared;
      const { operationId } = operation;
      const times = { createdAtMs: nowMs, sendBeforeMs: nowMs, sends: 1, inventory: null };
      const intent = { n, operationId, kind, idempotencyKey, epoch: record.epoch, settled: 'open', ...times } as const;
      const fresh = { keyId: created.keyId ?? '', fingerprint, expiresAtMs: null, secretKey: null, createdAtMs: nowMs };
      const staged = nextOf(stage(nextOf(intend(record, intent)), operationId, n, fresh));
      const values = { keyId: fresh.keyId, fields: created.fields };
      const versions = { ...shelf.versions, [staged.highestVersion]: values };
      return { next: { record: staged, shelf: { ...shelf, versions } }, value: null };
    });
  }
  const { opened } = await engine.open(input);
  return { state: 'sealed', view: await engine.view(w.config, opened.record) };
};

/** The answer is verified as it is in memory, and what the store made of it is never looked at. */
function withoutReadBack(): Partial<Steps> {
  const inMemory = new Map<string, Fields>();
  const remember = async (made: Promise<Created>): Promise<Created> => {
    const created = await made;
    if (created.keyId !== null) inMemory.set(created.keyId, created.fields);
    return created;
  };
  const remembering = (engine: Engine): Engine =>
    withProvider(engine, (p) => ({ ...p, create: (context, intent) => remember(p.create(context, intent)) }));
  const fromMemory = (opened: Opened): Opened => {
    const { record, shelf } = opened;
    const pending = pendingOf(record);
    const values = shelf.versions[String(pending?.version)];
    const fields = values && inMemory.get(values.keyId);
    if (!pending || !values || !fields) return opened;
    return { record, shelf: { ...shelf, versions: { ...shelf.versions, [pending.version]: { ...values, fields } } } };
  };
  return {
    rotate: (engine, input) => realSteps.rotate(remembering(engine), input),
    async persist(engine, input) {
      const w = await engine.open(input);
      return { view: await engine.view(w.config, w.opened.record), usableAtMs: engine.now() };
    },
    verify(engine, input) {
      const { custody } = engine.deps;
      const read: Custody['read'] = async (id) => {
        const opened = await custody.read(id);
        return opened && fromMemory(opened);
      };
      return realSteps.verify(new Engine({ ...engine.deps, custody: { ...custody, read } }), input);
    },
  };
}

/** The id of the old key is deleted, whatever it names by now. */
const revokeByKeptId: Steps['retire'] = async (engine, input) => {
  const w = await engine.open(input);
  const { record } = w.opened;
  const [current, old] = [currentOf(record), record.versions.find((v) => v.version === input.version)];
  if (!current || !old) return engine.view(w.config, record);
  const context = await engine.context(w, engine.values(w.opened, current.version), `retire/${input.version}`);
  await w.provider.retire(context, engine.values(w.opened, old.version).keyId, 'destroy');
  const opened = await engine.change(w.credentialId, (r) => destroy(r, old.version, 'listed', engine.now()));
  return engine.view(w.config, opened.record);
};

export const naive: readonly Naive[] = [
  {
    name: 'revoke-before-publish',
    scenario: 'B',
    breaks: '2 no gap within refreshWithin',
    steps: () => ({ publish: revokeBeforePublish }),
  },
  {
    name: 'grace-from-demotion',
    scenario: 'B',
    breaks: '5 never revoked before revokeAt',
    mock: retirement((r) => r.supersededAtMs + r.graceMs),
  },
  {
    name: 'retried-create',
    scenario: 'C',
    breaks: '6 no blind write, an intent first',
    steps: () => ({ rotate: retriedCreate }),
  },
  {
    name: 'no-fencing',
    scenario: 'C',
    breaks: '8 stale calls lose',
    mock: () =>
      vi.doMock('../../src/providers/guard.js', async (original) => {
        const real = await original<{ readonly sendGuarded: typeof sendGuarded }>();
        const unfenced: typeof sendGuarded = (guard, request) =>
          real.sendGuarded({ ...guard, beforeWrite: () => Promise.resolve() }, request);
        return { ...real, sendGuarded: unfenced };
      }),
  },
  {
    name: 'no-read-back',
    scenario: 'C, rotten store',
    breaks: '1 the published key is accepted',
    steps: withoutReadBack,
  },
  {
    name: 'intent-after-the-call',
    scenario: 'C',
    breaks: '6 no blind write, an intent first',
    steps: () => ({ rotate: intentAfterTheCall }),
  },
  {
    name: 'ack-shortens-the-grace',
    scenario: 'B, requests',
    breaks: '5 never revoked before revokeAt',
    mock: retirement((r) => Math.max(...r.consumers.map((c) => c.ackedAtMs ?? c.ackByMs)) + r.graceMs),
  },
  {
    name: 'revoke-by-kept-id',
    scenario: 'D, id kept',
    breaks: '1 the published key is accepted',
    steps: () => ({ retire: revokeByKeptId }),
  },
];

/** Searches the variant; null: nothing was found, it passes for correct. */
export async function searchNaive(variant: Naive, deviations: number): Promise<CounterExample | null> {
  const bounds = { deviations, untilMs: Number.POSITIVE_INFINITY };
  const options = variant.steps ? { steps: variant.steps() } : {};
  if (!variant.mock) return (await search(scenario(variant.scenario), bounds, options)).found;
  // The model once more, with the replaced module in it; it shares nothing with the one imported above.
  vi.resetModules();
  try {
    variant.mock();
    const mutant = await import('./search.js');
    return (await mutant.search(scenario(variant.scenario), bounds)).found;
  } finally {
    vi.doUnmock('../../src/domain/retirement.js');
    vi.doUnmock('../../src/providers/guard.js');
    vi.resetModules();
  }
}

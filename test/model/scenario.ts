/** What is run: a class of provider, a policy, and what the environment may do. */
import type { Capability } from '../../src/domain/capability.js';
import type { RotationPolicy, Timing } from '../../src/domain/record.js';
import type { SystemRules } from './system.js';

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;

/** Things that happen around a rotation; each at most once in a run of the exhaustive search. */
export type WorldEvent =
  | 'terminate'
  | 'continue-as-new'
  | 'compromise'
  | 'old-leaked'
  | 'duplicate'
  | 'second'
  | 'rollback'
  | 'ack'
  | 'pause'
  | 'resume'
  | 'new-policy'
  | 'worker-away'
  | 'foreign-key'
  | 'secret-replaced';

export interface Scenario {
  readonly name: string;
  readonly capability: Capability;
  readonly rules: SystemRules;
  readonly restorable: boolean;
  readonly policy: RotationPolicy;
  readonly timing: Timing;
  readonly events: readonly WorldEvent[];
  /** `none`: provider, store and workers do what they should. */
  readonly faults: 'all' | 'none';
  /** The store spoils what it is given, at one write. */
  readonly rot: boolean;
  /** The run ends here at the latest; else when nothing is left to do. */
  readonly endsAfterMs: number;
}

export const policy: RotationPolicy = {
  graceMs: 10 * minute,
  refreshWithinMs: minute,
  minIntervalMs: 0,
  renewBeforeMs: hour,
  activationLagMs: 0,
  consumers: [{ name: 'billing', ackWithinMs: 20 * minute }],
};

const timing: Timing = {
  sendWithinMs: 5 * second,
  httpTimeoutMs: 15 * second,
  skewMs: 2 * second,
  verifyAgainAfterMs: 5 * minute,
  propagationMs: 0,
  settleMs: 0,
  observeMs: 0,
};

const server: Capability = {
  value: 'server',
  replayWindowMs: 0,
  listable: true,
  overlap: 'ours',
  propagationMs: 0,
  strikeLimit: 10,
  intents: ['create-key'],
  keyIdIsSecret: false,
  needsSecretKey: false,
};

const rules: SystemRules = { graceMs: null, rotationKeepsId: false, replayWindowMs: 0, ttlMs: null, denies: [] };
const common = {
  restorable: false,
  policy,
  timing,
  events: [],
  faults: 'all',
  rot: false,
  endsAfterMs: 12 * hour,
} as const;

/** Client's value: Apigee's custom keys. */
const a: Scenario = {
  ...common,
  name: 'A',
  capability: { ...server, value: 'client', keyIdIsSecret: true, propagationMs: 200 * second },
  rules,
  restorable: true,
  timing: { ...timing, propagationMs: 200 * second, settleMs: minute, observeMs: 10 * minute },
};

/** Server's value, replayed for the same idempotency key: Mambu's create and delete. */
const b: Scenario = {
  ...common,
  name: 'B',
  capability: { ...server, replayWindowMs: 6 * hour },
  rules: { ...rules, replayWindowMs: 6 * hour },
};

/** Server's value, listable. */
const c: Scenario = { ...common, name: 'C', capability: server, rules };

const tenantGraceMs = 2 * hour;

/** Rotation in place with the tenant's grace: Mambu's `POST /apikey/rotation`, recovered by create-key and create-secret. */
const d: Scenario = {
  ...common,
  name: 'D',
  capability: {
    ...server,
    overlap: 'provider',
    providerGraceMs: tenantGraceMs,
    replayWindowMs: 6 * hour,
    intents: ['rotate', 'create-key', 'create-secret'],
    needsSecretKey: true,
  },
  rules: { ...rules, graceMs: tenantGraceMs, replayWindowMs: 6 * hour },
};

const dKeepsId: Scenario = { ...d, name: 'D, id kept', rules: { ...d.rules, rotationKeepsId: true } };
const dDenied: Scenario = {
  ...d,
  name: 'D, no create',
  rules: { ...d.rules, denies: ['create-key', 'create-secret'] },
};

const lives: readonly WorldEvent[] = ['terminate', 'continue-as-new', 'worker-away', 'foreign-key'];
const requests: readonly WorldEvent[] = [
  'compromise',
  'old-leaked',
  'duplicate',
  'second',
  'rollback',
  'ack',
  'pause',
  'resume',
  'new-policy',
];

const faulty = [a, b, c, d, dKeepsId, dDenied].map((s): Scenario => ({
  ...s,
  events: s.capability.needsSecretKey ? [...lives, 'secret-replaced'] : lives,
}));
const asked = [a, b, d].map((s): Scenario => ({
  ...s,
  name: `${s.name}, requests`,
  faults: 'none',
  events: [...requests, ...lives],
}));
/** Keys that end by themselves, so that the entity renews them unasked. */
const expiring: Scenario = {
  ...b,
  name: 'B, expiry',
  capability: { ...b.capability, keyTtlMs: 6 * hour },
  rules: { ...b.rules, ttlMs: 6 * hour },
  events: lives,
  endsAfterMs: 8 * hour,
};

const rotten: Scenario = { ...c, name: 'C, rotten store', rot: true, events: lives };

export const scenarios: readonly Scenario[] = [...faulty, ...asked, expiring, rotten];

export function scenario(name: string): Scenario {
  const found = scenarios.find((s) => s.name === name);
  if (!found) throw new Error(`no scenario ${name}`);
  return found;
}

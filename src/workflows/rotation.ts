/**
 * One rotation, as a story: plan, rotate, persist, equip, verify, publish. It knows no Temporal and no provider; the entity binds `Steps` to
 * activities and timers, model tests bind them to an adversary. Re-entered with the same operation it walks the same line: each step finds
 * its own work in the record and returns at once.
 */
import type { ErrorCode } from '../domain/errors.js';
import type { Verdict } from '../domain/verification.js';

export interface Steps {
  /** Instant on the workflow's deterministic clock. */
  now(): number;
  /** Waits durably. @throws RotationStopped when a compromise takes precedence and this rotation can go back */
  until(instantMs: number): Promise<void>;
  /** Opens the operation in the record. Every step parks by itself while the provider or the store is out. @throws RotationStopped */
  plan(): Promise<Plan>;
  /** At most one write at the provider; `again`: the outcome is not known yet, or there is more to make. */
  rotate(): Promise<{ readonly state: 'sealed' } | { readonly state: 'again'; readonly atMs: number }>;
  /** Reads the sealed key back from the store and compares. Resolves with the instant from which it may be used. */
  persist(): Promise<{ readonly usableAtMs: number }>;
  /** Gives the new key the old one's scope; parks while a human has to approve. */
  equip(): Promise<void>;
  /** Uses the value read back from the store. */
  verify(): Promise<Verdict>;
  publish(verified: boolean): Promise<void>;
  /** The first attempt to kill what leaked belongs to the rotation; nothing to do where nothing leaked. */
  killLeaked(): Promise<void>;
  /** Undo of `rotate`: removes the new key at the provider and in the record. */
  takeBack(): Promise<void>;
  /** The new key is refused for good and the provider cannot go back: forget it, another one has to be made. */
  giveUpKey(): Promise<void>;
}

export interface Plan {
  /** The new key can be taken back without hurting the old one (classes A–C). */
  readonly canGoBack: boolean;
  /** Set when this operation was already being taken back before a crash. */
  readonly takingBack: boolean;
}

/** How a rotation ends before publish. Not an error of the code: those are never caught here. */
export class RotationStopped extends Error {
  override readonly name = 'RotationStopped';
  constructor(
    readonly outcome: 'failed' | 'needs-operator' | 'rolled-back',
    readonly code: ErrorCode,
    message: string,
    readonly deadlineMs: number | null = null,
  ) {
    super(message);
  }
}

const MAX_KEYS_PER_ROTATION = 3;
const MAX_CORRECTIONS = 8;

/** Resolves after publish. @throws RotationStopped after everything that can be undone was undone */
export async function rotation(steps: Steps): Promise<void> {
  await makeAndPublish(steps);
  try {
    await steps.killLeaked();
  } catch (stopped) {
    // The rotation ended at publish and nothing rewrites that; what leaked stays due in the retirement lane.
    if (!(stopped instanceof RotationStopped)) throw stopped;
  }
}

async function makeAndPublish(steps: Steps): Promise<void> {
  const undo: (() => Promise<void>)[] = [];
  try {
    const plan = await steps.plan();
    if (plan.canGoBack) undo.unshift(() => steps.takeBack());
    if (plan.takingBack) throw new RotationStopped('rolled-back', 'KT-NEW-KEY-REFUSED', 'taking the new key back');
    const verified = await makeProvenKey(steps, plan);
    await steps.publish(verified);
  } catch (stopped) {
    if (!(stopped instanceof RotationStopped)) throw stopped;
    for (const step of undo) await step();
    throw stopped;
  }
}

/** Resolves with whether the new key was seen to work. */
async function makeProvenKey(steps: Steps, plan: Plan): Promise<boolean> {
  for (let keys = 0; keys < MAX_KEYS_PER_ROTATION; keys++) {
    await makeKey(steps);
    const { usableAtMs } = await steps.persist();
    await steps.equip();
    await steps.until(usableAtMs);
    const verdict = await prove(steps);
    if (verdict !== 'refused') return verdict === 'verified';
    if (plan.canGoBack)
      throw new RotationStopped('rolled-back', 'KT-NEW-KEY-REFUSED', 'the provider refuses the new key');
    await steps.giveUpKey();
  }
  throw new RotationStopped('needs-operator', 'KT-CAPABILITY-LOST', 'the provider refuses every new key');
}

async function makeKey(steps: Steps): Promise<void> {
  let attempt = await steps.rotate();
  while (attempt.state === 'again') {
    await steps.until(attempt.atMs);
    attempt = await steps.rotate();
  }
}

async function prove(steps: Steps): Promise<'verified' | 'unverified' | 'refused'> {
  for (let corrections = 0; ;) {
    const verdict = await steps.verify();
    switch (verdict.do) {
      case 'verified':
      case 'refused':
        return verdict.do;
      case 'again':
        await steps.until(verdict.atMs);
        break;
      case 'differs':
        // A read may lag behind what was written, or somebody has changed the old key's scope meanwhile: it is followed.
        if (++corrections > MAX_CORRECTIONS)
          throw new RotationStopped('rolled-back', 'KT-SCOPE-DIFFERS', `scopes differ: ${verdict.in.join(', ')}`);
        await steps.equip();
        await steps.until(verdict.atMs);
        break;
      case 'publish-unverified':
        await steps.until(verdict.atMs);
        return 'unverified';
      default:
        verdict satisfies never;
    }
  }
}

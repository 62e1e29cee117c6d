import { describe, expect, test } from 'vitest';
import type { Verdict } from '../../../src/domain/verification.js';
import { rotation, RotationStopped, type Plan, type Steps } from '../../../src/workflows/rotation.js';

type Rotated = Awaited<ReturnType<Steps['rotate']>>;

interface Script {
  readonly plan?: Partial<Plan>;
  /** Answers one after the other; the last one for good. */
  readonly rotated?: readonly Rotated[];
  readonly verdicts?: readonly Verdict[];
  /** What the named call throws, on its nth call (default the first). */
  readonly fails?: { readonly at: keyof Steps; readonly error: unknown; readonly nth?: number };
}

/** Steps that follow a script and write down what was asked of them, with the instant of each wait. */
function scripted(script: Script = {}): { readonly steps: Steps; readonly calls: string[] } {
  const calls: string[] = [];
  const count = new Map<string, number>();
  const call = (name: keyof Steps, shown: string = name): number => {
    calls.push(shown);
    const nth = (count.get(name) ?? 0) + 1;
    count.set(name, nth);
    const { fails } = script;
    if (fails?.at === name && nth === (fails.nth ?? 1)) throw fails.error;
    return nth;
  };
  const nthOf = <T>(list: readonly T[] | undefined, nth: number, otherwise: T): T =>
    list?.[nth - 1] ?? list?.at(-1) ?? otherwise;
  const steps: Steps = {
    now: () => 0,
    until: async (ms) => void call('until', `until ${ms}`),
    plan: async () => {
      call('plan');
      return { canGoBack: true, takingBack: false, ...script.plan };
    },
    rotate: async () => nthOf<Rotated>(script.rotated, call('rotate'), { state: 'sealed' }),
    persist: async () => {
      call('persist');
      return { usableAtMs: 7 };
    },
    equip: async () => void call('equip'),
    verify: async () => nthOf<Verdict>(script.verdicts, call('verify'), { do: 'verified' }),
    publish: async (verified) => void call('publish', `publish ${verified ? 'verified' : 'unverified'}`),
    killLeaked: async () => void call('killLeaked'),
    takeBack: async () => void call('takeBack'),
    giveUpKey: async () => void call('giveUpKey'),
  };
  return { steps, calls };
}

async function run(script: Script): Promise<{ calls: string[]; error: unknown }> {
  const { steps, calls } = scripted(script);
  const error: unknown = await rotation(steps).then(
    () => null,
    (reason: unknown) => reason,
  );
  return { calls, error };
}

const differs = { do: 'differs', in: ['product:orders'], atMs: 5 } as const;
const stopped = (outcome: RotationStopped['outcome'] = 'failed') => new RotationStopped(outcome, 'KT-FORBIDDEN', 'x');
const make = ['rotate', 'persist', 'equip', 'until 7'];
const story = ['plan', ...make, 'verify', 'publish verified', 'killLeaked'];

describe('a rotation', () => {
  test('plans, rotates, persists, equips, waits out the activation lag, verifies, publishes; what leaked dies after that', async () => {
    expect(await run({})).toEqual({ calls: story, error: null });
  });

  test('asks again at the told instants until the key is sealed', async () => {
    const { calls } = await run({
      rotated: [{ state: 'again', atMs: 1 }, { state: 'again', atMs: 2 }, { state: 'sealed' }],
    });
    expect(calls).toEqual(['plan', 'rotate', 'until 1', 'rotate', 'until 2', ...story.slice(1)]);
  });

  test('verifies again when one refusal is no verdict', async () => {
    const { calls } = await run({ verdicts: [{ do: 'again', atMs: 9 }, { do: 'verified' }] });
    expect(calls).toEqual(['plan', ...make, 'verify', 'until 9', 'verify', 'publish verified', 'killLeaked']);
  });

  test('gives the new key the scope again that somebody has changed meanwhile', async () => {
    const { calls } = await run({ verdicts: [differs, { do: 'verified' }] });
    expect(calls).toEqual(['plan', ...make, 'verify', 'equip', 'until 5', 'verify', 'publish verified', 'killLeaked']);
  });

  test('is taken back when the scopes do not become equal', async () => {
    const { calls, error } = await run({ verdicts: [differs] });
    expect(calls.filter((call) => call === 'equip')).toHaveLength(9);
    expect(calls.slice(-2)).toEqual(['verify', 'takeBack']);
    expect(error).toMatchObject({ outcome: 'rolled-back', code: 'KT-SCOPE-DIFFERS' });
  });

  test('publishes unverified at the last safe instant, not before', async () => {
    const { calls } = await run({ plan: { canGoBack: false }, verdicts: [{ do: 'publish-unverified', atMs: 99 }] });
    expect(calls).toEqual(['plan', ...make, 'verify', 'until 99', 'publish unverified', 'killLeaked']);
  });
});

describe('undo', () => {
  test.each(['rotate', 'persist', 'equip', 'until', 'verify', 'publish'] as const)(
    'follows a rotation that stops in %s, where the class can go back',
    async (at) => {
      const error = stopped();
      const outcome = await run({ fails: { at, error } });
      expect(outcome.error).toBe(error);
      expect(outcome.calls.at(-1)).toBe('takeBack');
      expect(outcome.calls.filter((c) => c === 'takeBack')).toHaveLength(1);
      expect(outcome.calls.slice(0, -1)).not.toContain('killLeaked');
    },
  );

  test.each(['rotate', 'verify', 'publish'] as const)('never follows where it cannot: %s', async (at) => {
    const { calls, error } = await run({ plan: { canGoBack: false }, fails: { at, error: stopped('needs-operator') } });
    expect(calls).not.toContain('takeBack');
    expect(error).toMatchObject({ outcome: 'needs-operator' });
  });

  test('has nothing to undo when the plan is refused', async () => {
    expect((await run({ fails: { at: 'plan', error: stopped() } })).calls).toEqual(['plan']);
  });

  test('follows a refused new key, outcome rolled-back', async () => {
    const { calls, error } = await run({ verdicts: [{ do: 'refused' }] });
    expect(calls).toEqual(['plan', ...make, 'verify', 'takeBack']);
    expect(error).toMatchObject({ outcome: 'rolled-back', code: 'KT-NEW-KEY-REFUSED' });
  });

  test('that was begun before a crash is gone on with, and nothing is made', async () => {
    const { calls, error } = await run({ plan: { takingBack: true } });
    expect(calls).toEqual(['plan', 'takeBack']);
    expect(error).toMatchObject({ outcome: 'rolled-back' });
  });

  test('that stops itself is told, and is not tried twice', async () => {
    const second = new RotationStopped('needs-operator', 'KT-LOCKED-OUT', 'y');
    const { calls, error } = await run({ plan: { takingBack: true }, fails: { at: 'takeBack', error: second } });
    expect(calls).toEqual(['plan', 'takeBack']);
    expect(error).toBe(second);
  });
});

describe('a refused key that cannot be taken back', () => {
  const plan = { canGoBack: false };

  test('is forgotten and another one is made', async () => {
    const { calls } = await run({ plan, verdicts: [{ do: 'refused' }, { do: 'verified' }] });
    expect(calls).toEqual(['plan', ...make, 'verify', 'giveUpKey', ...story.slice(1)]);
  });

  test('is replaced at most twice, then an operator is needed', async () => {
    const { calls, error } = await run({ plan, verdicts: [{ do: 'refused' }] });
    expect(calls.filter((c) => c === 'rotate')).toHaveLength(3);
    expect(calls.filter((c) => c === 'giveUpKey')).toHaveLength(3);
    expect(calls).not.toContain('takeBack');
    expect(error).toMatchObject({ outcome: 'needs-operator', code: 'KT-CAPABILITY-LOST' });
  });
});

describe('after publish', () => {
  test('nothing is undone and nothing rewrites the outcome when a leaked key does not die yet', async () => {
    expect(await run({ fails: { at: 'killLeaked', error: stopped() } })).toEqual({ calls: story, error: null });
  });
});

describe('an error that is no RotationStopped', () => {
  const bug = new TypeError('a bug, or the end of this run');
  const all = ['plan', 'rotate', 'persist', 'equip', 'until', 'verify', 'publish', 'killLeaked'] as const;

  test.each(all)('passes through %s untouched and undoes nothing', async (at) => {
    const { calls, error } = await run({ fails: { at, error: bug } });
    expect(error).toBe(bug);
    expect(calls).not.toContain('takeBack');
  });

  test.each(['takeBack', 'giveUpKey'] as const)('passes through %s', async (at) => {
    const plan = { canGoBack: at === 'takeBack' };
    expect((await run({ plan, verdicts: [{ do: 'refused' }], fails: { at, error: bug } })).error).toBe(bug);
  });
});

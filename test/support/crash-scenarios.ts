/** A worker dies in each step of a rotation; the next one ends the rotation as promised. One suite for each strategy. */
import { describe, expect, it } from 'vitest';
import { expectAllWell, madeIn } from './guarantees.js';
import { eventually } from './around.js';
import { installation, type Installation, type InstallationOptions } from './installation.js';
import { requestsTo } from './invariants.js';
import { sample } from './sample.js';
import { workerProcess, type Point } from './worker-process.js';

type Strategy = NonNullable<InstallationOptions['strategy']>;

/** Where a worker dies by its own hand, the worst moments first. `answerLost`: nobody will ever know the answer to the write. */
const ownDeaths: readonly { step: string; at: Point; answerLost?: true; sent?: false }[] = [
  { step: 'rotate, with an answer that is not sealed', at: 'before-key', answerLost: true },
  { step: 'rotate, with the intent written and nothing sent', at: 'after-intent', answerLost: true, sent: false },
  { step: 'publish, before its write', at: 'before-publish' },
  { step: 'publish, after its write', at: 'after-publish' },
  { step: 'retire, with the delete answered and not recorded', at: 'before-death' },
  { step: 'plan', at: 'plan' },
  { step: 'rotate, with the key sealed', at: 'after-key' },
  { step: 'persist', at: 'persist' },
  { step: 'verify, with the key seen to work and not recorded', at: 'before-verdict' },
  { step: 'retire, before the delete', at: 'retire' },
];

/** Where the request is on the wire when the worker dies: the tenant processes it later, or its answer is lost. */
const deathsOnTheWire = [
  { what: 'sent, to be processed after the death', when: 'before' },
  { what: 'sent and processed', when: 'after' },
] as const;

export function describeCrashes(strategy: Strategy): void {
  const inPlace = strategy === 'rotation';
  /** A lost create is sent again with its idempotency key; a lost rotation in place is not, another key takes its place. */
  const written = (answerLost: boolean, sent: boolean): readonly string[] => {
    if (!inPlace) return ['create-key'];
    return [...(sent ? ['rotate'] : []), ...(answerLost ? ['create-key', 'create-secret'] : [])];
  };

  describe(`a worker killed in the middle of ${strategy}`, () => {
    it.concurrent.for(sample(ownDeaths, inPlace ? 3 : 5))(
      'in $step: the next worker ends it as promised',
      async (death, { onTestFinished }) => {
        const { at, answerLost = false, sent = true } = death;
        const i = await installation({ strategy, onTestFinished });
        const worker = await workerProcess(i, { at, onTestFinished });
        await i.request('r-1');
        expect(await worker.ended).toBe('SIGKILL');
        // Within the tenant's grace a missing id proves nothing: only the end of that grace does.
        const oldRemains = inPlace && (answerLost || at === 'before-death');
        await expectMended(i, written(answerLost, sent), oldRemains);
      },
    );

    it.concurrent.for(sample(deathsOnTheWire, 1))(
      'in rotate, $what: the next worker ends it as promised',
      async (death, { onTestFinished }) => {
        const i = await installation({ strategy, onTestFinished });
        const route = inPlace ? '/apikey/rotation' : '/consumers/{id}/apikeys';
        i.simulator.faults.add({ match: { method: 'POST', route }, action: 'delay', ms: 1_500, when: death.when });
        const worker = await workerProcess(i, { onTestFinished });
        await i.request('r-1');
        await eventually('the request has arrived', () => requestsTo(i, 'POST', route).length === 1);
        worker.kill('SIGKILL');
        await expectMended(i, written(true, true), inPlace);
      },
    );
  });
}

async function expectMended(i: Installation, written: readonly string[], oldRemains: boolean): Promise<void> {
  await i.worker();
  const atRest = await i.until(
    'the rotation has come to rest',
    (s) =>
      s.current?.version === 2 &&
      s.rotation === null &&
      s.debts.length === 0 &&
      (oldRemains ? s.status === 'retiring' : s.previous.length === 0),
    45_000,
  );
  expect(atRest.lastRotation).toMatchObject({ requestId: 'r-1', version: 2 });
  expect(atRest.attention).toEqual([]);
  expect(madeIn(i)).toEqual(written);
  await expectAllWell(i, 2);
}

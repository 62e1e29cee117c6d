/** Everything that can be sent to an entity, over every end of a run: the same comes of it as in one that never continues as new. */
import { describe, expect, it } from 'vitest';
import { signalNames, updateNames, type RotateNowResult } from '../../src/contract.js';
import { day, entityId, hour, minute, virtualEntity } from '../support/virtual-entity.js';

const policy = {
  graceMs: hour,
  refreshWithinMs: 0,
  renewBeforeMs: day,
  consumers: [{ name: 'billing', ackWithinMs: 5 * hour }],
};

const { rotateNow, pause, resume, rollback, policyChanged, adopt } = updateNames;
const updates = [rotateNow, pause, resume, rollback, policyChanged, adopt];

/** A life with one of each kind. Where its runs end goes by `maxEvents`; what was sent in the very moment that one ended is in `met`. */
async function live(maxEvents?: number) {
  const met = new Set<string>();
  const during: Record<string, () => void> = {};
  const e = await virtualEntity({
    ttlMs: 30 * day,
    policy,
    ...(maxEvents === undefined ? {} : { maxEvents }),
    onCall(name) {
      during[name]?.();
      delete during[name];
    },
  });
  const { temporal, fake } = e;
  const routine = { reason: 'routine', source: 'operator' } as const;

  async function meeting<T>(what: string, send: () => Promise<T>): Promise<T> {
    const { runs } = e.execution;
    const answer = await send();
    if (e.execution.runs > runs) met.add(what);
    return answer;
  }
  const ask = (requestId: string, more: { reason?: 'compromise' } = {}): Promise<boolean> =>
    meeting(more.reason ?? 'routine', () => e.request(requestId, more));
  const acknowledge = (version: number): Promise<boolean> =>
    meeting('acknowledgement', () =>
      temporal.signal(entityId, signalNames.acknowledgeVersion, { consumer: 'billing', version }),
    );
  const update = (name: string, ...args: unknown[]): Promise<unknown> =>
    meeting(name, () => temporal.update(entityId, name, ...args));
  const post = (requestId: string): boolean =>
    temporal.post(entityId, signalNames.requestRotation, { ...routine, requestId });

  // One joins another as its key is verified, a third comes as that is published, each twice.
  during['verify'] = () => void [post('r-2'), post('r-2')];
  during['publish'] = () => void [post('r-3'), post('r-1')];
  await ask('r-1');
  await ask('r-3');
  await acknowledge(2);
  await temporal.advance(30 * minute);
  const inGrace = (await e.state()).previous;
  await temporal.advance(2 * hour);

  // A pause skips one and keeps another, and ends.
  await update(pause, { by: 'me', reason: 'audit' });
  await ask('r-4');
  await ask('leak-1', { reason: 'compromise' });
  await temporal.advance(hour);
  const paused = await e.state();
  await update(resume, {});
  await temporal.advance(minute);

  // A compromise overtakes a rotation that an outage has parked.
  fake.fail('verify');
  await ask('r-5');
  await temporal.advance(2 * minute);
  await ask('leak-2', { reason: 'compromise' });
  fake.mend();
  await temporal.advance(2 * minute);
  await acknowledge(5);

  const asked = await update(rotateNow, { ...routine, requestId: 'r-6' });
  await update(rollback, {});
  await update(policyChanged);
  await update(adopt, { version: 6 });
  await temporal.advance(6 * hour);
  const all = ['r-1', 'r-2', 'r-3', 'r-4', 'r-5', 'r-6', 'leak-1', 'leak-2'];
  const answers = [];
  for (const requestId of all) {
    const { ended } = (await update(rotateNow, { ...routine, requestId })) as RotateNowResult;
    answers.push([requestId, ended?.outcome, ended?.version, ended?.servedBy ?? ended?.skippedBecause]);
  }
  // Nobody asks for this one.
  await temporal.advance(30 * day);
  const { record } = fake;
  const { lastRotation: _its, ...end } = await e.state();
  return {
    runs: e.execution.runs,
    met,
    lived: {
      inGrace,
      paused: [paused.paused, paused.pendingRequests, paused.lastSkipped],
      asked,
      answers,
      history: record.history.map((h) => [h.requestId, h.reason, h.outcome, h.version]),
      destroyed: record.destroyed.map((d) => d.version),
      acknowledged: record.acknowledged,
      rollbacks: fake.count('rollback'),
      end,
    },
  };
}

it('is served once, in its order, and with the same outcome', async () => {
  const { lived: undisturbed, runs } = await live();
  expect(runs).toBe(1);
  expect(undisturbed).toMatchObject({
    answers: [
      ['r-1', 'rotated', 2, undefined],
      ['r-2', 'rotated', 2, 'r-1'],
      ['r-3', 'rotated', 2, 'r-1'],
      ['r-4', 'skipped', 2, 'paused'],
      ['r-5', 'rolled-back', 3, undefined],
      ['r-6', 'rotated', 6, undefined],
      ['leak-1', 'rotated', 3, undefined],
      ['leak-2', 'rotated', 5, undefined],
    ],
    rollbacks: 1,
    acknowledged: [{ consumer: 'billing', version: 5 }],
    inGrace: [{ version: 1, waitingFor: [] }],
    end: { status: 'idle', pendingRequests: 0, previous: [] },
  });
  expect(undisturbed.history.map(([requestId, , outcome]) => `${requestId} ${outcome}`)).toEqual([
    'expiry/6 rotated',
    'r-6 rotated',
    'leak-2 rotated',
    'r-5 rolled-back',
    'leak-1 rotated',
    'r-1 rotated',
  ]);
  const met = new Set<string>();
  for (let maxEvents = 36; maxEvents <= 76; maxEvents += 10) {
    const another = await live(maxEvents);
    expect(another.runs).toBeGreaterThan(5);
    expect(another.lived, `with runs of ${maxEvents} events`).toEqual(undisturbed);
    for (const what of another.met) met.add(what);
  }
  expect([...met].toSorted()).toEqual(['acknowledgement', 'compromise', 'routine', ...updates].toSorted());
}, 60_000);

describe('an entity that is started anew while the store is out', () => {
  async function startedAnew() {
    const e = await virtualEntity({ policy, maxEvents: 60 });
    await e.request('r-1');
    await e.temporal.cancel(entityId);
    e.fake.fail('load');
    const anew = await e.temporal.start('credential', entityId, { credentialId: 'core', maxEvents: 60 });
    return { ...e, anew };
  }

  it('keeps what was acknowledged meanwhile over its runs, and believes it of those who are known', async () => {
    const { fake, temporal, anew } = await startedAnew();
    for (const ack of [{ consumer: 'billing', version: 2 }, { consumer: 'nobody', version: 2 }, {}])
      await temporal.signal(entityId, signalNames.acknowledgeVersion, ack);
    await temporal.advance(30 * minute);
    expect(anew.runs).toBeGreaterThan(3);
    fake.mend();
    await temporal.advance(minute);
    expect(fake.record.acknowledged).toEqual([{ consumer: 'billing', version: 2 }]);
  });

  it('closes when it is cancelled, whatever it could not write', async () => {
    const { temporal, anew } = await startedAnew();
    await temporal.update(entityId, pause, { by: 'me' });
    await temporal.cancel(entityId);
    await temporal.advance(minute);
    expect(anew.closed).toBe('completed');
  });
});

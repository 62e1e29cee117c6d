/** Counter-examples that were found in the product, in the words of the explorer. Each was red before its mend. */
import { describe, expect, test } from 'vitest';
import { firstRequest, happen, request } from './events.js';
import { judge } from './invariants.js';
import { hour, minute, scenario } from './scenario.js';
import { replay } from './search.js';
import { WrittenTape, type Choice } from './tape.js';
import { World } from './world.js';

const found: readonly {
  readonly guarantee: string;
  readonly scenario: string;
  readonly deviations: readonly Choice[];
}[] = [
  {
    guarantee: 'a plan that was held up until another run has served its request begins nothing',
    scenario: 'C',
    deviations: [
      { point: 'plan#1 read 1', chosen: 'sleeps' },
      { point: 'before missed heartbeats#1', chosen: 'terminate' },
    ],
  },
  {
    guarantee: 'an attempt to end a key that slept before its first write leaves alone what another one holds by then',
    scenario: 'A',
    deviations: [{ point: 'retire#1 write 1', chosen: 'sleeps before' }],
  },
  {
    guarantee:
      'a refusal of a new key that a worker books after a long sleep shuts nobody out who has used the key since',
    scenario: 'B, expiry',
    deviations: [{ point: 'verify#1 list 1', chosen: 'not accepted yet, sleeps after' }],
  },
  {
    guarantee: 'nor does one of a key that had worked once before',
    scenario: 'D, id kept',
    deviations: [
      { point: 'verify#1 write 1', chosen: 'down' },
      { point: 'verify#2 list 1', chosen: 'not accepted yet, sleeps after' },
    ],
  },
  {
    guarantee: 'nor do two, one after the other',
    scenario: 'D, id kept',
    deviations: [
      { point: 'verify#1 list 1', chosen: 'not accepted yet, sleeps after' },
      { point: 'verify#2 list 1', chosen: 'not accepted yet, sleeps after' },
    ],
  },
  {
    guarantee:
      'a new key that is refused while the listing is out of reach gets its second try, and an expiring key is replaced',
    scenario: 'B, expiry',
    deviations: [
      { point: 'verify#1 list 1', chosen: 'not accepted yet' },
      { point: 'verify#1 list 2', chosen: 'outage' },
    ],
  },
  {
    guarantee: 'a worker that dies between a refusal and its judgement costs the new key nothing',
    scenario: 'B, expiry',
    deviations: [
      { point: 'verify#1 list 1', chosen: 'not accepted yet' },
      { point: 'verify#1 write 1', chosen: 'dies before' },
    ],
  },
];

describe('found by the search', () => {
  test.each(found.map((f) => [f.guarantee, f] as const))('%s', async (_, f) => {
    const { violation, left } = await replay(scenario(f.scenario), f.deviations);
    expect(left, 'deviations for which there was no occasion').toEqual([]);
    expect(violation).toBeNull();
  });
});

describe('found by reading', () => {
  test.each(['retire#1 write 1', 'retire#1 read 1'])(
    'an attempt to end an old key that slept at %s until somebody had rolled back to it takes nothing away',
    async (point) => {
      const chosen = point.includes('write') ? 'sleeps after' : 'sleeps';
      const tape = new WrittenTape([{ point, chosen }]);
      const world = new World({ ...scenario('A'), events: [] }, tape);
      try {
        request(world, firstRequest);
        await world.runUntil(world.now() + 31 * minute);
        expect(tape.left).toEqual([]);
        expect(world.disk.opened?.record.versions).toMatchObject([{ retirement: { state: 'held' } }, {}]);
        happen(world, 'rollback');
        await world.runUntil(world.now() + 3 * hour);
        expect(world.disk.opened?.record.versions).toMatchObject([{ version: 3, stage: 'current' }]);
        expect(judge(world)).toBeNull();
      } finally {
        world.close();
      }
    },
  );
});

describe('found by random commands', () => {
  test('a pause whose write slept until somebody had resumed pauses nothing any more', async () => {
    const tape = new WrittenTape([{ point: 'note#1 read 1', chosen: 'sleeps' }]);
    const world = new World({ ...scenario('C'), events: [] }, tape);
    try {
      happen(world, 'pause');
      await world.runUntil(world.now() + minute);
      expect(world.disk.opened?.record.paused).not.toBeNull();
      happen(world, 'resume');
      await world.runUntil(world.now() + hour);
      expect(tape.left).toEqual([]);
      expect(world.disk.opened?.record.paused).toBeNull();
    } finally {
      world.close();
    }
  });

  test.each([
    ['is removed before it counts as dead', []],
    ['is not removed before the older one may be', ['new-policy']],
  ] as const)('a key whose id an older one still has %s', async (_, more) => {
    const world = new World({ ...scenario('D, id kept'), events: [] }, new WrittenTape([]));
    try {
      request(world, firstRequest);
      await world.runUntil(world.now() + minute);
      for (const event of ['secret-replaced', ...more] as const) happen(world, event);
      request(world, { ...firstRequest, requestId: 'second' });
      await world.runUntil(world.now() + 12 * hour);
      expect(world.disk.opened?.record.history.map(({ outcome }) => outcome)).toEqual(['rotated', 'rotated']);
      expect(world.trace.arrivals.filter(({ call }) => call.kind === 'delete')).toHaveLength(1);
      expect(judge(world)).toBeNull();
    } finally {
      world.close();
    }
  });

  test('a key that outlives a rotation that never happened gets its whole grace from the next one', async () => {
    const tape = new WrittenTape([
      { point: 'rotate#1 write 1', chosen: 'dies after' },
      { point: 'rotate#4 write 1', chosen: 'dies after' },
    ]);
    const world = new World(scenario('D, no create'), tape, { maximumAttempts: 1 });
    try {
      request(world, firstRequest);
      await world.runUntil(world.now() + 3 * hour);
      expect(tape.left).toEqual([]);
      expect(world.disk.opened?.record).toMatchObject({
        operation: null,
        capabilityLost: expect.anything() as unknown,
      });
      request(world, { ...firstRequest, requestId: 'second' });
      await world.runUntil(world.now() + 12 * hour);
      expect(judge(world)).toBeNull();
      expect(world.disk.opened?.record.history[0]).toMatchObject({ requestId: 'second', outcome: 'rotated' });
    } finally {
      world.close();
    }
  });
});

/** What fast-check draws: requests of all kinds, what operators and consumers do, faults, and time. Each is one command on a running world. */
import fc from 'fast-check';
import { signalNames, updateNames } from '../../src/contract.js';
import type { RotationRequest } from '../../src/domain/request.js';
import { acknowledge, happen, newPolicy, request } from './events.js';
import { hour, minute, second } from './scenario.js';
import type { DrawnTape } from './tape.js';
import type { World } from './world.js';

/** What a drawn run has used up: so much trouble that no design could help is no finding. */
export interface Spent {
  awayMs: number;
  faults: number;
}

export interface Real {
  readonly world: World;
  readonly tape: DrawnTape;
}

type Command = fc.AsyncCommand<Spent, Real>;

const MAX_AWAY_MS = 40 * minute;
const MAX_FAULTS = 5;

function command(what: string, act: (real: Real) => unknown, allowed: (s: Spent) => boolean = () => true): Command {
  return {
    check: allowed,
    async run(_, real) {
      await act(real);
    },
    toString: () => what,
  };
}

const span = fc.constantFrom(0, second, 20 * second, 2 * minute, 11 * minute, 25 * minute, hour);
const source = fc.constantFrom('schedule', 'webhook', 'operator', 'workflow' as const);

const requests = fc
  .record(
    {
      requestId: fc.constantFrom('r1', 'r2', 'r3', 'mambu/r4'),
      reason: fc.constantFrom('routine', 'routine', 'compromise' as const),
      source,
      leakedVersion: fc.integer({ min: 1, max: 6 }),
    },
    { requiredKeys: ['requestId', 'reason', 'source'] },
  )
  .map((wanted: RotationRequest) =>
    command(`request ${JSON.stringify(wanted)}`, ({ world }) => request(world, wanted)),
  );

const operators = fc.oneof(
  fc.constant(command('pause', ({ world }) => happen(world, 'pause'))),
  fc.constant(command('resume', ({ world }) => happen(world, 'resume'))),
  fc.constant(command('ack', ({ world }) => acknowledge(world, 'billing'))),
  fc.integer({ min: 1, max: 6 }).map((version) =>
    command(`ack of version ${version}`, ({ world }) => {
      if (world.send(signalNames.acknowledgeVersion, { consumer: 'billing', version }))
        world.trace.acks.push({ consumer: 'billing', version, atMs: world.now() });
    }),
  ),
  fc
    .option(fc.integer({ min: 1, max: 6 }), { nil: undefined })
    .map((toVersion) =>
      command(`rollback to ${toVersion ?? 'the one before'}`, ({ world }) =>
        world.send(updateNames.rollback, toVersion === undefined ? {} : { toVersion }),
      ),
    ),
  fc
    .record({
      graceMs: fc.constantFrom(0, minute, 20 * minute),
      refreshWithinMs: fc.constantFrom(10 * second, 3 * minute),
      minIntervalMs: fc.constantFrom(0, hour),
      consumers: fc.constantFrom([], [{ name: 'billing', ackWithinMs: 5 * minute }]),
    })
    .map((change) => command(`policy ${JSON.stringify(change)}`, ({ world }) => newPolicy(world, change))),
);

const environment = fc.oneof(
  fc.constant(command('terminate', ({ world }) => world.terminate())),
  fc.constant(command('continue as new', ({ world }) => world.suggestContinueAsNew())),
  fc.constant(command('a foreign key', ({ world }) => happen(world, 'foreign-key'))),
  fc.constant(command('a secret key made by hand', ({ world }) => happen(world, 'secret-replaced'))),
  span.map((ms) =>
    Object.assign(
      command(`no worker for ${ms / second} s`, ({ world }) => world.away(ms)),
      {
        check: (s: Spent) => {
          const fits = s.awayMs + ms <= MAX_AWAY_MS;
          if (fits) s.awayMs += ms;
          return fits;
        },
      },
    ),
  ),
);

const faults = fc
  .array(fc.record({ skip: fc.nat({ max: 12 }), option: fc.nat({ max: 20 }) }), { minLength: 1, maxLength: 3 })
  .map((draws) => ({
    ...command(`faults ${draws.map((d) => `${d.skip}:${d.option}`).join(' ')}`, ({ tape }) => tape.add(draws)),
    check: (s: Spent) => {
      const fits = s.faults + draws.length <= MAX_FAULTS;
      if (fits) s.faults += draws.length;
      return fits;
    },
  }));

const time = span.map((ms) => command(`${ms / second} s pass`, ({ world }) => world.runUntil(world.now() + ms)));

export const commands = fc.commands([requests, operators, environment, faults, time, time], {
  maxCommands: 14,
  size: 'max',
});

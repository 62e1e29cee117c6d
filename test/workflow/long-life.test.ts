/** An entity of many rotations and many runs: nothing grows, and where a run ends makes no difference to anything that was sent. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { signalNames } from '../../src/contract.js';
import { hasSeen } from '../../src/domain/seen.js';
import { day, entityId, hour, virtualEntity } from '../support/virtual-entity.js';

/** Bytes in use after a full collection: the sandbox runs in this process. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const thirds = <T>(all: readonly T[]): readonly (readonly T[])[] =>
  [0, 1, 2].map((n) => all.slice((n * all.length) / 3, ((n + 1) * all.length) / 3));

const maxEvents = 150;
/** Calls whose result a request meets in one task, another one each day. Each of them is the last of some run. */
const meets = ['plan', 'verify', 'publish', 'retire', 'note'] as const;

it('in 100 days of rotations, with requests around every end of a run, none is lost or served twice, and nothing grows', async () => {
  const sent: string[] = [];
  const today = new Map<string, string>();
  let meeting: string = 'none yet';
  const e = await virtualEntity({
    policy: { graceMs: hour, refreshWithinMs: 0 },
    maxEvents,
    onCall(name) {
      // `load` is the first call of a run.
      if ((name !== 'load' && name !== meeting) || today.has(name) || meeting === 'none yet') return;
      const requestId = `r-${sent.length}`;
      today.set(name, requestId);
      sent.push(requestId);
      const request = { requestId, reason: sent.length % 7 === 0 ? 'compromise' : 'routine', source: 'operator' };
      for (let times = 0; times < 2; times++) e.temporal.post(entityId, signalNames.requestRotation, request);
    },
  });
  const served = new Map<string, string>();
  const heap: number[] = [];
  let firstOfARun = 0;
  for (let days = 0; days < 100; days++) {
    meeting = meets[days % meets.length] ?? '';
    await e.request(`day-${days}`);
    await e.temporal.advance(day / 2);
    const { record } = e.fake;
    expect([...today.values()].filter((id) => !hasSeen(record.seen, id, e.temporal.nowMs))).toEqual([]);
    for (const { operationId, requestId, outcome } of record.history) {
      // One that a compromise has overtaken.
      if (outcome === 'rolled-back') continue;
      expect(outcome).toBe('rotated');
      expect(served.get(requestId) ?? operationId).toBe(operationId);
      served.set(requestId, operationId);
    }
    expect(await e.state()).toMatchObject({ status: 'idle', pendingRequests: 0, previous: [] });
    if (today.has('load')) firstOfARun += 1;
    today.clear();
    e.fake.calls.length = 0;
    await e.temporal.advance(day / 2);
    if (days % 10 === 9) heap.push(heapBytes());
  }
  const { runs, mostEvents, carriedBytes } = e.execution;
  expect(served.size).toBeGreaterThanOrEqual(100);
  expect(firstOfARun).toBeGreaterThan(33);
  expect(runs).toBeGreaterThan(33);
  expect(mostEvents).toBeLessThan(maxEvents + 100);
  // Past the first third everything that is bounded is full.
  const [, carriedThen = [], carriedLast = []] = thirds(carriedBytes);
  expect(Math.max(...carriedLast)).toBeLessThan(1.1 * Math.max(...carriedThen));
  const [, heapThen = [], heapLast = []] = thirds(heap);
  expect(median(heapLast) - median(heapThen)).toBeLessThan(1_000_000);
}, 60_000);

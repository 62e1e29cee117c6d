/** What has to hold after every test, judged from outside: the system's own view of its keys, and what came out of keyturn. */
import assert from 'node:assert/strict';
import type { Bench } from './bench.js';
import type { Sent } from './watch.js';

/** After all old keys and debts are gone. */
export async function assertInvariants(bench: Bench, strangers: readonly string[]): Promise<void> {
  assertOutput(bench);
  const { system } = bench;
  const current = await bench.values();
  assert.ok(await system.accepts(current), 'the system accepts the published key');
  const living = await system.livingKeys();
  assert.deepEqual(
    strangers.filter((id) => !living.includes(id)),
    [],
    'keys of others live on',
  );
  assert.deepEqual(
    living.filter((id) => id !== current.keyId && !strangers.includes(id)).length,
    0,
    'no key of ours lives that nobody accounts for',
  );
  const record = await bench.record();
  assert.deepEqual(record.debts, [], 'there are no debts');
  assert.equal(record.operation, null, 'no rotation is left open');
  assert.equal(record.capabilityLost, null, 'the ability to rotate is not lost');
  assertNothingTwice(bench);
}

export function assertOutput({ watch }: Bench): void {
  assert.deepEqual(watch.breaches, [], 'the provider keeps its contract');
  assert.deepEqual(watch.leaks(), [], 'no secret is in a failure, a result, a log line, a route or a header');
}

/**
 * Within one rotation, after a create that may have had an effect: another one of its kind is the very same bytes where the system replays its
 * answers, or comes after a look at what is there; a rotation in place is never sent again.
 */
function assertNothingTwice({ watch, provider, credential }: Bench): void {
  const replays = provider.capability(credential.settings).replayWindowMs > 0;
  const creates = watch.sent.filter(({ call, effect }) => call === 'create' && effect === 'write');
  for (const one of creates.filter(isUnclear)) {
    const next = creates.find((other) => other.n > one.n && other.kind === one.kind && other.rotation === one.rotation);
    if (!next) continue;
    const looked = watch.sent.some(
      ({ call, n }) => (call === 'inventory' || call === 'find') && n > one.n && n < next.n,
    );
    const isReplay = replays && next.sameBytes === one.sameBytes;
    assert.ok(
      one.kind !== 'rotate' && (isReplay || looked),
      `a lost ${one.kind ?? 'create'} is not sent again blindly`,
    );
  }
}

/** The system may have executed it, and its answer was not to be had. */
function isUnclear({ harm }: Sent): boolean {
  if (harm === null || harm.kind === 'unreachable') return false;
  return harm.kind !== 'answered-instead' || harm.answer.status >= 500;
}

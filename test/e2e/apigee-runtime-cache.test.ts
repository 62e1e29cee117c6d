/**
 * The caches of Apigee's message processors at their real length, 180 s, on the simulator's clock: what each of them remembers of a key, known
 * or unknown, is neither believed nor taken for the key's end.
 */
import { expect, it } from 'vitest';
import type { ApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { currentOf } from '../../src/domain/record.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';
import { eventually } from '../support/around.js';
import { sha256 } from '../support/installation.js';

const CACHE_MS = 180_000;
const PROCESSORS = 3;
const caches = { messageProcessors: PROCESSORS, runtimeCacheMs: CACHE_MS, negativeCacheMs: CACHE_MS };
/** All that it says is the default: `times` and `patience`. */
const probed = {
  apigee: ({ runtimeUrl, seeded }: ApigeeSimulator) => ({
    probe: { url: runtimeUrl + seeded.proxyPath, in: 'header', name: 'x-apikey' },
  }),
};

const runtimeCalls = ({ simulator }: ApigeeInstallation) =>
  simulator.oracle().requests.filter(({ plane }) => plane === 'runtime');
const writes = ({ simulator }: ApigeeInstallation) => simulator.oracle().writes.map(({ kind }) => kind);
const settled = (i: ApigeeInstallation) =>
  i.until(
    'version 2 is current, and nothing is left to do',
    (s) => s.current?.version === 2 && s.rotation === null && s.previous.length === 0 && s.debts.length === 0,
    45_000,
  );

/** As many calls of a consumer as there are processors: each of them answers one. */
async function consumer({ simulator }: ApigeeInstallation, consumerKey: string): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let call = 0; call < PROCESSORS; call += 1) {
    const { runtimeUrl, seeded } = simulator;
    const answer = await fetch(runtimeUrl + seeded.proxyPath, { headers: { 'x-apikey': consumerKey } });
    await answer.arrayBuffer();
    statuses.push(answer.status);
  }
  return statuses;
}

const all = (status: number): readonly number[] => Array.from({ length: PROCESSORS }, () => status);

it.concurrent(
  'a processor that remembers the new key as unknown holds the publish back for its 180 s, and does not kill the key',
  async ({ onTestFinished }) => {
    const i = await apigeeInstallation({
      onTestFinished,
      ...probed,
      rules: { ...caches, propagationDelayMs: 60_000 },
    });
    await i.worker();
    await i.request('r-1');
    const statuses = (): readonly number[] => runtimeCalls(i).flatMap(({ status }) => status ?? []);
    const unpublished = async (): Promise<void> => {
      const state = await i.state();
      expect(state).toMatchObject({ current: { version: 1 }, rotation: { step: 'verify' }, debts: [] });
      expect(writes(i)).toEqual(['create-key', 'update-key']);
    };
    await eventually('the first processor does not know the key', () => statuses().length === 1);
    await unpublished();
    i.simulator.clock.advance(60_000);
    await eventually('the others know it, the first remembers that it did not', () => statuses().length === 4);
    expect(statuses()).toEqual([401, 200, 200, 401]);
    await unpublished();
    i.simulator.clock.advance(CACHE_MS - 60_000);
    await eventually('every processor lets it pass', () => statuses().length === 7);
    expect(statuses().slice(4)).toEqual(all(200));
    expect(runtimeCalls(i).map(({ processor }) => processor)).toEqual([0, 1, 2, 0, 1, 2, 0]);

    const done = await settled(i);
    expect(done.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
    expect(done.current).toMatchObject({ version: 2, verified: true });
    const { keys, now, realNow } = i.simulator.oracle();
    const [fresh, ...more] = keys.filter(({ by }) => by === 'create');
    expect(more).toEqual([]);
    const publishedAtMs = Date.parse(done.current?.publishedAt ?? '') + (now - realNow);
    const everywhere = fresh?.runtime.flatMap((life) => life.everywhere) ?? [];
    expect(everywhere.some(({ fromMs, toMs }) => fromMs <= publishedAtMs && toMs === null)).toBe(true);
    await expectApigeeInvariants(i);
  },
);

it.concurrent(
  'a revoked key that every processor still lets pass is neither called nor believed: it is dead when it is not listed, and the caches are over',
  async ({ onTestFinished }) => {
    const propagationMs = 4_000;
    const i = await apigeeInstallation({
      onTestFinished,
      ...probed,
      rules: caches,
      timing: { observe: '1s', propagation: `${propagationMs}ms` },
    });
    const old = i.simulator.seeded.consumerKey;
    const oracleOfOld = () => i.simulator.oracle().keys.find((key) => key.sha256 === sha256(old));
    expect(await consumer(i, old)).toEqual(all(200));
    await i.worker();
    await i.request('r-1');
    await i.until('version 2 is current', (s) => s.current?.version === 2);
    const opened = await i.vault.custody.read(i.credentialId);
    const fresh = opened?.shelf.versions[String(currentOf(opened.record)?.version)]?.fields['consumerKey']?.reveal();
    expect(await consumer(i, fresh ?? '')).toEqual(all(200));
    expect(await consumer(i, old)).toEqual(all(200));

    await i.until('the old key is held', (s) => s.previous[0]?.retirement === 'held');
    expect(oracleOfOld()?.status).toBe('revoked');
    expect(await consumer(i, old), 'each processor by its cache').toEqual(all(200));
    await eventually('the old key is deleted', () => oracleOfOld()?.deletedAt !== null);
    expect(await consumer(i, old), 'each processor by its cache').toEqual(all(200));
    expect((await i.state()).previous, 'not dead yet').toMatchObject([{ version: 1 }]);
    i.simulator.clock.advance(CACHE_MS);
    expect(await consumer(i, old)).toEqual(all(401));
    expect(await consumer(i, fresh ?? '')).toEqual(all(200));

    await settled(i);
    const record = (await i.vault.custody.read(i.credentialId))?.record;
    expect(record?.destroyed).toMatchObject([{ version: 1, proof: 'listed' }]);
    const deletion = i.simulator.oracle().writes.find(({ kind }) => kind === 'delete-key');
    expect(record?.destroyed[0]?.destroyedAtMs).toBeGreaterThanOrEqual((deletion?.realAt ?? Infinity) + propagationMs);
    const callsWithOld = runtimeCalls(i).filter(({ serial }) => serial === oracleOfOld()?.serial);
    expect(callsWithOld, 'all of them are the consumer’s').toHaveLength(5 * PROCESSORS);
    await expectApigeeInvariants(i);
  },
);

/** Apigee's management plane is away for minutes, in the middle of what matters: the state says so all the time, and it heals by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { CredentialState } from '../../src/contract.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';
import { startGate } from '../support/gate.js';
import { sha256 } from '../support/installation.js';

const OUTAGE_MS = 240_000;
const SAMPLE_MS = 4_000;
/** As by default. How long old keys are observed is another matter. */
const timing = {
  sendWithin: '5s',
  httpTimeout: '15s',
  skew: '2s',
  settle: '30s',
  verifyAgainAfter: '5m',
  propagation: '5s',
  observe: '5s',
};
const limits = { timeout: OUTAGE_MS + 240_000 };

const APP = '/organizations/{org}/developers/{developer}/apps/{app}';
const managementRoutes = [APP, `${APP}/keys`, `${APP}/keys/{key}`, `${APP}/keys/{key}/apiproducts/{product}`];

/** Whether a consumer gets through with the key that is published. */
async function isServed({ simulator, vault, credentialId }: ApigeeInstallation): Promise<boolean> {
  const opened = await vault.custody.read(credentialId);
  const current = opened?.record.versions.find(({ stage }) => stage === 'current');
  const key = opened?.shelf.versions[String(current?.version)]?.fields['consumerKey']?.reveal() ?? '';
  const { runtimeUrl, seeded } = simulator;
  const answer = await fetch(runtimeUrl + seeded.proxyPath, { headers: { 'x-apikey': key } });
  return answer.ok;
}

/** The states of the whole outage, each of them while a consumer gets through. */
async function through(i: ApigeeInstallation, outageMs: number): Promise<readonly CredentialState[]> {
  const states: CredentialState[] = [];
  for (const untilMs = Date.now() + outageMs; Date.now() < untilMs;) {
    await sleep(SAMPLE_MS);
    states.push(await i.state());
    expect(await isServed(i)).toBe(true);
  }
  return states;
}

const made = ({ simulator }: ApigeeInstallation) => simulator.oracle().keys.filter(({ by }) => by === 'create');
const isSoon = (at: string | null | undefined, withinMs: number): boolean =>
  at !== null && at !== undefined && Date.parse(at) < Date.now() + withinMs;

it.concurrent(
  'four minutes while the outcome of a create is unknown: parked with the reason, one key, and it goes on by itself',
  limits,
  async ({ onTestFinished }) => {
    const gate = await startGate(onTestFinished);
    const i = await apigeeInstallation({
      onTestFinished,
      timing,
      apigee: ({ managementUrl }) => {
        gate.leadTo(managementUrl);
        return { baseUrl: managementUrl.replace(new URL(managementUrl).origin, new URL(gate.baseUrl).origin) };
      },
    });
    i.simulator.faults.add({ match: { method: 'POST', route: `${APP}/keys` }, action: 'drop-after-commit' });
    await i.worker();
    // Two looks at the app, and the create: its answer is the first that does not come, and no connection is to be had after it.
    gate.shutAfter(3);
    await i.request('r-1');
    await i.until('its outcome is unknown', (s) => s.rotation?.recovering === true);
    expect(made(i)).toHaveLength(1);
    const states = await through(i, OUTAGE_MS);

    for (const { current, rotation, debts, lockout, lastRotation } of states) {
      expect(current).toMatchObject({ version: 1 });
      expect(rotation).toMatchObject({ requestId: 'r-1', step: 'rotate', recovering: true });
      expect({ debts, lockout, lastRotation }).toEqual({ debts: [], lockout: null, lastRotation: null });
    }
    // A recovery looks once the lost request can have no more effect, 22 s after it was written down.
    const looking = states.slice(Math.ceil(30_000 / SAMPLE_MS));
    const parked = looking.filter(({ rotation }) => rotation?.parked === true);
    expect(parked.length, 'parked but for the moments of an attempt').toBeGreaterThan(looking.length * 0.8);
    for (const { rotation } of parked) {
      expect(rotation?.lastError).toMatchObject({ code: 'KT-PROVIDER-UNREACHABLE' });
      expect(rotation?.nextAttemptAt).toBeTruthy();
    }
    expect(isSoon(states.at(-1)?.rotation?.nextAttemptAt, 61_000)).toBe(true);
    expect(made(i)).toHaveLength(1);

    await gate.open();
    const done = await i.until(
      'it goes on by itself, to its end',
      (s) => s.current?.version === 2 && s.rotation === null && s.previous.length === 0,
      150_000,
    );
    expect(done.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
    expect(done).toMatchObject({ debts: [], attention: [], lockout: null });
    expect(made(i)).toMatchObject([{ status: 'approved', deletedAt: null }]);
    await expectApigeeInvariants(i);
  },
);

it.concurrent(
  'four minutes while an old key is to be revoked: owed with the reason, and paid by itself',
  limits,
  async ({ onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing });
    const old = () => i.simulator.oracle().keys.find((key) => key.sha256 === sha256(i.simulator.seeded.consumerKey));
    await i.worker();
    await i.request('r-1');
    const published = await i.until('version 2 is current', (s) => s.current?.version === 2);
    for (const route of managementRoutes)
      i.simulator.faults.add({ match: { route, times: 'always' }, action: 'fail-before', status: 503 });
    await i.until('the end of the old key is owed', (s) => s.previous[0]?.retirement === 'debt');
    const states = await through(i, OUTAGE_MS);

    for (const { current, rotation, previous, debts, attention, lockout, lastRotation } of states) {
      expect(current).toEqual({ ...published.current });
      expect({ rotation, lockout }).toEqual({ rotation: null, lockout: null });
      expect(lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
      expect(previous).toMatchObject([{ version: 1, retirement: 'debt', diesAt: null }]);
      expect(debts).toMatchObject([
        { kind: 'revoke', version: 1, lastError: { message: expect.stringContaining('503') } },
      ]);
      expect(debts[0]?.nextAttemptAt).toBeTruthy();
      expect(attention.map(({ code }) => code)).toEqual(['KT-DEBT']);
    }
    const attempts = states.map(({ debts }) => debts[0]?.attempts ?? 0);
    expect(attempts).toEqual(attempts.toSorted((a, b) => a - b));
    expect(attempts.at(-1)).toBeGreaterThanOrEqual(4);
    expect(attempts.at(-1), 'with growing waits').toBeLessThanOrEqual(8);
    expect(isSoon(states.at(-1)?.debts[0]?.nextAttemptAt, 240_000)).toBe(true);
    expect(old()).toMatchObject({ status: 'approved', deletedAt: null });

    i.simulator.faults.clear();
    const done = await i.until('it is paid by itself', (s) => s.previous.length === 0 && s.debts.length === 0, 220_000);
    expect(done).toMatchObject({ current: { version: 2 }, attention: [], lockout: null });
    expect(old()?.deletedAt).not.toBeNull();
    expect(made(i)).toMatchObject([{ status: 'approved', deletedAt: null }]);
    await expectApigeeInvariants(i);
  },
);

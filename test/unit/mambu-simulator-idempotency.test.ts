import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MambuSimulator, startMambuSimulator } from '../../src/simulators/mambu/index.js';
import { call, field, rawCall, refusedFor, seedOf } from './mambu-simulator-caller.js';

let simulator: MambuSimulator;
let key: string;
beforeEach(async () => {
  simulator = await startMambuSimulator();
  key = crypto.randomUUID();
});
afterEach(() => simulator.close());

const create = (body: unknown = {}, idempotencyKey = key, path = '/consumers/rotator/apikeys') =>
  call(simulator, 'POST', path, {
    headers: { apiKey: seedOf(simulator).apiKey, 'Idempotency-Key': idempotencyKey },
    body,
  });
const createsCommitted = () => simulator.oracle().writes.filter(({ kind }) => kind === 'create-key').length;

describe('an Idempotency-Key', () => {
  it('replays status and body with the value in clear for six hours, and then creates again', async () => {
    const first = await create();
    simulator.clock.advance(6 * 3_600_000 - 10_000);
    const second = await create();
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(simulator.oracle().requests.at(-1)).toMatchObject({ committed: false, replayed: true });
    simulator.clock.advance(10_000);
    expect(field(await create(), 'apiKey')).not.toBe(field(first, 'apiKey'));
    expect(createsCommitted()).toBe(2);
  });

  it('can replay without the secret', async () => {
    simulator.rules.idempotencyReplaysSecrets = false;
    const first = await create();
    expect((await create()).body).toEqual({ id: field(first, 'id'), apiKey: field(first, 'apiKey').slice(0, 6) });
    const secrets = () =>
      call(simulator, 'POST', '/consumers/rotator/secretkeys', {
        headers: { apiKey: seedOf(simulator).apiKey, 'Idempotency-Key': crypto.randomUUID().replace(/.$/, '0') },
      });
    expect(field(await secrets(), 'secretKey')).toHaveLength(32);
  });

  it.each(['', 'abc', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '00000000-0000-4000-0000-000000000000'])(
    'must be a v4 UUID: "%s" is 400',
    async (wrong) => {
      expect(await create({}, wrong)).toMatchObject({ status: 400, body: refusedFor('INVALID_PARAMETERS') });
      expect(createsCommitted()).toBe(0);
    },
  );

  it('forgets a 400, so that the corrected request goes through', async () => {
    expect((await create({ expirationTime: -1 })).status).toBe(400);
    expect((await create({ expirationTime: 60 })).status).toBe(201);
  });

  it('remembers other refusals, unless the tenant does not', async () => {
    simulator.rules.maintenance = true;
    expect((await create()).status).toBe(403);
    simulator.rules.maintenance = false;
    expect((await create()).status).toBe(403);
    simulator.reset();
    simulator.rules.idempotencyRemembersErrors = false;
    simulator.rules.maintenance = true;
    expect((await create()).status).toBe(403);
    simulator.rules.maintenance = false;
    expect((await create()).status).toBe(201);
  });

  it('with another body is 400, or replays', async () => {
    const first = await create({ expirationTime: 60 });
    expect((await create({ expirationTime: 61 })).status).toBe(400);
    simulator.rules.idempotencyDifferentBody = 'replay';
    expect((await create({ expirationTime: 61 })).body).toEqual(first.body);
  });

  it('replays nothing for a credential that is not accepted', async () => {
    await create();
    simulator.deleteKey(seedOf(simulator).keyId);
    expect((await create()).status).toBe(401);
  });

  it('replays an answer that was lost after the commit', async () => {
    simulator.faults.add({ match: { method: 'POST' }, action: 'drop-after-commit' });
    await expect(create()).rejects.toThrow();
    const replay = await create();
    expect(replay.status).toBe(201);
    expect(simulator.oracle().keys.map(({ id }) => id)).toContain(field(replay, 'id'));
    expect(createsCommitted()).toBe(1);
  });
});

describe('a duplicate in progress', () => {
  const hold = () => simulator.faults.add({ match: { method: 'POST' }, action: 'delay', ms: 300, when: 'after' });
  const headers = () => ({
    accept: 'application/vnd.mambu.v2+json',
    apiKey: seedOf(simulator).apiKey,
    'idempotency-key': key,
  });
  const committed = () => expect.poll(createsCommitted, { interval: 5 }).toBe(1);
  const createHeld = () => rawCall(`${simulator.baseUrl}/consumers/rotator/apikeys`, headers(), 2_000);

  it('gets 102 and nothing more', async () => {
    hold();
    const first = createHeld();
    await committed();
    await expect(rawCall(`${simulator.baseUrl}/consumers/rotator/apikeys`, headers(), 100)).rejects.toThrow(
      'after 102',
    );
    expect((await first).status).toBe(201);
    expect(simulator.oracle().requests.at(-1)).toMatchObject({ status: null, decided: 102 });
  });

  it('can get 102 and then the answer of the first', async () => {
    simulator.rules.idempotencyInProgress = '102-then-replay';
    hold();
    const first = createHeld();
    await committed();
    const second = await createHeld();
    expect(second).toEqual({ ...(await first), informational: [102] });
    expect(createsCommitted()).toBe(1);
  });

  it('can get 409', async () => {
    simulator.rules.idempotencyInProgress = '409';
    hold();
    const first = createHeld();
    await committed();
    expect((await createHeld()).status).toBe(409);
    expect((await first).status).toBe(201);
    expect((await createHeld()).text).toBe((await first).text);
  });
});

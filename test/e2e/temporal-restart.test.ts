/** The Temporal server is killed and comes back on the same port and database. */
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, it, onTestFinished } from 'vitest';
import { hasSeen } from '../../src/domain/seen.js';
import { eventually } from '../support/around.js';
import { expectAllWell, madeIn } from '../support/guarantees.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';
import { requestsTo } from '../support/invariants.js';
import { ownServer } from '../support/temporal.js';

interface Restartable {
  readonly i: Installation;
  /** Resolves when the server works again. */
  restart(): Promise<void>;
  kill(): Promise<void>;
}

async function onOwnServer(options: InstallationOptions): Promise<Restartable> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-test-temporal-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dbFilename = join(folder, 'temporal.db');
  let server = await ownServer({ dbFilename, keep: true });
  // Registered first, so that it comes last: client and worker need a server to leave.
  onTestFinished(() => server.stop());
  const port = Number(server.address.split(':')[1]);
  const i = await installation({ ...options, temporal: server });
  return {
    i,
    async kill() {
      server.kill('SIGKILL');
      await server.ended;
    },
    async restart() {
      server = await ownServer({ dbFilename, port, keep: true });
    },
  };
}

it.each(['create-and-delete', 'rotation'] as const)(
  '%s: a rotation whose answer arrives while Temporal is dead goes on when Temporal is back',
  async (strategy) => {
    const { i, kill, restart } = await onOwnServer({ strategy, timing: { httpTimeout: '10s' } });
    const route = strategy === 'rotation' ? '/apikey/rotation' : '/consumers/{id}/apikeys';
    i.simulator.faults.add({ match: { method: 'POST', route }, action: 'delay', ms: 1_000, when: 'after' });
    await i.worker();
    await i.request('r-1');
    await eventually('the write has arrived', () => requestsTo(i, 'POST', route).length === 1);
    await kill();
    await eventually('the answer is sealed', async () => {
      const opened = await i.vault.custody.read(i.credentialId);
      return opened?.record.versions.some((v) => v.stage === 'pending');
    });
    await restart();
    const ended = await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
    expect(ended.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
    await i.until('version 1 is gone', (s) => s.previous.length === 0);
    expect(madeIn(i)).toEqual([strategy === 'rotation' ? 'rotate' : 'create-key']);
    await expectAllWell(i, 2);
  },
);

it('keeps the instant of death when Temporal dies in the middle of the grace, and retires then', async () => {
  const { i, kill, restart } = await onOwnServer({ policy: { grace: '6s' } });
  await i.worker();
  await i.request('r-1');
  const before = await i.until(
    'version 1 is in grace',
    (s) => s.previous[0]?.retirement === 'in-grace' && s.rotation === null,
  );
  await kill();
  await restart();
  const after = await i.until('the query answers', () => true);
  expect(after.previous).toEqual(before.previous);
  await i.until('version 1 is gone', (s) => s.previous.length === 0);
  const deleted = i.simulator.oracle().keys[0]?.deletedAt ?? 0;
  expect(deleted).toBeGreaterThanOrEqual(Date.parse(before.previous[0]?.revokeAt ?? ''));
  await expectAllWell(i, 2);
});

it('serves every request that Temporal has acknowledged before it died, and each only once', async () => {
  const { i, kill, restart } = await onOwnServer({ policy: { grace: '0s', refreshWithin: '0s' } });
  await i.worker();
  await i.request('first');
  await i.until('the entity works', (s) => s.current?.version === 2);
  const acknowledged: string[] = ['first'];
  let isOver = false;
  const pump = (async () => {
    for (let n = 1; !isOver; n++) {
      await i.request(`r-${n}`).then(
        () => acknowledged.push(`r-${n}`),
        () => undefined,
      );
    }
  })();
  await eventually('some are acknowledged', () => acknowledged.length > 15);
  await kill();
  isOver = true;
  await restart();
  await pump;
  const record = await eventually(
    'all are served',
    async () => {
      const opened = await i.vault.custody.read(i.credentialId);
      const served = acknowledged.every((id) => hasSeen(opened?.record.seen ?? [], id, Date.now()));
      return served && opened?.record.operation === null ? opened.record : null;
    },
    40_000,
  );
  const rotated = record.history.map((h) => h.requestId);
  expect(new Set(rotated).size).toBe(rotated.length);
  await i.until(
    'nothing is left to do',
    (s) => s.rotation === null && s.pendingRequests === 0 && s.previous.length === 0,
  );
});

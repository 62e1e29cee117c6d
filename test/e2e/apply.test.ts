import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { credentialWorkflowId, scheduleId } from '../../src/contract.js';
import { editConfig, keyturn } from '../support/cli.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';

/** Never by itself within a test. */
const schedule = { cron: '0 4 1 1 *', timezone: 'Europe/Berlin', jitter: '5m' };

async function scheduled(options: InstallationOptions = {}): Promise<Installation> {
  const i = await installation({ ...options, policy: { schedule, ...options.policy } });
  onTestFinished(async () => {
    await handleOf(i)
      .delete()
      .catch(() => undefined);
  });
  return i;
}

const handleOf = (i: Installation) => i.client.temporal.schedule.getHandle(scheduleId(i.credentialId));

async function eventually<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const value = await look();
    if (holds(value) || Date.now() > deadline) return value;
    await sleep(100);
  }
}

describe('the first time', () => {
  test('starts the workflow and makes the Schedule; the second time changes nothing', async () => {
    const i = await scheduled();
    const dry = await keyturn(i, 'apply', '--dry-run', '--json');
    expect(dry.exit).toBe(3);
    expect(await i.client.entity(i.credentialId)).toBeNull();

    const first = await keyturn(i, 'apply', '--json');
    expect(first.json).toMatchObject({ ok: true, warnings: [] });
    const changes = [
      { do: 'create-schedule', credentialId: i.credentialId },
      { do: 'start-workflow', credentialId: i.credentialId },
    ];
    expect(first.json.data).toEqual({ dryRun: false, changes });
    expect(dry.json.data).toEqual({ dryRun: true, changes });
    expect(await i.client.entity(i.credentialId)).toEqual({
      taskQueue: i.taskQueue,
      installationId: await i.vault.custody.installationId(),
    });

    await i.worker();
    const before = await handleOf(i).describe();
    const second = await keyturn(i, 'apply', '--json');
    expect(second.json).toMatchObject({ ok: true, data: { changes: [] }, warnings: [] });
    expect((await keyturn(i, 'apply', '--dry-run')).exit).toBe(0);
    expect((await handleOf(i).describe()).info.lastUpdatedAt).toEqual(before.info.lastUpdatedAt);
    const state = await i.until('the Schedule is known', (s) => s.nextRotationAt !== null);
    expect(state).toMatchObject({ status: 'idle', attention: [], current: { version: 1 } });
  });

  test('needs no worker, and says so where a running workflow could not be told', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    const again = await keyturn(i, 'apply', '--json');
    expect(again).toMatchObject({ exit: 0, json: { data: { changes: [] } } });
    expect(again.json.warnings).toEqual([expect.stringContaining('no worker answers')]);
  });

  test('exits with 6 when Temporal cannot be reached', async () => {
    const i = await scheduled();
    const ran = await keyturn(i, 'apply', '--address', '127.0.0.1:1', '--json');
    expect(ran).toMatchObject({ exit: 6, json: { ok: false, error: { code: 'KT-TEMPORAL-UNREACHABLE' } } });
  });
});

describe('a Schedule that exists', () => {
  test('gets what keyturn.yaml says now, and keeps its paused state and note', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    await handleOf(i).pause('freeze until January');
    await editConfig(i, ({ credentials }) => {
      Object.assign(credentials[i.credentialId]?.policy ?? {}, { schedule: { cron: '30 5 * * mon-fri' } });
    });
    const ran = await keyturn(i, 'apply', '--json');
    expect(ran.json.data).toMatchObject({ changes: [{ do: 'update-schedule', differs: ['spec'] }] });
    const { spec, state, memo } = await handleOf(i).describe();
    expect(spec).toMatchObject({ timezone: 'UTC', calendars: [{ hour: [{ start: 5 }], minute: [{ start: 30 }] }] });
    expect(state).toMatchObject({ paused: true, note: 'freeze until January' });
    expect(memo).toEqual({ installationId: await i.vault.custody.installationId(), credentialId: i.credentialId });
    expect((await keyturn(i, 'apply', '--dry-run')).exit).toBe(0);
  });

  test('is put right after an edit by hand', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    const made = await handleOf(i).describe();
    await handleOf(i).update(({ action, policies }) => ({
      spec: { intervals: [{ every: '7 days' }] },
      action: { ...action, taskQueue: 'elsewhere', args: [{ credentialId: 'another' }] },
      policies: { ...policies, overlap: 'ALLOW_ALL' },
      state: {},
    }));
    const ran = await keyturn(i, 'apply', '--json');
    expect(ran.json.data).toMatchObject({
      changes: [{ do: 'update-schedule', differs: ['spec', 'action', 'policies'] }],
    });
    const { spec, action, policies } = await handleOf(i).describe();
    expect({ spec, action, policies }).toEqual({ spec: made.spec, action: made.action, policies: made.policies });
  });

  test('is deleted when the credential has no schedule any more', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    await editConfig(i, ({ credentials }) => {
      delete credentials[i.credentialId]?.policy['schedule'];
    });
    const ran = await keyturn(i, 'apply', '--json');
    expect(ran.json.data).toMatchObject({ changes: [{ do: 'delete-schedule' }] });
    await expect(handleOf(i).describe()).rejects.toThrow(/not found/i);
  });

  test('is not touched when it belongs to another installation', async () => {
    const i = await scheduled();
    const other = await scheduled();
    await keyturn(other, 'apply');
    await i.client.temporal.schedule.create({
      scheduleId: scheduleId(i.credentialId),
      spec: { calendars: [{ month: 'JULY', dayOfMonth: 1 }] },
      action: { type: 'startWorkflow', workflowType: 'theirs', workflowId: 'theirs', taskQueue: 'theirs' },
      memo: { installationId: 'another', credentialId: i.credentialId },
    });
    const before = await handleOf(i).describe();
    const ran = await keyturn(i, 'apply', '--prune', '--json');
    expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-CONFLICT' } } });
    expect(ran.json.error.message).toContain('installation another');
    expect((await handleOf(i).describe()).info).toEqual(before.info);
    expect(await i.client.entity(i.credentialId)).toBeNull();
    expect((await handleOf(other).describe()).state.paused).toBe(false);
  });

  test('fires: the rotation carries its nominal time as request id', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    await i.worker();
    await handleOf(i).trigger();
    const state = await i.until('version 2 is current', (s) => s.lastRotation !== null && s.rotation === null);
    expect(state).toMatchObject({ current: { version: 2 }, lastRotation: { outcome: 'rotated', source: 'schedule' } });
    const { requestId = '' } = state.lastRotation ?? {};
    expect(requestId).toMatch(
      new RegExp(`^schedule/${i.credentialId}/\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$`),
    );
    const { info } = await eventually(
      () => handleOf(i).describe(),
      ({ info: { runningActions } }) => runningActions.length === 0,
    );
    const [fired] = info.recentActions;
    const nominal = requestId.slice(`schedule/${i.credentialId}/`.length).replace('.000Z', 'Z');
    expect(fired?.action.workflow.workflowId).toBe(`rotate/${i.credentialId}/scheduled-${nominal}`);
  });
});

test('a workflow of another installation is left alone', async () => {
  const i = await scheduled();
  await i.client.ensureStarted(i.credentialId, 'another');
  const ran = await keyturn(i, 'apply', '--json');
  expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-CONFLICT' } } });
  await expect(handleOf(i).describe()).rejects.toThrow(/not found/i);
});

describe('a credential that is gone from keyturn.yaml', () => {
  test('is paused and still listed, and goes on when it is back', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    await handleOf(i).unpause('as agreed with ops');
    await i.worker();
    await i.until('it is loaded', (s) => s.current !== null);
    let kept: unknown;
    await editConfig(i, (yaml) => {
      kept = yaml.credentials[i.credentialId];
      yaml.credentials = {};
    });
    const ran = await keyturn(i, 'apply', '--json');
    expect(ran.json).toMatchObject({
      data: { changes: [{ do: 'pause-schedule' }, { do: 'pause-workflow' }] },
      warnings: [],
    });
    expect((await handleOf(i).describe()).state.paused).toBe(true);
    const gone = await i.until('it is known to be gone', (s) => s.attention.length > 0);
    expect(gone).toMatchObject({ status: 'paused', paused: { by: 'keyturn apply', reason: 'not-in-config' } });
    expect(gone.attention).toMatchObject([{ code: 'KT-NOT-IN-CONFIG' }]);
    const listed = await eventually(
      () => keyturn(i, 'status', '--json'),
      ({ json }) => json.ok && JSON.stringify(json.data).includes(i.credentialId),
    );
    expect(listed).toMatchObject({ exit: 3, json: { data: [{ credentialId: i.credentialId, status: 'paused' }] } });
    expect((await keyturn(i, 'apply', '--dry-run')).exit).toBe(0);

    await editConfig(i, (yaml) => Object.assign(yaml.credentials, { [i.credentialId]: kept }));
    const back = await keyturn(i, 'apply', '--json');
    expect(back.json).toMatchObject({
      data: { changes: [{ do: 'unpause-schedule' }, { do: 'resume-workflow' }] },
      warnings: [],
    });
    expect((await handleOf(i).describe()).state).toMatchObject({ paused: false, note: 'as agreed with ops' });
    const idle = await i.until('it goes on', (s) => s.attention.length === 0 && s.paused === null);
    expect(idle).toMatchObject({ status: 'idle', lastRotation: null });
  });

  test('is not resumed behind the back of the operator who had paused it', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    await i.worker();
    await i.until('it is loaded', (s) => s.current !== null);
    await keyturn(i, 'pause', i.credentialId, '--reason', 'audit');
    await i.until('the record has it', (s) => s.paused !== null);
    await eventually(
      async () => (await i.vault.custody.read(i.credentialId))?.record.paused ?? null,
      (paused) => paused !== null,
    );
    let kept: unknown;
    await editConfig(i, (yaml) => {
      kept = yaml.credentials[i.credentialId];
      yaml.credentials = {};
    });
    await keyturn(i, 'apply');
    await editConfig(i, (yaml) => Object.assign(yaml.credentials, { [i.credentialId]: kept }));
    await keyturn(i, 'apply');
    const state = await i.until('it is back', (s) => s.attention.length === 0);
    expect(state).toMatchObject({ status: 'paused', paused: { reason: 'audit' } });
  });

  test('is closed by --prune for good, and its record kept', async () => {
    const i = await scheduled();
    await keyturn(i, 'apply');
    await i.worker();
    await i.until('it is loaded', (s) => s.current !== null);
    await editConfig(i, (yaml) => {
      yaml.credentials = {};
    });
    const ran = await keyturn(i, 'apply', '--prune', '--json');
    expect(ran.json).toMatchObject({
      data: { changes: [{ do: 'delete-schedule' }, { do: 'close-workflow' }] },
      warnings: [],
    });
    await expect(handleOf(i).describe()).rejects.toThrow(/not found/i);
    expect(await i.client.entity(i.credentialId)).toBeNull();
    const { status } = await i.client.temporal.workflow.getHandle(credentialWorkflowId(i.credentialId)).describe();
    expect(status.name).toBe('COMPLETED');
    expect((await i.vault.custody.read(i.credentialId))?.record.versions).toHaveLength(1);
    expect((await keyturn(i, 'apply', '--prune', '--json')).json.data).toMatchObject({ changes: [] });
  });

  test('has its old key revoked at its time, although the settings are gone, and can be pruned then', async () => {
    const i = await scheduled({ policy: { grace: '3s' } });
    await keyturn(i, 'apply');
    await i.worker();
    await i.request('r-1');
    const rotated = await i.until('version 1 is in grace', (s) => s.previous.length === 1 && s.rotation === null);
    await editConfig(i, (yaml) => {
      yaml.credentials = {};
    });
    await keyturn(i, 'apply');
    await i.until('version 1 is gone', (s) => s.previous.length === 0);
    const alive = i.simulator.oracle().keys.filter((k) => k.deletedAt === null);
    expect(alive.map((k) => k.id)).toEqual([rotated.current?.keyId]);
    expect((await keyturn(i, 'apply', '--prune', '--json')).exit).toBe(0);
  });

  test('cannot be pruned while an old key is in grace', async () => {
    const i = await scheduled({ policy: { grace: '10m' } });
    await keyturn(i, 'apply');
    await i.worker();
    await i.request('r-1');
    await i.until('version 1 is in grace', (s) => s.previous.length === 1 && s.rotation === null);
    await editConfig(i, (yaml) => {
      yaml.credentials = {};
    });
    const ran = await keyturn(i, 'apply', '--prune', '--json');
    expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-CONFLICT' } } });
    expect(ran.json.error.message).toContain('version 1 is in-grace');
    expect((await handleOf(i).describe()).state.paused).toBe(false);
    expect(await i.client.entity(i.credentialId)).not.toBeNull();
  });
});

describe('a credential that names another account now', () => {
  test('is refused while an old key is in grace', async () => {
    const i = await scheduled({ policy: { grace: '10m' } });
    await i.worker();
    await i.request('r-1');
    await i.until('version 1 is in grace', (s) => s.previous.length === 1 && s.rotation === null);
    await editConfig(i, ({ credentials }) => {
      Object.assign(credentials[i.credentialId]?.mambu ?? {}, { consumerId: 'somebody-else' });
    });
    const ran = await keyturn(i, 'apply', '--json');
    expect(ran).toMatchObject({ exit: 5, json: { error: { code: 'KT-REPOINTED' } } });
    expect(ran.json.error.message).toContain('somebody-else');
    await expect(handleOf(i).describe()).rejects.toThrow(/not found/i);
  });

  test('is accepted when nothing of the old account is left to do', async () => {
    const i = await scheduled();
    await editConfig(i, ({ credentials }) => {
      Object.assign(credentials[i.credentialId]?.mambu ?? {}, { consumerId: 'somebody-else' });
    });
    expect((await keyturn(i, 'apply', '--json')).exit).toBe(0);
  });
});

test('a fire of the Schedule that ended unserved, for want of a worker, is served when there is one', async () => {
  const i = await scheduled();
  await keyturn(i, 'apply');
  await handleOf(i).unpause('as agreed with ops');
  await handleOf(i).trigger();
  const action = await vi.waitFor(async () => {
    const last = (await handleOf(i).describe()).info.recentActions.at(-1)?.action;
    if (last?.type !== 'startWorkflow') throw new Error('not fired yet');
    return last;
  }, 10_000);
  await i.client.temporal.workflow.getHandle(action.workflow.workflowId).terminate('nobody served it');
  await i.worker();
  const served = await i.until('version 2 is current', (s) => s.current?.version === 2);
  expect(served.lastRotation).toMatchObject({ source: 'schedule', outcome: 'rotated' });
  expect(served.lastRotation?.requestId).toMatch(new RegExp(`^schedule/${i.credentialId}/`));
});

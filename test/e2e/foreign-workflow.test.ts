import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { WorkflowFailedError } from '@temporalio/client';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import type { cutOver, CutOverResult } from '../../examples/foreign-workflow/workflows.js';
import { branches, start } from '../../examples/consumer.js';
import { hideAmbientTemporal } from '../support/cli.js';
import { installation, type Installation } from '../support/installation.js';
import { quietRuntime } from '../support/quiet-runtime.js';

quietRuntime();

let code: string;

beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../examples/foreign-workflow/workflows.ts', import.meta.url));
  ({ code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') }));
});

/** The other team's worker: its own task queue, no activities, nothing of keyturn but the contract in its bundle. */
async function foreignCutOver(i: Installation, credentialId = i.credentialId): Promise<CutOverResult> {
  const taskQueue = `foreign-${i.taskQueue}`;
  const { connection } = await i.worker();
  const { temporal } = i.client;
  const { namespace } = temporal.options;
  const worker = await Worker.create({ connection, namespace, taskQueue, workflowBundle: { code } });
  return worker.runUntil(() =>
    temporal.workflow.execute<typeof cutOver>('cutOver', {
      taskQueue,
      workflowId: `cut-over/${i.credentialId}`,
      args: [{ credentialId, keyturnTaskQueue: i.taskQueue }],
    }),
  );
}

test('a workflow of another team rotates a credential as a child and sees which key is current, never its value', async () => {
  const i = await installation();
  const { outcome, before, after } = await foreignCutOver(i);
  expect(outcome).toBe('rotated');
  expect(before).toMatchObject({ credentialId: i.credentialId, version: 1, keyId: i.simulator.seeded[0]?.keyId });
  expect(after).toMatchObject({ version: 2, baseUrl: i.simulator.baseUrl, settings: { consumerId: 'rotator' } });
  const values = i.simulator.oracle({ values: true }).keys.flatMap(({ value }) => value ?? []);
  const { events } = await i.client.temporal.workflow.getHandle(`cut-over/${i.credentialId}`).fetchHistory();
  const history = textOf(events);
  expect(history).toContain(after.keyId);
  expect(values).toHaveLength(2);
  for (const value of values) expect(history).not.toContain(value);
});

/** All text in a history, payloads included. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value === 'object' && value !== null) return Object.values(value).map(textOf).join('\n');
  return typeof value === 'string' ? value : '';
}

test('asking for a credential that does not exist fails the child, not keyturn', async () => {
  const i = await installation();
  await expect(foreignCutOver(i, 'no-such-credential')).rejects.toThrow(WorkflowFailedError);
});

test('an application with the example’s consumer goes on through a rotation, and acknowledges the new version', async () => {
  const i = await installation({
    policy: { refreshWithin: '60s', grace: '60s', consumers: [{ name: 'billing', ackWithin: '1h' }] },
  });
  await hideAmbientTemporal(i.directory);
  const consumer = await start(i.configFile);
  onTestFinished(() => consumer.close());
  expect(await branches(consumer, i.credentialId)).toEqual(expect.anything());
  await i.worker();
  await i.request('r-1');
  const rotated = await i.until('version 2 is current', (s) => s.current?.version === 2);
  expect(rotated.previous).toMatchObject([{ waitingFor: ['ack:billing'] }]);

  // Somebody ends the old key at once: the example notices by the refusal, and goes on with the new one.
  i.simulator.deleteKey(i.simulator.seeded[0]?.keyId ?? '');
  expect(await branches(consumer, i.credentialId)).toEqual(expect.anything());
  const newer = await consumer.resolveCredential(i.credentialId);
  expect(newer.version).toBe(2);
  await newer.acknowledge?.();
  await i.until('the acknowledgement has arrived', (s) => s.previous.every((old) => old.waitingFor.length === 0));
});

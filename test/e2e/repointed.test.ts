/** The file names another tenant than the one the key belongs to: the key is never taken there. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { startMambuSimulator } from '../../src/simulators/mambu/index.js';
import { workflowNames } from '../../src/contract.js';
import { keyturn } from '../support/cli.js';
import { installation } from '../support/installation.js';

test('a key is sent to its own tenant only, whatever the file says by now', async ({ onTestFinished }) => {
  const i = await installation();
  const elsewhere = await startMambuSimulator();
  onTestFinished(() => elsewhere.close());
  const text = await readFile(i.configFile, 'utf8');
  await writeFile(i.configFile, text.replace(i.simulator.baseUrl, elsewhere.baseUrl));
  await i.worker();
  const execute = (name: string, input: object) =>
    i.client.temporal.workflow.execute(name, {
      workflowId: `${name}/${i.credentialId}`,
      taskQueue: i.taskQueue,
      args: [{ credentialId: i.credentialId, ...input }],
    });
  const refused: unknown = await execute(workflowNames.makeApiRequest, { path: '/branches' }).catch(
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(WorkflowFailedError);
  expect(JSON.stringify((refused as WorkflowFailedError).cause)).toContain('KT-REPOINTED');
  expect(await execute(workflowNames.retrieveConfiguration, {})).toMatchObject({ baseUrl: i.simulator.baseUrl });
  const out = join(i.directory, 'url');
  const script = `require('node:fs').writeFileSync(${JSON.stringify(out)}, process.env.KEYTURN_BASE_URL)`;
  expect((await keyturn(i, 'exec', i.credentialId, '--', process.execPath, '-e', script)).exit).toBe(0);
  expect(await readFile(out, 'utf8')).toBe(i.simulator.baseUrl);
  expect(elsewhere.oracle().requests).toEqual([]);
});

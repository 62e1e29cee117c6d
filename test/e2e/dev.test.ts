import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { eventually } from '../support/around.js';
import { installation } from '../support/installation.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

test('dev is worker, server and apply in one process; an entity is started, and said to be, once', async () => {
  const i = await installation({ top: { server: { listen: '127.0.0.1:0' } } });
  const env = withoutAmbientTemporal(process.env);
  const child = spawn(process.execPath, [main, '-c', i.configFile, 'dev'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const url = await eventually('it serves', () => /keyturn serves (\S+?),/.exec(said)?.[1]);
  await i.until('the key is known', (s) => s.current?.version === 1);
  const answer = await fetch(`${url}/api/credentials/${i.credentialId}`);
  expect(await answer.json()).toMatchObject({ ok: true, data: { current: { version: 1 } } });
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(said.match(/entity started/g)).toHaveLength(1);
});

import { describe, expect, test } from 'vitest';
import { runCommand } from '../../src/dev/run-command.js';

const env = process.env;
const node = process.execPath;

describe('a command that does not come to an end', () => {
  const forever = ['-e', 'setInterval(() => {}, 1000)'];

  test('is ended after its time, whatever it does', async () => {
    await expect(runCommand(node, forever, { env, timeoutMs: 200 })).rejects.toThrow('gave up after 0.2 s');
  });

  test('is ended when it makes no progress', async () => {
    const options = { env, timeoutMs: 60_000, quietMs: 300 };
    await expect(runCommand(node, forever, options)).rejects.toThrow('no progress for 0.3 s');
  });

  test('goes on as long as it makes progress, printed or measured', async () => {
    const slow = 'let n = 0; setInterval(() => { console.log(n); if (++n === 8) process.exit(0); }, 150)';
    expect(await runCommand(node, ['-e', slow], { env, timeoutMs: 60_000, quietMs: 1_000 })).toContain('7');
    const silent = ['-e', 'setTimeout(() => process.exit(0), 1500)'];
    let bytes = 0;
    const progress = async (): Promise<number> => (bytes += 1);
    expect(await runCommand(node, silent, { env, timeoutMs: 60_000, quietMs: 500, progress })).toBe('');
  });
});

test('a command that fails leads to an error with the end of its stderr', async () => {
  const source = 'console.error("first"); console.error("the reason"); process.exit(3)';
  const run = runCommand(node, ['-e', source], { env, timeoutMs: 10_000 });
  await expect(run).rejects.toThrow('exit code 3: first / the reason');
});

test('a command that does not exist leads to an error that names it', async () => {
  await expect(runCommand('/does/not/exist', [], { env, timeoutMs: 10_000 })).rejects.toThrow(
    '/does/not/exist could not',
  );
});

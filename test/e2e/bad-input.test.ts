/** What people get wrong, through the command line: a message that names place and mend, the exit code of the contract, and nothing changed. */
import { chmod, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createKeyFile } from '../../src/custody/key-file.js';
import { editConfig, keyturn, type Ran } from '../support/cli.js';
import { installation, type Installation } from '../support/installation.js';

async function record(i: Installation): Promise<string> {
  return JSON.stringify((await i.vault.custody.read(i.credentialId))?.record);
}

/** Runs a command that must fail, and holds the record, the simulator and the secrets against it. */
async function refused(i: Installation, exit: number, code: string, argv: readonly string[]): Promise<Ran> {
  const [before, requests] = [await record(i), i.simulator.oracle().requests.length];
  const human = await keyturn(i, ...argv);
  const ran = await keyturn(i, ...argv, '--json');
  expect({ exit: ran.exit, code: ran.json.error.code, message: ran.json.error.message }).toMatchObject({ exit, code });
  expect(ran.json.error.hint).not.toBe('');
  expect(human.exit).toBe(exit);
  expect(human.err).toContain(code);
  expect(await record(i)).toBe(before);
  expect(i.simulator.oracle().requests).toHaveLength(requests);
  const seeded = i.simulator.seeded[0];
  for (const text of [human.out, human.err, ran.out, ran.err]) {
    expect(text).not.toContain(seeded?.apiKey);
    expect(text).not.toContain(seeded?.secretKey);
  }
  return ran;
}

it('YAML that is none: the line and column', async () => {
  const i = await installation();
  await writeFile(i.configFile, 'version: 1\ncredentials: [\n');
  const { json } = await refused(i, 2, 'KT-CONFIG', ['status']);
  expect(json.error.message).toMatch(/keyturn\.yaml:\d+:\d+/);
});

it('several mistakes at once are all named, each with its place and what to write', async () => {
  const i = await installation();
  await editConfig(i, (yaml) => {
    const entry = yaml.credentials[i.credentialId];
    if (!entry) return;
    entry.mambu['strategie'] = 'rotation';
    entry.mambu['management'] = { kind: 'basic', username: 'rotator', password: 'hunter2-in-clear' };
    entry.policy['grace'] = 20;
  });
  const { json } = await refused(i, 2, 'KT-CONFIG', ['apply']);
  expect(json.error.message).toMatch(/strategie.*strategy/s);
  expect(json.error.message).toMatch(/management\.password.*\$\{env:/s);
  expect(json.error.message).toMatch(/grace/);
  expect(json.error.message.match(/keyturn\.yaml:\d+:\d+/g)?.length).toBeGreaterThanOrEqual(3);
  expect(json.error.message).not.toContain('hunter2');
});

it('no keyturn.yaml: what makes one', async () => {
  const i = await installation();
  const away = { ...i, configFile: join(i.directory, 'nowhere.yaml') };
  const ran = await keyturn(away, 'status', '--json');
  expect(ran).toMatchObject({ exit: 2, json: { ok: false, error: { code: 'KT-CONFIG-MISSING' } } });
  expect(ran.json.error.hint).toContain('keyturn init');
});

it('a variable that is not set: its name', async () => {
  const i = await installation({
    mambu: { management: { kind: 'basic', username: 'rotator', password: '${env:KEYTURN_TEST_NOT_SET}' } },
  });
  const { json } = await refused(i, 2, 'KT-SECRET-MISSING', ['reconcile', i.credentialId]);
  expect(json.error.message).toContain('KEYTURN_TEST_NOT_SET');
});

it('a credential that the file does not have: the ones it has', async () => {
  const i = await installation();
  const { json } = await refused(i, 2, 'KT-UNKNOWN-CREDENTIAL', ['rotate', 'core-typo']);
  expect(`${json.error.message} ${json.error.hint}`).toContain(i.credentialId);
});

it.each([
  ['rotate', 6],
  ['status', 6],
] as const)('%s while Temporal cannot be reached: the address', async (command, exit) => {
  const i = await installation();
  const { json } = await refused(i, exit, 'KT-TEMPORAL-UNREACHABLE', [
    command,
    i.credentialId,
    '--address',
    '127.0.0.1:9',
  ]);
  expect(json.error.message).toContain('127.0.0.1:9');
});

it('a namespace that is not there: its name', async () => {
  const i = await installation();
  const { json } = await refused(i, 2, 'KT-TEMPORAL-NAMESPACE', [
    'rotate',
    i.credentialId,
    '--namespace',
    'no-such-one',
  ]);
  expect(json.error.message).toContain('no-such-one');
});

it('a key file that others can read: the mode, and the command that mends it', async () => {
  const i = await installation();
  await chmod(join(i.directory, 'key'), 0o644);
  const { json } = await refused(i, 2, 'KT-KEY-FILE', ['get', i.credentialId]);
  expect(json.error.message).toContain('0644');
  expect(json.error.hint).toContain('chmod 600');
});

it('a store that was sealed with another key: both key ids, and the advice to delete nothing', async () => {
  const i = await installation();
  await cp(join(i.directory, 'key'), join(i.directory, 'right-key'));
  await rm(join(i.directory, 'key'));
  await createKeyFile(join(i.directory, 'key'));
  const kid = (JSON.parse(await readFile(join(i.directory, 'right-key'), 'utf8')) as { current: string }).current;
  const { json } = await refused(i, 2, 'KT-KEY-FILE', ['get', i.credentialId]);
  expect(json.error.message).toContain(kid);
  expect(json.error.hint).toMatch(/not delete/i);
});

it('a base URL without /api: a warning, and no refusal', async () => {
  const i = await installation();
  await editConfig(i, (yaml) => {
    const entry = yaml.credentials[i.credentialId];
    if (entry) entry.mambu['baseUrl'] = 'https://acme.mambu.com';
  });
  const ran = await keyturn(i, 'doctor', '--json');
  expect(JSON.stringify(ran.json)).toMatch(/\/api/);
});

it('flags and words that are none: usage', async () => {
  const i = await installation();
  await refused(i, 2, 'KT-USAGE', ['rotate']);
  await refused(i, 2, 'KT-USAGE', ['rotate', i.credentialId, '--reason', 'boredom']);
  await refused(i, 2, 'KT-USAGE', ['frobnicate']);
  await refused(i, 2, 'KT-USAGE', ['rotate', i.credentialId, '--wait', '--timeout', 'soon']);
});

import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { currentOf, type DebtFacts } from '../../src/domain/record.js';
import { editConfig, hideAmbientTemporal } from '../support/cli.js';
import { operationFacts } from '../support/custody.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';

interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  readonly data: Record<string, unknown>;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
  readonly warnings: readonly string[];
}

interface Given {
  readonly stdin?: object;
  readonly env?: NodeJS.ProcessEnv;
  /** Typed at the questions, on a terminal. */
  readonly typed?: readonly string[];
}

/** `keyturn -c FILE --json ARGV…` */
async function keyturn(i: Installation, argv: readonly string[], given: Given = {}): Promise<Ran> {
  await hideAmbientTemporal(i.directory);
  let out = '';
  let err = '';
  const { stdin, answer } = inputOf(given);
  const exit = await runCli(['-c', i.configFile, '--json', ...argv], {
    stdin,
    stdout: { write: (text) => (out += text) },
    stderr: {
      write(text) {
        err += text;
        if (text.endsWith(': ')) answer();
      },
    },
    env: given.env ?? {},
    onSignal: () => () => undefined,
  });
  const json = (out === '' ? {} : JSON.parse(out)) as Pick<Ran, 'data' | 'error' | 'warnings'>;
  return { ...json, exit, out, err };
}

function inputOf({ stdin, typed }: Given) {
  if (typed === undefined) {
    return { stdin: Readable.from(stdin ? [JSON.stringify(stdin)] : []), answer: () => undefined };
  }
  const keys = [...typed];
  const terminal = new Readable({ read: () => undefined });
  const answer = (): void => void terminal.push(`${keys.shift() ?? ''}\r`);
  return { stdin: Object.assign(terminal, { isTTY: true, setRawMode: () => undefined }), answer };
}

/** An installation as it is before the first import. */
async function empty(options: InstallationOptions = {}): Promise<Installation> {
  const i = await installation(options);
  await i.vault.store.remove(`credential/${i.credentialId}`);
  return i;
}

function seededOf({ simulator }: Installation) {
  const [seeded] = simulator.seeded;
  if (!seeded) throw new Error('the simulator has no consumer');
  return seeded;
}

async function recordOf({ vault, credentialId }: Installation) {
  const opened = await vault.custody.read(credentialId);
  if (!opened) throw new Error('there is no record');
  return opened.record;
}

async function withDebt(i: Installation, keyId: string, kind: DebtFacts['kind'] = 'suspected-orphan'): Promise<void> {
  await i.vault.custody.update(i.credentialId, ({ record, shelf }) => {
    const identity = record.versions[0]?.identity;
    if (!identity) throw new Error('there is no version');
    const debt = { kind, version: null, keyId, sinceMs: 0, attempts: 0, nextAttemptAtMs: null, lastError: null };
    return { next: { record: { ...record, debts: [{ ...debt, identity }] }, shelf }, value: null };
  });
}

const isAlive = ({ simulator }: Installation, keyId: string): boolean =>
  simulator.oracle().keys.some((key) => key.id === keyId && key.deletedAt === null);

describe('import', () => {
  test('looks the id of the key up, seals it as version 1 and proves it with one read, before a worker runs', async () => {
    const i = await empty();
    const { apiKey, keyId } = seededOf(i);
    const ran = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey } });
    expect(ran).toMatchObject({
      exit: 0,
      warnings: [],
      data: { version: 1, keyId, accepted: true, workflow: 'not-running' },
    });
    expect(ran.out + ran.err).not.toContain(apiKey);
    const record = await recordOf(i);
    expect(currentOf(record)).toMatchObject({ version: 1, keyId, verifiedAtMs: expect.any(Number) });
    expect(i.simulator.oracle()).toMatchObject({
      strikes: { total: 0 },
      requests: [{ route: '/consumers/{id}/keys' }],
    });

    const again = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey } });
    expect(again).toMatchObject({ exit: 5, error: { code: 'KT-ALREADY-IMPORTED' } });
  });

  test('asks on a terminal without showing what is typed', async () => {
    const i = await empty();
    const { apiKey, secretKey, keyId } = seededOf(i);
    const ran = await keyturn(i, ['import', i.credentialId], { typed: [apiKey, secretKey] });
    expect(ran).toMatchObject({ exit: 0, data: { keyId, secretKey: 'ok' } });
    expect(ran.err).toContain('apiKey of');
    expect(ran.out + ran.err).not.toContain(apiKey);
  });

  test('seals nothing when the provider refuses the key; each try of an operator may cost one strike', async () => {
    const i = await empty();
    const stdin = { apiKey: 'wrong-but-well-formed-key', keyId: seededOf(i).keyId };
    for (const total of [1, 2]) {
      const ran = await keyturn(i, ['import', i.credentialId], { stdin });
      expect(ran).toMatchObject({ exit: 4, error: { code: 'KT-CREDENTIAL-REFUSED' } });
      expect(i.simulator.oracle().strikes.total).toBe(total);
    }
    expect(await i.vault.custody.read(i.credentialId)).toBeUndefined();
  });

  test('never spends more than the budget, however often a wrong key is imported, and then seals only on the word of its id', async () => {
    const i = await empty({ top: { lockout: { limit: 2 } } });
    const stdin = { apiKey: 'wrong-but-well-formed-key' };
    for (let tries = 0; tries < 4; tries += 1) await keyturn(i, ['import', i.credentialId], { stdin });
    expect(i.simulator.oracle().strikes.total).toBe(2);
    expect(await i.vault.custody.read(i.credentialId)).toBeUndefined();
  });

  test('while the provider is out of reach seals with a warning where the id is given, and not at all where it is not', async () => {
    const i = await empty();
    const { apiKey, keyId } = seededOf(i);
    i.simulator.faults.add({ match: { times: 'always' }, action: 'fail-before', reset: true });
    const without = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey } });
    expect(without).toMatchObject({ exit: 2, error: { code: 'KT-INPUT', hint: expect.stringContaining('keyId') } });
    expect(await i.vault.custody.read(i.credentialId)).toBeUndefined();
    const ran = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey, keyId } });
    expect(ran).toMatchObject({
      exit: 0,
      data: { accepted: false },
      warnings: [expect.stringContaining('full check')],
    });
    expect(currentOf(await recordOf(i))).toMatchObject({ keyId, verifiedAtMs: null });
  });

  test('asks for the id where several keys begin alike, and believes none that is not listed', async () => {
    const i = await empty({ simulator: { tenant: { sharedPrefix: 'abcdef' } } });
    const { apiKey, keyId, consumerId } = seededOf(i);
    i.simulator.createKey(consumerId);
    const ambiguous = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey } });
    expect(ambiguous).toMatchObject({ exit: 2, error: { code: 'KT-INPUT' } });
    const wrong = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey, keyId: 'not-listed' } });
    expect(wrong).toMatchObject({ exit: 2, error: { code: 'KT-INPUT' } });
    expect(await i.vault.custody.read(i.credentialId)).toBeUndefined();
    const typed = await keyturn(i, ['import', i.credentialId], { typed: [apiKey, '', keyId] });
    expect(typed).toMatchObject({ exit: 0, data: { keyId } });
  });

  test('refuses a key of another API consumer, and an id that is not its own', async () => {
    const i = await empty({ simulator: { seed: [{ id: 'rotator' }, { id: 'other' }] } });
    const { apiKey } = seededOf(i);
    const stranger = i.simulator.seeded[1];
    const foreign = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey: stranger?.apiKey } });
    expect(foreign).toMatchObject({ exit: 2, error: { code: 'KT-INPUT' } });
    const swapped = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey, keyId: stranger?.keyId } });
    expect(swapped).toMatchObject({ exit: 2, error: { code: 'KT-INPUT' } });
    expect(await i.vault.custody.read(i.credentialId)).toBeUndefined();
  });

  test('wants the secret key where the next rotation needs it, and quotes nothing of a wrong input', async () => {
    const i = await empty({ strategy: 'rotation' });
    const { apiKey, secretKey } = seededOf(i);
    const without = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey } });
    expect(without).toMatchObject({ exit: 2, error: { message: expect.stringContaining('secretKey') } });
    const misnamed = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey, [secretKey]: 'x' } });
    expect(misnamed.exit).toBe(2);
    expect(misnamed.out + misnamed.err).not.toContain(secretKey);
    const ran = await keyturn(i, ['import', i.credentialId], { stdin: { apiKey, secretKey } });
    expect(ran).toMatchObject({ exit: 0, data: { secretKey: 'ok' } });
  });

  test('--replace makes the next version; the old one is forgotten, and stays alive at the provider', async () => {
    const i = await installation();
    const fresh = i.simulator.createKey('rotator');
    const ran = await keyturn(i, ['import', i.credentialId, '--replace'], { stdin: { apiKey: fresh.apiKey } });
    expect(ran).toMatchObject({
      exit: 0,
      data: { version: 2, keyId: fresh.keyId, replaced: { version: 1, becomes: 'forgotten' } },
    });
    expect(await recordOf(i)).toMatchObject({
      versions: [{ version: 2 }],
      destroyed: [{ version: 1, proof: 'operator' }],
    });
    expect(isAlive(i, seededOf(i).keyId)).toBe(true);
  });

  test('--replace --revoke-old tells the workflow, which revokes the old key after its grace', async () => {
    const i = await installation();
    await i.worker();
    await i.client.ensureStarted(i.credentialId);
    await i.until('it has loaded the record', (s) => s.current?.version === 1);
    const fresh = i.simulator.createKey('rotator');
    const argv = ['import', i.credentialId, '--replace', '--revoke-old'];
    const ran = await keyturn(i, argv, { stdin: { apiKey: fresh.apiKey } });
    expect(ran).toMatchObject({ exit: 0, data: { workflow: 'told', replaced: { becomes: 'in-grace' } } });
    await i.until(
      'version 2 is current and version 1 gone',
      (s) => s.current?.version === 2 && s.previous.length === 0,
    );
    expect(isAlive(i, seededOf(i).keyId)).toBe(false);
    expect(isAlive(i, fresh.keyId)).toBe(true);
  });

  test('--replace of the secret key alone retires nothing, and repeated it changes nothing', async () => {
    const i = await installation({ strategy: 'rotation' });
    const { apiKey, keyId } = seededOf(i);
    const { secretKey } = i.simulator.regenerateSecret('rotator');
    const argv = ['import', i.credentialId, '--replace', '--revoke-old'];
    const ran = await keyturn(i, argv, { stdin: { apiKey, secretKey } });
    expect(ran).toMatchObject({ exit: 0, data: { version: 2, keyId, replaced: { becomes: 'same-key' } } });
    expect(await recordOf(i)).toMatchObject({ versions: [{ version: 2, stage: 'current' }], destroyed: [] });
    expect(await keyturn(i, argv, { stdin: { apiKey, secretKey } })).toMatchObject({ exit: 5 });
    expect((await recordOf(i)).highestVersion).toBe(2);
  });

  test('--replace is refused while a rotation runs, and for a version that has leaked or was destroyed', async () => {
    const i = await installation();
    const { apiKey } = seededOf(i);
    const replace = (key: string) => keyturn(i, ['import', i.credentialId, '--replace'], { stdin: { apiKey: key } });
    const fresh = i.simulator.createKey('rotator');
    await i.vault.custody.update(i.credentialId, ({ record, shelf }) => ({
      next: { record: { ...record, operation: operationFacts() }, shelf },
      value: null,
    }));
    expect(await replace(fresh.apiKey)).toMatchObject({ exit: 5, error: { code: 'KT-CONFLICT' } });
    await i.vault.custody.update(i.credentialId, ({ record, shelf }) => {
      const versions = record.versions.map((v) => ({ ...v, leaked: true }));
      return { next: { record: { ...record, operation: null, versions }, shelf }, value: null };
    });
    expect(await replace(apiKey)).toMatchObject({ exit: 5, error: { message: expect.stringContaining('leaked') } });
    expect(i.simulator.oracle().requests).toEqual([]);
  });
});

describe('get', () => {
  test('shows no value, and with --reveal leaves a record of who was shown which field of which version', async () => {
    const i = await installation();
    const { apiKey, secretKey } = seededOf(i);
    const masked = await keyturn(i, ['get', i.credentialId]);
    expect(masked).toMatchObject({ exit: 0, data: { version: 1, revealed: false, accesses: [] } });
    for (const secret of [apiKey, secretKey]) expect(masked.out).not.toContain(secret);
    const revealed = await keyturn(i, ['get', i.credentialId, '--field', 'apiKey', '--reveal']);
    expect(revealed.data['fields']).toEqual({ apiKey });
    const after = await keyturn(i, ['get', i.credentialId]);
    expect(after.data['accesses']).toMatchObject([
      { command: 'get', version: 1, fields: ['apiKey'], by: expect.any(String) },
    ]);
    expect(await keyturn(i, ['get', i.credentialId, '--field', 'password'])).toMatchObject({ exit: 2 });
  });

  test('before an import says so', async () => {
    const i = await empty();
    expect(await keyturn(i, ['get', i.credentialId])).toMatchObject({ exit: 5, error: { code: 'KT-NOT-IMPORTED' } });
  });
});

describe('exec', () => {
  const writeEnv = "require('fs').writeFileSync(process.argv[1], JSON.stringify(process.env)); process.exit(3)";

  test('hands the key over in the environment, without keyturn’s own secrets, and ends with the exit code of the command', async () => {
    const i = await installation({
      top: { webhooks: { mambu: { auth: { kind: 'header', name: 'x-secret', value: '${env:HOOK_SECRET}' } } } },
    });
    const { apiKey } = seededOf(i);
    const file = join(i.directory, 'env.json');
    const env = { PATH: process.env['PATH'], HOOK_SECRET: 's', TEMPORAL_API_KEY: 't', OTHER: 'kept' };
    const argv = ['exec', i.credentialId];
    const command = ['--', process.execPath, '-e', writeEnv, file];
    const ran = await keyturn(i, [...argv, ...command], { env });
    expect(ran).toMatchObject({ exit: 3, out: '' });
    const seen = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
    expect(seen).toMatchObject({
      KEYTURN_CREDENTIAL_ID: i.credentialId,
      KEYTURN_VERSION: '1',
      KEYTURN_BASE_URL: i.simulator.baseUrl,
      KEYTURN_API_KEY: apiKey,
      OTHER: 'kept',
    });
    expect(Object.keys(seen).filter((name) => name === 'HOOK_SECRET' || name.startsWith('TEMPORAL_'))).toEqual([]);
    expect(JSON.stringify(seen)).not.toContain(seededOf(i).secretKey);

    await keyturn(i, [...argv, '--keep-env', ...command], { env });
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ HOOK_SECRET: 's', TEMPORAL_API_KEY: 't' });
    const { data } = await keyturn(i, ['get', i.credentialId]);
    expect(data['accesses']).toMatchObject([{ command: 'exec', fields: ['apiKey'] }, { command: 'exec' }]);
  });

  test('ends with 127 when there is no such command', async () => {
    const i = await installation();
    expect(await keyturn(i, ['exec', i.credentialId, '--', 'no-such-command-here'])).toMatchObject({ exit: 127 });
  });

  test('passes signals on, and ends with what the command makes of them', async () => {
    const i = await installation();
    const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
    const marker = join(i.directory, 'ready');
    const waits = `process.on('SIGTERM', () => process.exit(7)); require('fs').writeFileSync(${JSON.stringify(marker)}, ''); setInterval(() => {}, 1000)`;
    const argv = [main, '-c', i.configFile, 'exec', i.credentialId, '--', process.execPath, '-e', waits];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    await vi.waitFor(() => stat(marker), { timeout: 15_000, interval: 50 });
    const exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill('SIGTERM');
    expect(await exited).toBe(7);
  });
});

describe('lockout', () => {
  test('shows what was spent by whom, and after a reset a refused key may be tried again', async () => {
    const i = await empty();
    await keyturn(i, ['import', i.credentialId], { stdin: { apiKey: 'wrong-but-well-formed-key' } });
    const spent = await keyturn(i, ['lockout', i.credentialId]);
    expect(spent.data['accounts']).toMatchObject([
      { baseUrl: i.simulator.baseUrl, used: 1, reserved: 0, limit: 4, credentials: [i.credentialId], strikes: [{}] },
    ]);
    expect(await keyturn(i, ['lockout', i.credentialId, '--reset'])).toMatchObject({ exit: 2 });
    const reset = await keyturn(i, ['lockout', i.credentialId, '--reset', '--reason', 'the IP was unblocked']);
    expect(reset.data['accounts']).toMatchObject([{ used: 0, resets: [{ reason: 'the IP was unblocked' }] }]);
  });
});

describe('reconcile', () => {
  test('tells which listed key is whose, and changes nothing', async () => {
    const i = await installation();
    const foreign = i.simulator.createKey('rotator');
    const before = (await recordOf(i)).seq;
    const ran = await keyturn(i, ['reconcile', i.credentialId]);
    expect(ran).toMatchObject({ exit: 0, data: { dryRun: false, repaired: [], workflow: { state: 'not running' } } });
    expect(ran.data['keys']).toMatchObject([
      { keyId: seededOf(i).keyId, is: 'current', listed: true },
      { keyId: foreign.keyId, is: 'foreign' },
    ]);
    expect((await recordOf(i)).seq).toBe(before);
    expect(i.simulator.oracle().writes).toEqual([]);
  });

  test('ends with 3 when the current key is missing at the provider or a suspect waits', async () => {
    const i = await installation();
    const { keyId, consumerId } = seededOf(i);
    await editConfig(i, ({ credentials }) => {
      credentials['manager'] = {
        mambu: { baseUrl: i.simulator.baseUrl, consumerId, strategy: 'create-and-delete' },
        policy: {},
      };
      Object.assign(credentials['manager'], { provider: 'mambu' });
      Object.assign(credentials[i.credentialId]?.mambu ?? {}, { managedBy: 'manager' });
    });
    const manager = i.simulator.createKey(consumerId);
    // A managed key may be imported before its manager.
    const { apiKey } = i.simulator.createKey(consumerId);
    const early = await keyturn(i, ['import', i.credentialId, '--replace'], { stdin: { apiKey } });
    expect(early).toMatchObject({ exit: 0, data: { accepted: true } });
    expect(await keyturn(i, ['import', 'manager'], { stdin: manager })).toMatchObject({ exit: 0 });
    i.simulator.deleteKey(String(early.data['keyId']));
    const ran = await keyturn(i, ['reconcile', i.credentialId]);
    expect(ran.exit).toBe(3);
    const missing = { keyId: early.data['keyId'], is: 'current', listed: false };
    expect(ran.data['keys']).toMatchObject([missing, { keyId, is: 'foreign' }, { is: 'foreign' }]);
  });

  test('--delete removes a suspected orphan at the provider and clears its debt; --dry-run only says so', async () => {
    const i = await installation();
    const suspect = i.simulator.createKey('rotator');
    await withDebt(i, suspect.keyId);
    const argv = ['reconcile', i.credentialId, '--delete', suspect.keyId];
    expect(await keyturn(i, [...argv, '--dry-run'])).toMatchObject({ exit: 0, data: { wouldDelete: true } });
    expect(isAlive(i, suspect.keyId)).toBe(true);
    expect(await keyturn(i, argv)).toMatchObject({ exit: 0, data: { outcome: 'done' } });
    expect(isAlive(i, suspect.keyId)).toBe(false);
    expect((await recordOf(i)).debts).toEqual([]);
    expect(await keyturn(i, argv)).toMatchObject({ exit: 5 });
  });

  test('--delete never touches a living version, even one that stands in a debt, nor a key of others', async () => {
    const i = await installation();
    const { keyId } = seededOf(i);
    const foreign = i.simulator.createKey('rotator');
    await withDebt(i, keyId);
    for (const id of [keyId, foreign.keyId, 'unknown']) {
      const ran = await keyturn(i, ['reconcile', i.credentialId, '--delete', id]);
      expect(ran).toMatchObject({ exit: 5, error: { code: 'KT-CONFLICT' } });
    }
    expect([keyId, foreign.keyId].map((id) => isAlive(i, id))).toEqual([true, true]);
    expect(i.simulator.oracle().writes).toEqual([]);
  });

  test('--delete keeps the debt when the provider did not answer', async () => {
    const i = await installation();
    const suspect = i.simulator.createKey('rotator');
    await withDebt(i, suspect.keyId);
    i.simulator.faults.add({ match: { method: 'DELETE' }, action: 'fail-before' });
    const ran = await keyturn(i, ['reconcile', i.credentialId, '--delete', suspect.keyId]);
    expect(ran.exit).not.toBe(0);
    expect((await recordOf(i)).debts).toHaveLength(1);
  });
});

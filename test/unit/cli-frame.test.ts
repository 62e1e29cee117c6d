import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { credentialOf } from '../../src/cli/credential.js';
import { clean, createOutput } from '../../src/cli/output.js';
import { type LoadedAction, runCli } from '../../src/cli/program.js';
import { readHidden, readJsonObject } from '../../src/cli/prompt.js';
import type { Io } from '../../src/cli/run.js';
import { table } from '../../src/cli/table.js';
import { parseConfig } from '../../src/config.js';
import { type ErrorCode, errorTable, KeyturnError } from '../../src/domain/errors.js';
import { ProviderFailure } from '../../src/domain/failure.js';
import { StoreFailure } from '../../src/stores/store.js';

interface Terminal extends Io {
  out(): string;
  err(): string;
  /** As the operating system would send it. */
  send(signal: NodeJS.Signals): void;
}

function terminal(options: { stdin?: string; isTTY?: boolean; env?: NodeJS.ProcessEnv } = {}): Terminal {
  let out = '';
  let err = '';
  const reactions = new Map<NodeJS.Signals, (signal: NodeJS.Signals) => void>();
  return {
    stdin: Readable.from([options.stdin ?? '']),
    stdout: { isTTY: options.isTTY, write: (text) => (out += text) },
    stderr: { isTTY: options.isTTY, write: (text) => (err += text) },
    env: options.env ?? {},
    onSignal(signals, react) {
      for (const signal of signals) reactions.set(signal, react);
      return () => reactions.clear();
    },
    out: () => out,
    err: () => err,
    send: (signal) => reactions.get(signal)?.(signal),
  };
}

/** Runs a command line whose command does `action` instead of its own work. */
async function cli(argv: readonly string[], action: LoadedAction, io = terminal()) {
  const exit = await runCli(argv, io, async () => action);
  return { exit, out: io.out(), err: io.err() };
}

const fails = (error: unknown): LoadedAction => {
  return async () => {
    throw error;
  };
};
const nothing: LoadedAction = async () => undefined;

describe('the exit code', () => {
  test.each(Object.entries(errorTable))('of %s is that of the table', async (code, { exit }) => {
    expect((await cli(['doctor'], fails(new KeyturnError(code as ErrorCode, 'no')))).exit).toBe(exit);
  });

  test.each<[number, unknown]>([
    [4, new ProviderFailure({ class: 'forbidden', code: 'KT-FORBIDDEN', message: 'no' })],
    [6, new ProviderFailure({ class: 'outage', code: 'KT-SOMETHING', message: 'no' })],
    [5, new StoreFailure('conflict', 'no')],
    [6, new StoreFailure('unavailable', 'no')],
    [1, new StoreFailure('corrupt', 'no')],
    [1, new Error('no')],
    [1, 'no'],
  ])('is %d for %o', async (exit, error) => {
    expect((await cli(['doctor'], fails(error))).exit).toBe(exit);
  });

  test('is 0 when all went well, and what the command says otherwise', async () => {
    expect((await cli(['doctor'], nothing)).exit).toBe(0);
    expect((await cli(['status'], async () => ({ data: {}, exit: 3 }))).exit).toBe(3);
  });

  test.each([
    [['rotat', 'core']],
    [['rotate']],
    [['rotate', 'core', '--no-such-flag']],
    [['rotate', 'core', '--reason', 'mood']],
    [['rotate', 'core', '--timeout', '10']],
    [['rotate', 'core', '--leaked-version', '0']],
    [['rotate', 'core', 'more']],
    [['ack', 'core', '--consumer', 'billing']],
    [['simulate', 'acme']],
    [['simulate', 'mambu', '--rule', 'nothing']],
    [['webhook']],
    [[]],
  ])('is 2 for the wrong usage %j', async (argv) => {
    const { exit, out } = await cli(argv, nothing);
    expect(exit).toBe(2);
    expect(out).toBe('');
  });

  test('is 0 for --help and --version, which go to stdout', async () => {
    expect(await cli(['--help'], nothing)).toMatchObject({ exit: 0, err: '', out: expect.stringContaining('rotate') });
    expect(await cli(['-V'], nothing)).toMatchObject({ exit: 0, err: '', out: '0.1.0\n' });
  });

  test('is 2 when keyturn.yaml is missing or wrong', async () => {
    const io = terminal();
    const readConfig: LoadedAction = async (context) => ({ data: await context.config() });
    expect((await cli(['status', '-c', '/nowhere/keyturn.yaml'], readConfig, io)).exit).toBe(2);
    expect(io.err()).toContain('error KT-CONFIG-MISSING: there is no /nowhere/keyturn.yaml');
  });
});

describe('a signal', () => {
  const untilAborted: LoadedAction = (context) =>
    new Promise((resolve) => {
      context.signal.addEventListener('abort', () => resolve({ text: 'stopped cleanly' }));
    });
  const never: LoadedAction = () => new Promise(() => undefined);

  test('SIGINT cuts a command off with 130', async () => {
    const io = terminal();
    const running = cli(['status', '--json'], never, io);
    await expect.poll(() => (io.send('SIGINT'), io.out())).not.toBe('');
    expect((await running).exit).toBe(130);
    expect(JSON.parse(io.out())).toMatchObject({ ok: false, error: { code: 'KT-INTERRUPTED' } });
  });

  test('lets a server end by itself: 0 after SIGTERM, 130 after SIGINT', async () => {
    for (const [signal, exit] of [
      ['SIGTERM', 0],
      ['SIGINT', 130],
    ] as const) {
      const io = terminal();
      const running = cli(['worker'], untilAborted, io);
      const ticking = setInterval(() => io.send(signal), 5);
      expect(await running).toMatchObject({ exit, out: 'stopped cleanly\n' });
      clearInterval(ticking);
    }
  });

  test('a second one cuts off a server that does not end', async () => {
    const io = terminal();
    const running = cli(['worker'], never, io);
    const ticking = setInterval(() => io.send('SIGINT'), 5);
    expect((await running).exit).toBe(130);
    clearInterval(ticking);
  });
});

describe('--json', () => {
  test('puts exactly one object on stdout', async () => {
    const { out, err } = await cli(['status', '--json'], async ({ out: output }) => {
      output.warn('no schedule');
      return { data: { a: 1 }, text: 'for people' };
    });
    expect(out).toBe('{"ok":true,"data":{"a":1},"warnings":["no schedule"]}\n');
    expect(err).toBe('');
  });

  test('has data: null for a command without an answer', async () => {
    expect((await cli(['worker', '--json'], nothing)).out).toBe('{"ok":true,"data":null,"warnings":[]}\n');
  });

  test('is one object a line for a command that goes on answering', async () => {
    const { out } = await cli(['status', '--watch', '--json'], async ({ out: output }) => {
      output.answer(1);
      output.answer(2);
      return undefined;
    });
    expect(out).toBe('{"ok":true,"data":1,"warnings":[]}\n{"ok":true,"data":2,"warnings":[]}\n');
  });

  test('has code, message and hint of an error', async () => {
    const { out, err } = await cli(['status', '--json'], fails(new KeyturnError('KT-PAUSED', 'it is paused')));
    expect(out).toBe(
      '{"ok":false,"error":{"code":"KT-PAUSED","message":"it is paused","hint":"`keyturn resume ID`."},"warnings":[]}\n',
    );
    expect(err).toBe('');
  });

  test('holds for wrong usage, too', async () => {
    const { out } = await cli(['--json', 'rotate'], nothing);
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'KT-USAGE' }, warnings: [] });
  });

  test('after -- belongs to the command that is run', async () => {
    expect((await cli(['exec', '--', 'ls', '--json', '--no-such'], nothing)).out).toBe('');
  });
});

describe('without --json', () => {
  test('the text is on stdout; warnings and errors are on stderr', async () => {
    const well = await cli(['status'], async ({ out }) => {
      out.warn('no schedule');
      return { data: {}, text: 'fine' };
    });
    expect(well).toEqual({ exit: 0, out: 'fine\n', err: 'warning: no schedule\n' });
    const badly = await cli(['status'], fails(new KeyturnError('KT-PAUSED', 'it is paused')));
    expect(badly.err).toBe('error KT-PAUSED: it is paused\n`keyturn resume ID`.\n');
    expect(badly.out).toBe('');
  });

  test('a hint names the credential that the command line names', async () => {
    const paused = fails(new KeyturnError('KT-PAUSED', 'it is paused'));
    expect((await cli(['status', 'core-$&'], paused)).err).toContain('`keyturn resume core-$&`.');
    const orphan = fails(new KeyturnError('KT-SUSPECTED-ORPHAN', 'a key may be ours'));
    expect((await cli(['reconcile', 'core'], orphan)).err).toContain('keyturn reconcile core --delete KEYID');
    expect((await cli(['arazzo', 'check', 'file.yaml'], paused)).err).toContain('`keyturn resume ID`.');
  });

  test('colours are for terminals without NO_COLOR', () => {
    const coloured = (io: Terminal, json = false) => createOutput({ ...io, json }).style('red', 'x');
    expect(coloured(terminal({ isTTY: true }))).toBe('\u001b[31mx\u001b[39m');
    expect(coloured(terminal())).toBe('x');
    expect(coloured(terminal({ isTTY: true }), true)).toBe('x');
    expect(coloured(terminal({ isTTY: true, env: { NO_COLOR: '1' } }))).toBe('x');
  });
});

describe('foreign text', () => {
  const evil = 'a\u001b[2J\u001b]0;title\u0007b\u0000\u009b31mc\u202ed\r';

  test('loses control characters, terminal escapes and marks of direction', () => {
    expect(clean(evil)).toBe('abcd');
    expect(clean('line\n\tnext')).toBe('line\n\tnext');
  });

  test('is cleaned in answers, talk, warnings and errors, also between colours of our own', async () => {
    const io = terminal({ isTTY: true });
    const out = createOutput({ ...io, json: false });
    out.answer(null, `${out.style('green', evil)} ${evil} \u001b[8mhidden\u001b[0m`);
    out.say(evil);
    out.warn(evil);
    out.fail(new KeyturnError('KT-INPUT', evil));
    expect(io.out()).toBe('\u001b[32mabcd\u001b[39m abcd hidden\n');
    expect(io.err().replaceAll(/\p{Cc}\[\d+m/gu, '')).not.toMatch(/[^\P{Cc}\n]/u);
  });
});

describe('an unexpected error', () => {
  test('is KT-INTERNAL with the place and without message, cause and properties', async () => {
    const error = Object.assign(new TypeError('"hunter2" is an invalid header value', { cause: 'hunter2' }), {
      code: 'ERR_X',
      request: { headers: { apiKey: 'hunter2' } },
    });
    const { err, exit } = await cli(['doctor'], fails(error));
    expect(exit).toBe(1);
    expect(err).toContain('error KT-INTERNAL: unexpected TypeError ERR_X');
    expect(err).toContain('cli-frame.test.ts');
    expect(err).not.toContain('hunter2');
  });
});

describe('the command line', () => {
  const seen = async (argv: readonly string[]) => {
    let what: unknown;
    const { exit, err } = await cli(argv, async ({ globals }, args, flags) => {
      what = { globals, args, flags };
      return {};
    });
    if (exit !== 0) throw new Error(err);
    return what;
  };

  test('takes global flags before and after the command; after wins', async () => {
    expect(await seen(['-c', 'a.yaml', '--json', 'status', '--address', 'h:1', '--namespace', 'n'])).toMatchObject({
      globals: { config: 'a.yaml', json: true, address: 'h:1', namespace: 'n' },
    });
    expect(await seen(['-c', 'a.yaml', 'status', '-c', 'b.yaml'])).toMatchObject({ globals: { config: 'b.yaml' } });
    expect(await seen(['status'])).toMatchObject({ globals: { config: 'keyturn.yaml', json: false } });
  });

  test('gives a command its arguments and flags, parsed', async () => {
    const rotate = ['rotate', 'core', '--reason', 'compromise', '--leaked-version', '2', '--wait', '--timeout', '10m'];
    expect(await seen(rotate)).toMatchObject({
      args: ['core'],
      flags: { reason: 'compromise', leakedVersion: 2, wait: true, timeout: 600_000 },
    });
    expect(await seen(['rotate', 'core'])).toMatchObject({ flags: { reason: 'routine' } });
    expect(await seen(['simulate', 'mambu', '--rule', 'a=1', '--rule', 'b=c=d', '--seed', 'x'])).toMatchObject({
      args: ['mambu'],
      flags: {
        rule: [
          ['a', '1'],
          ['b', 'c=d'],
        ],
        seed: ['x'],
      },
    });
  });

  test('has a --version for ack that is not keyturn’s', async () => {
    expect(await seen(['ack', 'core', '--consumer', 'billing', '--version', '3'])).toMatchObject({
      flags: { consumer: 'billing', version: 3 },
    });
  });

  test('leaves what stands after -- to exec', async () => {
    expect(await seen(['exec', 'core', '--keep-env', '--', 'curl', '-c', 'jar', '--json', '{}'])).toMatchObject({
      globals: { config: 'keyturn.yaml', json: false },
      args: ['core', 'curl', '-c', 'jar', '--json', '{}'],
      flags: { keepEnv: true },
    });
  });

  test.each([
    ['init', []],
    ['import', ['--replace', '--revoke-old']],
    ['apply', ['--dry-run', '--prune']],
    ['worker', []],
    ['serve', []],
    ['dev', []],
    ['demo', ['--keep']],
    ['rotate', ['--reason', '--leaked-version', '--request-id', '--wait', '--timeout', '--dry-run']],
    ['status', ['--watch']],
    ['history', []],
    ['pause', []],
    ['resume', []],
    ['rollback', []],
    ['ack', ['--consumer', '--version']],
    ['reconcile', ['--dry-run', '--delete']],
    ['lockout', ['--reset', '--reason']],
    ['get', ['--field', '--reveal']],
    ['exec', ['--keep-env']],
    ['doctor', []],
    ['simulate', ['--port', '--control-port']],
    ['webhook trigger', ['--to', '--consumer-id', '--header', '--times']],
  ])('%s --help shows %j and the global flags', async (words, flags) => {
    const { out } = await cli([...words.split(' '), '--help'], nothing);
    for (const flag of [...flags, '-c, --config', '--json', '--address', '--namespace']) expect(out).toContain(flag);
  });

  test('names an unknown credential with the one that was perhaps meant', () => {
    const text =
      'version: 1\ncredentials: { core: { provider: mambu, mambu: { baseUrl: https://a/api, consumerId: c, strategy: create-and-delete } } }';
    const config = parseConfig(text, 'keyturn.yaml');
    expect(credentialOf(config, 'core').credentialId).toBe('core');
    expect(() => credentialOf(config, 'cor')).toThrow(expect.objectContaining({ code: 'KT-UNKNOWN-CREDENTIAL' }));
  });
});

describe('stdin', () => {
  test('is read as one JSON object', async () => {
    expect(await readJsonObject(Readable.from(['{"apiKey":', '"x"}\n']))).toEqual({ apiKey: 'x' });
  });

  test.each([
    ['', 'is empty'],
    ['hunter2', 'valid JSON'],
    ['["hunter2"]', 'one JSON object'],
    ['"hunter2"', 'one JSON object'],
    [`{"a":"hunter2${' '.repeat(65_536)}"}`, 'more than 64 KiB'],
  ])('is refused without a quote of it (%#)', async (text, message) => {
    const error: unknown = await readJsonObject(Readable.from([text])).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KT-INPUT', message: expect.stringContaining(message) });
    expect(String(error)).not.toContain('hunter2');
  });

  const typing = (...keys: readonly string[]) => {
    const modes: boolean[] = [];
    return Object.assign(Readable.from(keys), { isTTY: true, modes, setRawMode: (mode: boolean) => modes.push(mode) });
  };

  test('is asked on a terminal without showing what is typed', async () => {
    const io = terminal();
    const stdin = typing('hun', 'x\u007f', 'ter2\r');
    expect((await readHidden('apiKey', stdin, io.stderr)).reveal()).toBe('hunter2');
    expect(io.err()).toBe('apiKey: \n');
    expect(stdin.modes).toEqual([true, false]);
  });

  test('two questions read one line each', async () => {
    const io = terminal();
    const stdin = typing('one\r', 'two\r');
    expect((await readHidden('a', stdin, io.stderr)).reveal()).toBe('one');
    expect((await readHidden('b', stdin, io.stderr)).reveal()).toBe('two');
  });

  test('gives the terminal back at Ctrl-C', async () => {
    const stdin = typing('hun', '\u0003');
    await expect(readHidden('apiKey', stdin, terminal().stderr)).rejects.toMatchObject({ code: 'KT-INTERRUPTED' });
    expect(stdin.modes).toEqual([true, false]);
  });

  test('is not asked where there is no terminal', async () => {
    const io = terminal();
    await expect(readHidden('apiKey', io.stdin, io.stderr)).rejects.toMatchObject({ code: 'KT-INPUT' });
  });
});

test('a table is aligned by what is seen, one line a row', () => {
  expect(
    table(
      ['ID', 'STATUS'],
      [
        ['core-prod', 'idle'],
        ['b', 'a\nb'],
      ],
    ),
  ).toBe('ID         STATUS\ncore-prod  idle\nb          a b');
  expect(table(['ID', 'X'], [['\u001b[32mab\u001b[39m', 'c']])).toBe('ID  X\n\u001b[32mab\u001b[39m  c');
});

describe('commands that need no Temporal:', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-cli-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const keyturn = async (...argv: readonly string[]) => {
    const io = terminal();
    return { exit: await runCli(argv, io), out: io.out(), err: io.err() };
  };

  test('init writes a valid keyturn.yaml and a key file of mode 0600, and says to back them up apart', async () => {
    const file = join(folder, 'a', 'keyturn.yaml');
    await mkdir(join(folder, 'a'));
    const { exit, out } = await keyturn('init', '-c', file);
    expect(exit).toBe(0);
    expect(out).toContain('separate backups');
    expect(parseConfig(await readFile(file, 'utf8'), file).warnings).toEqual([]);
    expect((await stat(join(folder, 'a/.keyturn/key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, 'a/.keyturn/.gitignore'), 'utf8')).toBe('*\n');
  });

  test('init overwrites nothing', async () => {
    const file = join(folder, 'a', 'keyturn.yaml');
    const key = await readFile(join(folder, 'a/.keyturn/key'), 'utf8');
    await writeFile(file, 'version: 1\n# mine\n');
    const { exit, out } = await keyturn('init', '-c', file, '--json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, data: { written: [] } });
    expect(await readFile(file, 'utf8')).toContain('# mine');
    expect(await readFile(join(folder, 'a/.keyturn/key'), 'utf8')).toBe(key);
  });

  test('init makes no new key beside a store in use', async () => {
    await mkdir(join(folder, 'b/.keyturn/store'), { recursive: true });
    await writeFile(join(folder, 'b/.keyturn/store/record'), 'sealed');
    const { exit, err } = await keyturn('init', '-c', join(folder, 'b', 'keyturn.yaml'));
    expect(exit).toBe(2);
    expect(err).toContain('from its backup');
    await expect(stat(join(folder, 'b/.keyturn/key'))).rejects.toThrow('ENOENT');
  });

  test('init says when it cannot write', async () => {
    expect((await keyturn('init', '-c', join(folder, 'missing', 'keyturn.yaml'))).exit).toBe(2);
  });

  test('simulate prints one JSON object and stays up until SIGTERM', async () => {
    const io = terminal();
    const running = runCli(['simulate', 'mambu', '--rule', 'graceMs=2000', '--seed', 'billing'], io);
    await expect.poll(io.out).not.toBe('');
    const shape = z.object({
      baseUrl: z.string(),
      controlUrl: z.string(),
      consumers: z.array(z.object({ consumerId: z.string() })),
    });
    const simulator = shape.parse(JSON.parse(io.out()));
    expect(simulator.consumers.map((one) => one.consumerId)).toEqual(['billing']);
    expect((await fetch(`${simulator.controlUrl}/oracle`)).status).toBe(200);
    io.send('SIGTERM');
    expect(await running).toBe(0);
    await expect(fetch(`${simulator.controlUrl}/oracle`)).rejects.toThrow();
  });

  test('simulate apigee takes its dialect and its delays as knobs and prints what a client needs', async () => {
    const io = terminal();
    const delays = { negativeCacheMs: 60_000, propagationDelayMs: 5_000, consistencyDelayMs: 2_000 };
    const more = { dialect: 'edge', productActionAnswer: '204' };
    const rules = Object.entries({ ...more, ...delays }).flatMap(([name, value]) => ['--rule', `${name}=${value}`]);
    const running = runCli(['simulate', 'apigee', ...rules, '--seed', 'billing'], io);
    await expect.poll(io.out).not.toBe('');
    const described: unknown = JSON.parse(io.out());
    expect(described).toMatchObject({ dialect: 'edge', seeded: { app: 'billing', organization: 'acme' } });
    const { controlUrl } = z.object({ controlUrl: z.string() }).parse(described);
    expect(await (await fetch(`${controlUrl}/rules`)).json()).toMatchObject({ ...more, ...delays });
    io.send('SIGTERM');
    expect(await running).toBe(0);
  });

  test('simulate refuses an unknown knob', async () => {
    expect(await keyturn('simulate', 'mambu', '--rule', 'grace=1')).toMatchObject({
      exit: 2,
      err: expect.stringContaining('grace'),
    });
  });

  test('webhook trigger sends the header from a file, which it never shows', async () => {
    const headers: unknown[] = [];
    const server = createServer((request, response) => {
      headers.push([request.headers.apiconsumerid, request.headers['x-keyturn-secret']]);
      response.writeHead(202).end('got hunter2');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = z.object({ port: z.number() }).parse(server.address());
    await writeFile(join(folder, 'secret'), 'hunter2\n');
    const trigger = [
      'webhook',
      'trigger',
      'mambu',
      '--to',
      `http://127.0.0.1:${address.port}/`,
      '--consumer-id',
      'abc',
    ];
    const { exit, out, err } = await keyturn(
      ...trigger,
      '--header',
      `x-keyturn-secret=@${join(folder, 'secret')}`,
      '--times',
      '2',
    );
    server.close();
    expect(exit).toBe(0);
    expect(headers).toEqual([
      ['abc', 'hunter2'],
      ['abc', 'hunter2'],
    ]);
    expect(out).toContain('202');
    expect(out + err).not.toContain('hunter2');
  });
});

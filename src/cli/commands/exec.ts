import { spawn } from 'node:child_process';
import { constants, hostname } from 'node:os';
import type { Config } from '../../config.js';
import { withoutAmbientTemporal } from '../../dev/ambient-temporal.js';
import { KeyturnError } from '../../domain/errors.js';
import { credentialOf } from '../credential.js';
import { currentKey, providerOf } from '../provider-calls.js';
import { type Action, asKeyturnError, type Context } from '../run.js';
import { secretRefsIn } from '../secret-refs.js';
import { operatorName, withSession } from '../session.js';

const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const SIGNALLED = 128;
const ofTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

export const run: Action<'exec'> = async (context, [credentialId, ...command], { keepEnv = false }) => {
  const env = await withSession(context, async (session) => {
    const credential = credentialOf(session.config, credentialId);
    const vault = await session.vault();
    const { facts, values } = await currentKey(vault, credentialId);
    const { secretFields } = providerOf(credential);
    const handed = Object.entries(secretFields).flatMap(([field, { env: name }]) => {
      const value = values.fields[field];
      return name === null || !value ? [] : [{ field, name, value: value.reveal() }];
    });
    const by = `${operatorName()}@${hostname()}`;
    const fields = handed.map(({ field }) => field);
    // A key that can be read is worth more to an application that starts than its trace: a full disk does not stop it.
    await vault.access
      .note(credentialId, { by, command: 'exec', version: facts.version, fields })
      .catch((error: unknown) => {
        context.out.warn(`this access could not be recorded: ${asKeyturnError(error).message}`);
      });
    return {
      ...(keepEnv ? context.env : withoutOwn(session.config, context.env)),
      KEYTURN_CREDENTIAL_ID: credentialId,
      KEYTURN_VERSION: String(facts.version),
      // The key's own: the file may name another one by now.
      KEYTURN_BASE_URL: facts.identity.baseUrl,
      ...Object.fromEntries(handed.map(({ name, value }) => [name, value])),
    };
  });
  return { exit: await runCommand(context, command, env) };
};

/** What is keyturn's own business: secrets that its configuration names, and where its Temporal is. */
function withoutOwn(config: Config, env: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  const own = new Set(secretRefsIn(config).flatMap((ref) => (ref.from === 'env' ? [ref.name] : [])));
  return Object.fromEntries(Object.entries(withoutAmbientTemporal(env)).filter(([name]) => !own.has(name)));
}

/**
 * Its streams are ours, and signals that reach keyturn reach it. On a terminal Ctrl-C reaches both at once: passed on, it would come twice.
 * Resolves with its exit code, 128 + n where signal n ended it.
 */
function runCommand(context: Context, command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { out, onSignal, stdin } = context;
  const [file = '', ...args] = command;
  const child = spawn(file, args, { env, stdio: 'inherit' });
  const release = onSignal([...ofTerminal, 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'], (signal) => {
    if (stdin.isTTY !== true || !ofTerminal.includes(signal)) child.kill(signal);
  });
  return new Promise<number>((resolve) => {
    child.once('error', (error) => {
      const isAbsent = 'code' in error && error.code === 'ENOENT';
      out.fail(new KeyturnError('KT-INPUT', `${file} ${isAbsent ? 'was not found' : 'cannot be run'}`));
      resolve(isAbsent ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once('exit', (code, signal) => {
      resolve(code ?? SIGNALLED + (signal === null ? 0 : constants.signals[signal]));
    });
  }).finally(release);
}

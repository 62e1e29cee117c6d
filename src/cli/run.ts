import { CommanderError } from 'commander';
import type { Config } from '../config.js';
import { errorTable, isErrorCode, KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import { type StoreFailureKind, StoreFailure } from '../stores/store.js';
import type { CommandName, Commands } from './definitions.js';
import { createOutput, type Output, type TextStream } from './output.js';
import type { InputStream } from './prompt.js';

/** What the process gives a command. */
export interface Io {
  readonly stdin: InputStream;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Calls back at SIGINT and SIGTERM until the returned function is called. */
  onSignal(signals: readonly NodeJS.Signals[], react: (signal: NodeJS.Signals) => void): () => void;
}

export interface Globals {
  /** As it was given; relative to the working directory. */
  readonly config: string;
  readonly json: boolean;
  /** Flags of Temporal: they go before anything else that is configured. */
  readonly address?: string;
  readonly namespace?: string;
}

export interface Context extends Pick<Io, 'stdin' | 'stderr' | 'env' | 'onSignal'> {
  readonly globals: Globals;
  readonly out: Output;
  /** Aborted at SIGINT, and at SIGTERM for a command that `endsItself`. */
  readonly signal: AbortSignal;
  /** keyturn.yaml. @throws ConfigError, KeyturnError KT-CONFIG-MISSING */
  config(): Promise<Config>;
}

/** What a command ends with. An answer that was already given by `out.answer` is not repeated. */
export interface Answer {
  readonly data?: unknown;
  /** The same for people. */
  readonly text?: string;
  /** Default 0; 130 after SIGINT. */
  readonly exit?: number;
}

/** A command's file exports it as `run`. Errors are thrown: KeyturnError says the exit code. */
export type Action<Name extends CommandName> = (
  context: Context,
  args: Commands[Name]['args'],
  flags: Commands[Name]['flags'],
) => Promise<Answer | undefined>;

export interface Running {
  readonly globals: Globals;
  readonly credentialId?: string;
  readonly endsItself: boolean;
  readonly takesSignals: boolean;
  readonly io: Io;
  readonly act: (context: Context) => Promise<Answer | undefined>;
}

/** Runs a command from its parsed flags to its exit code. Never throws. */
export async function runAction({
  globals,
  credentialId,
  endsItself,
  takesSignals,
  io,
  act,
}: Running): Promise<number> {
  const out = createOutput({ ...io, json: globals.json });
  const stop = new AbortController();
  let signalled: NodeJS.Signals | undefined;
  let cutOff: (error: KeyturnError) => void = () => undefined;
  const isCutOff = new Promise<never>((_, reject) => (cutOff = reject));
  const signals = takesSignals ? [] : endsItself ? (['SIGINT', 'SIGTERM'] as const) : (['SIGINT'] as const);
  const release = io.onSignal(signals, (signal) => {
    const isSecond = signalled !== undefined;
    signalled ??= signal;
    const interrupted = new KeyturnError('KT-INTERRUPTED', 'interrupted');
    stop.abort(interrupted);
    if (isSecond || !endsItself) cutOff(interrupted);
  });
  const config = async (): Promise<Config> => (await import('../config.js')).loadConfig(globals.config);
  const { stdin, stderr, env } = io;
  const onSignal: Io['onSignal'] = (names, react) => io.onSignal(names, react);
  try {
    const acting = act({ globals, out, signal: stop.signal, stdin, stderr, env, onSignal, config });
    const answer = await Promise.race([acting, isCutOff]);
    if (answer === undefined || 'data' in answer || answer.text !== undefined) {
      if (!out.hasAnswered) out.answer(answer?.data, answer?.text);
    }
    return answer?.exit ?? (signalled === 'SIGINT' ? errorTable['KT-INTERRUPTED'].exit : 0);
  } catch (error) {
    return failed(out, error, credentialId);
  } finally {
    release();
  }
}

/** Shows the error and gives its exit code. */
export function failed(out: Output, error: unknown, credentialId?: string): number {
  const plain = asKeyturnError(error);
  const known = credentialId === undefined ? plain : naming(credentialId, plain);
  if (known.code === 'KT-INTERNAL' && error instanceof Error) out.say(frames(error));
  out.fail(known);
  return errorTable[known.code].exit;
}

/** The hints of the table say `ID`; here it is known which. */
export function naming(credentialId: string, { code, message, hint }: KeyturnError): KeyturnError {
  return new KeyturnError(code, message, { hint: hint.replaceAll(/\bID\b/g, () => credentialId) });
}

const storeCodes = {
  conflict: 'KT-CONFLICT',
  unavailable: 'KT-STORE-UNAVAILABLE',
  corrupt: 'KT-STORE-CORRUPT',
} as const satisfies Record<StoreFailureKind, string>;

/** Any error in the terms of the one table. Of an unexpected one only the name and code are kept: its message may hold a secret. */
export function asKeyturnError(error: unknown): KeyturnError {
  if (error instanceof KeyturnError) return error;
  if (error instanceof ProviderFailure) {
    return new KeyturnError(isErrorCode(error.facts.code) ? error.facts.code : 'KT-PROVIDER-ERROR', error.message);
  }
  if (error instanceof StoreFailure) return new KeyturnError(storeCodes[error.kind], error.message);
  if (error instanceof CommanderError) {
    return new KeyturnError('KT-USAGE', error.message.replace(/^error: /, ''));
  }
  const name = error instanceof Error ? error.name : typeof error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : '';
  return new KeyturnError('KT-INTERNAL', `unexpected ${name}${code}`);
}

/** Where it happened, without the message. */
const frames = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');

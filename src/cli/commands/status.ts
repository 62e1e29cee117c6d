import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { KeyturnClient } from '../../client.js';
import type { CredentialState } from '../../contract.js';
import { errorTable, KeyturnError } from '../../domain/errors.js';
import { type Action, type Answer, type Context, naming } from '../run.js';
import { requireKnown, type Session, withSession } from '../session.js';
import { statesTable, stateText } from '../state-text.js';
import { instantText } from '../when.js';

const ATTENTION = 3;
const POLL_MS = 500;

export const run: Action<'status'> = async (context, [credentialId], { watch = false }) =>
  withSession(context, async (session) => {
    if (credentialId !== undefined) await requireKnown(session, credentialId);
    const client = await session.client();
    const look = (): Promise<Answer> =>
      credentialId === undefined ? lookAtAll(context, session, client) : lookAtOne(context, client, credentialId);
    return watch ? goOn(context, look) : look();
  });

async function lookAtOne({ out }: Context, client: KeyturnClient, credentialId: string): Promise<Answer> {
  const state = await client.state(credentialId);
  return { data: state, text: stateText(state, Date.now(), out), exit: exitOf([state]) };
}

/** Those of the file, and those that are gone from it while their workflows still run. */
async function lookAtAll({ out }: Context, { config }: Session, client: KeyturnClient): Promise<Answer> {
  const ids = [...new Set([...config.credentials.keys(), ...(await client.runningCredentials())])];
  const answers = await Promise.all(ids.map((id) => answerOf(client, id)));
  const failures = answers.flatMap(({ error }) => (error === null ? [] : [error]));
  const states = answers.flatMap(({ state }) => (state === null ? [] : [state]));
  const [failure] = failures;
  if (failure !== undefined && states.length === 0) throw failure;
  return {
    data: answers.map(({ credentialId, state, error }) => state ?? { credentialId, error: plain(error) }),
    text: [statesTable(states, Date.now(), out), ...failures.map(({ message, hint }) => `${message}. ${hint}`)].join(
      '\n',
    ),
    // What needs somebody is not hidden behind one that does not answer.
    exit: exitOf(states) || (failure === undefined ? 0 : errorTable[failure.code].exit),
  };
}

interface StateAnswer {
  readonly credentialId: string;
  readonly state: CredentialState | null;
  readonly error: KeyturnError | null;
}

async function answerOf(client: KeyturnClient, credentialId: string): Promise<StateAnswer> {
  try {
    return { credentialId, state: await client.state(credentialId), error: null };
  } catch (error) {
    return { credentialId, state: null, error: naming(credentialId, knownError(error)) };
  }
}

const plain = (error: KeyturnError | null): object | null =>
  error === null ? null : { code: error.code, message: error.message, hint: error.hint };

function knownError(error: unknown): KeyturnError {
  if (error instanceof KeyturnError) return error;
  throw error;
}

function exitOf(states: readonly CredentialState[]): number {
  return states.some(({ attention }) => attention.length > 0) ? ATTENTION : 0;
}

/** An answer for every change, until SIGINT. A worker or Temporal that is away is said once, and waited for. */
async function goOn({ out, signal }: Context, look: () => Promise<Answer>): Promise<Answer> {
  let shown: unknown;
  let trouble = '';
  while (!signal.aborted) {
    try {
      const { data, text = '' } = await look();
      trouble = '';
      if (!isDeepStrictEqual(withoutClock(data), shown)) {
        shown = withoutClock(data);
        out.answer(data, `${instantText(Date.now())}\n${text}\n`);
      }
    } catch (error) {
      const { code, message } = knownError(error);
      if (!errorTable[code].retryable) throw error;
      if (trouble !== message) out.say(`${code} ${message}`);
      trouble = message;
    }
    await sleep(POLL_MS);
  }
  return {};
}

/** `asOf` of the lockout account moves with every reading. */
function withoutClock(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data, (key, value: unknown) => (key === 'asOf' ? undefined : value)));
}

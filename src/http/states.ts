import type { KeyturnClient } from '../client.js';
import type { CredentialState } from '../contract.js';
import { KeyturnError } from '../domain/errors.js';
import type { Logger } from '../telemetry/log.js';
import { within } from './within.js';

/** A credential whose workflow does not answer, in a list of those that do. */
export interface UnansweredState {
  readonly credentialId: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}
export type ListedState = CredentialState | UnansweredState;

/** A query that hangs takes its place for as long as the client waits: so many at once, and all of them within this time. */
const AT_ONCE = 16;
const ALL_WITHIN_MS = 5_000;

/** One entry for each id, in their order. */
export async function readStates(
  client: Pick<KeyturnClient, 'state'>,
  credentialIds: readonly string[],
  log: Logger,
): Promise<readonly ListedState[]> {
  const deadlineMs = performance.now() + ALL_WITHIN_MS;
  const answers: ListedState[] = [];
  const left = credentialIds.entries();
  async function readOne(credentialId: string): Promise<ListedState> {
    const leftMs = deadlineMs - performance.now();
    try {
      if (leftMs <= 0) throw noAnswer();
      return await within(client.state(credentialId), leftMs, noAnswer);
    } catch (error) {
      if (!(error instanceof KeyturnError)) log.error({ err: error, credentialId }, 'a state could not be read');
      const known = error instanceof KeyturnError ? error : unreadable();
      return { credentialId, error: { code: known.code, message: known.message, hint: known.hint } };
    }
  }
  async function readOn(): Promise<void> {
    for (const [index, credentialId] of left) answers[index] = await readOne(credentialId);
  }
  await Promise.all(Array.from({ length: AT_ONCE }, readOn));
  return answers;
}

const noAnswer = (): KeyturnError => new KeyturnError('KT-NO-WORKER', `no answer within ${ALL_WITHIN_MS / 1_000} s`);
const unreadable = (): KeyturnError => new KeyturnError('KT-INTERNAL', 'the state could not be read');

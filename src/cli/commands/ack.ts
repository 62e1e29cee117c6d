import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyturnClient } from '../../client.js';
import type { Config } from '../../config.js';
import type { CredentialState } from '../../contract.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Action } from '../run.js';
import { requireKnown, withSession } from '../session.js';
import { distanceText, instantText } from '../when.js';

const SEEN_WITHIN_MS = 5_000;
const POLL_MS = 200;

export const run: Action<'ack'> = async (context, [credentialId], { consumer, version }) =>
  withSession(context, async (session) => {
    await requireKnown(session, credentialId);
    const client = await session.client();
    const before = await client.state(credentialId);
    refuseUnknown(session.config, before, consumer, version);
    await client.acknowledge(credentialId, consumer, version);
    const { previous } = await acknowledged(client, credentialId, consumer, version);
    const dying = previous.map((old) =>
      old.diesAt === null
        ? `version ${old.version} is ${old.retirement}`
        : `version ${old.version} dies at ${instantText(old.diesAt)} (${distanceText(old.diesAt, Date.now())})`,
    );
    return {
      data: { credentialId, consumer, version, previous },
      text: [`${consumer} uses version ${version} of ${credentialId}`, ...dying].join('\n'),
    };
  });

/** The workflow ignores these with a warning in the worker's log; here somebody is there to be told. */
function refuseUnknown(config: Config, state: CredentialState, consumer: string, version: number): void {
  const { credentialId, current, previous } = state;
  const named = config.credentials.get(credentialId)?.policy.consumers.map(({ name }) => name) ?? [];
  const awaited = previous.flatMap(({ waitingFor }) => waitingFor.map((one) => one.replace(/^ack:/, '')));
  const known = [...new Set([...named, ...awaited])];
  if (!known.includes(consumer)) {
    const hint = known.length === 0 ? 'The policy names no consumers.' : `Known: ${known.join(', ')}.`;
    throw new KeyturnError('KT-INPUT', `${credentialId} has no consumer ${consumer}: nothing was acknowledged`, {
      hint,
    });
  }
  if (current !== null && version <= current.version) return;
  throw new KeyturnError(
    'KT-INPUT',
    `version ${version} of ${credentialId} is not published: nothing was acknowledged`,
    {
      hint: current === null ? 'There is no key yet.' : `The current version is ${current.version}.`,
    },
  );
}

/** The state once it no longer waits for this acknowledgement, or as it is after a few seconds. */
async function acknowledged(
  client: KeyturnClient,
  credentialId: string,
  consumer: string,
  version: number,
): Promise<CredentialState> {
  const deadlineMs = Date.now() + SEEN_WITHIN_MS;
  for (;;) {
    const state = await client.state(credentialId);
    const waits = state.previous.some((old) => old.version < version && old.waitingFor.includes(`ack:${consumer}`));
    if (!waits || Date.now() >= deadlineMs) return state;
    await sleep(POLL_MS);
  }
}

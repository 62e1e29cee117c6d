import { activityInfo } from '@temporalio/activity';
import type { RetrievedConfiguration } from '../contract.js';
import { KeyturnError } from '../domain/errors.js';
import { repointing } from '../domain/identity.js';
import { isoOrNull } from '../domain/instant.js';
import { currentOf } from '../domain/record.js';
import type { RotationRequest } from '../domain/request.js';
import { Secret } from '../domain/secret.js';
import type { RequestActivities } from './api.js';
import type { Engine, Working } from './engine.js';
import { tellEntity } from './tellEntity.js';

const MAX_ANSWER_BYTES = 64 * 1024;

export async function requestRotation(
  engine: Engine,
  input: { credentialId: string; request: RotationRequest },
): Promise<void> {
  const { credentialId, request } = input;
  if (!(await engine.deps.config()).credentials.has(credentialId)) {
    throw new KeyturnError('KT-UNKNOWN-CREDENTIAL', `credential ${credentialId} is not in the configuration`);
  }
  await tellEntity(credentialId, 'requestRotation', request);
}

async function working(engine: Engine, credentialId: string): Promise<Working> {
  const known = (await engine.deps.config()).credentials.has(credentialId);
  if (!known) throw new KeyturnError('KT-UNKNOWN-CREDENTIAL', `credential ${credentialId} is not in the configuration`);
  return engine.open({ credentialId, seq: 0, installationId: null });
}

/** From the record, not from a workflow: what is current now. */
export async function retrieveConfiguration(
  engine: Engine,
  { credentialId }: { credentialId: string },
): Promise<RetrievedConfiguration> {
  const w = await working(engine, credentialId);
  const current = currentOf(w.opened.record);
  if (!current) throw new KeyturnError('KT-NOT-IMPORTED', `no key of ${credentialId} has been imported`);
  const expiresAt = isoOrNull(current.expiresAtMs);
  return {
    credentialId,
    provider: w.config.provider,
    // The key's own: the file may name another one by now.
    baseUrl: current.identity.baseUrl,
    version: current.version,
    keyId: current.keyId,
    ...(expiresAt === null ? {} : { expiresAt }),
    settings: w.provider.publicSettings(w.config.settings),
  };
}

/** One call with the current key. GET and HEAD anywhere below the base URL, anything else only by `allowRequests`. */
export async function makeApiRequest(
  engine: Engine,
  input: Parameters<RequestActivities['makeApiRequest']>[0],
): ReturnType<RequestActivities['makeApiRequest']> {
  const w = await working(engine, input.credentialId);
  const current = currentOf(w.opened.record);
  if (!current) throw new KeyturnError('KT-NOT-IMPORTED', `no key of ${input.credentialId} has been imported`);
  if (current.version === input.unlessVersion) return null;
  const elsewhere = repointing(w.opened.record, w.provider.identity(w.config.settings));
  if (elsewhere !== null) throw new KeyturnError('KT-REPOINTED', `nothing was sent: ${elsewhere}`);
  const method = permitted(w, input.method, input.path);
  const context = await engine.context(
    w,
    engine.values(w.opened, current.version),
    `request/${activityInfo().workflowExecution?.workflowId ?? 'none'}`,
  );
  const body = input.body === undefined ? {} : { body: new Secret(JSON.stringify(input.body)) };
  const answer = await w.provider.call(context, { method, path: input.path, ...body });
  if (Buffer.byteLength(answer.text) > MAX_ANSWER_BYTES) {
    throw new KeyturnError(
      'KT-INPUT',
      `the answer has more than ${MAX_ANSWER_BYTES / 1024} KiB and would enter the workflow's history`,
      {
        hint: 'Ask for less (limit, fields), or fetch it outside of a workflow with keyturn/consumer.',
      },
    );
  }
  return {
    status: answer.status,
    body: parsed(answer.text),
    version: current.version,
    refused: w.provider.credentialVerdict(answer) === 'refused',
  };
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] satisfies Method[];

function permitted(w: Working, method: string, path: string): Method {
  if (!methods.includes(method)) throw new KeyturnError('KT-INPUT', `method ${JSON.stringify(method)} is not known`);
  const plainPath = path.split('?')[0] ?? '';
  const allowed = (rule: { method: string; pathPrefix: string }): boolean =>
    rule.method === method &&
    (plainPath === rule.pathPrefix || plainPath.startsWith(`${rule.pathPrefix.replace(/\/$/, '')}/`));
  if (method === 'GET' || method === 'HEAD' || w.config.allowRequests.some(allowed)) return method as Method;
  throw new KeyturnError('KT-INPUT', `${method} ${plainPath} is not in allowRequests of ${w.credentialId}`, {
    hint: `Add { method: ${method}, pathPrefix: … } to its allowRequests in keyturn.yaml.`,
  });
}

function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

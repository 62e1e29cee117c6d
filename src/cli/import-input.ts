import { KeyturnError } from '../domain/errors.js';
import { Secret } from '../domain/secret.js';
import type { Fields, Provider } from '../providers/provider.js';
import { readHidden, readJsonObject } from './prompt.js';
import type { Context } from './run.js';

export interface ImportInput {
  readonly fields: Fields;
  readonly keyId: string | null;
}

interface Wanted {
  readonly credentialId: string;
  readonly provider: Provider;
  readonly settings: unknown;
}

const maxLength = 4_096;
/** A key travels in a header, an id in a path. */
const usable = /^[\x21-\x7e]+$/;

/**
 * The values of one version: one JSON object on stdin, or asked for on a terminal without showing them.
 * @throws KeyturnError KT-INPUT, which quotes no value
 */
export async function readImport(context: Pick<Context, 'stdin' | 'stderr'>, wanted: Wanted): Promise<ImportInput> {
  const { stdin } = context;
  const required = requiredFields(wanted);
  const given = stdin.isTTY === true ? await ask(context, wanted, required) : await readJsonObject(stdin);
  const known = [...Object.keys(wanted.provider.secretFields), ...(hasOwnId(wanted) ? ['keyId'] : [])];
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new KeyturnError('KT-INPUT', `a name on stdin is not known; known: ${known.join(', ')}`);
  const values = Object.entries(given).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, valueOf(name, value)] as const],
  );
  const { keyId, ...fields } = Object.fromEntries(values);
  for (const name of required) if (!fields[name]) throw missing(name, wanted);
  return { fields, keyId: keyId?.reveal() ?? null };
}

/** @throws KeyturnError KT-INPUT when there is no terminal */
export async function askKeyId({ stdin, stderr }: Pick<Context, 'stdin' | 'stderr'>): Promise<string> {
  const typed = await readHidden("the provider's id of this key (not shown)", stdin, stderr);
  return valueOf('keyId', typed.reveal().trim()).reveal();
}

function requiredFields({ provider, settings }: Wanted): readonly string[] {
  const always = Object.entries(provider.secretFields).flatMap(([name, { required }]) => (required ? [name] : []));
  return provider.capability(settings).needsSecretKey ? [...always, 'secretKey'] : always;
}

const hasOwnId = ({ provider, settings }: Wanted): boolean => !provider.capability(settings).keyIdIsSecret;

async function ask(
  { stdin, stderr }: Pick<Context, 'stdin' | 'stderr'>,
  { provider, credentialId }: Wanted,
  required: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  const typed: Record<string, unknown> = {};
  for (const name of Object.keys(provider.secretFields)) {
    const question = `${name} of ${credentialId}${required.includes(name) ? '' : ' (empty: none)'}`;
    const value = (await readHidden(question, stdin, stderr)).reveal().trim();
    if (value !== '') typed[name] = value;
  }
  return typed;
}

function valueOf(name: string, value: unknown): Secret {
  if (typeof value === 'string' && value.length <= maxLength && usable.test(value)) return new Secret(value);
  throw new KeyturnError('KT-INPUT', `${name} must be a text of printable characters without spaces`);
}

function missing(name: string, { provider, settings, credentialId }: Wanted): KeyturnError {
  const isForRotation = provider.secretFields[name]?.required !== true && provider.capability(settings).needsSecretKey;
  const why = isForRotation ? ': with this strategy the next rotation is authenticated by it' : '';
  return new KeyturnError('KT-INPUT', `${name} of ${credentialId} is missing${why}`);
}

/**
 * Envelope encryption of what goes into a store. Each sealing takes a fresh random data key; the data key is wrapped by the sealing key
 * `kid`, the body is encrypted by the data key. Both parts are bound to the whole header, so a sealed object opens only as what it was
 * sealed as: nothing can be moved to another name, store, purpose or sequence number. The header is in clear, to be read by people:
 *
 *     {"format":"keyturn-sealed/1","purpose":"record","store":"…","name":"credential/core","seq":7,"kid":"…","key":"…","body":"…"}
 *
 * What it does not protect against: a store that gives back an older snapshot. The workflow notices by the sequence number.
 */
import { randomBytes, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { KeyturnError } from '../domain/errors.js';
import { decrypt, encrypt, KEY_BYTES, keyFromBytes } from './gcm.js';

const FORMAT = 'keyturn-sealed/1';

/** The keys of a key file. New objects are sealed with the current one; the others still open what they sealed. */
export interface SealingKeys {
  readonly currentKid: string;
  readonly byKid: ReadonlyMap<string, KeyObject>;
  /** Looks at the key file again, so that a running process follows it. Absent: keys that never change. @throws KeyturnError KT-KEY-FILE */
  refresh?(): void;
}

export type Purpose = 'installation' | 'record' | 'late' | 'lockout' | 'access' | 'arazzo';

/** What a sealed object is. */
export interface Label {
  readonly purpose: Purpose;
  /** Id of the installation whose store it is in. */
  readonly store: string;
  readonly name: string;
  readonly seq: number;
}

export interface Unsealed {
  readonly label: Label;
  readonly plaintext: Buffer;
}

const envelopeSchema = z.strictObject({
  format: z.literal(FORMAT),
  purpose: z.enum(['installation', 'record', 'late', 'lockout', 'access', 'arazzo']),
  store: z.string(),
  name: z.string(),
  seq: z.int().positive(),
  kid: z.string(),
  key: z.string(),
  body: z.string(),
});
type Envelope = z.infer<typeof envelopeSchema>;

/**
 * Seals with the key that is current at this moment. While the key file cannot be read nothing is sealed: a key that lives only in the
 * memory of a process may be gone with it, and with the key whatever it has sealed.
 * @throws KeyturnError KT-KEY-FILE
 */
export function seal(keys: SealingKeys, label: Label, plaintext: Uint8Array): Buffer {
  keys.refresh?.();
  const kid = keys.currentKid;
  const sealingKey = keys.byKid.get(kid);
  if (!sealingKey) throw new KeyturnError('KT-INTERNAL', `the current sealing key ${kid} is missing`);
  const bound = aad(label, kid);
  const dataKeyBytes = randomBytes(KEY_BYTES);
  const key = encrypt(sealingKey, bound, dataKeyBytes);
  const body = encrypt(keyFromBytes(dataKeyBytes), bound, plaintext);
  return serialize({ format: FORMAT, ...label, kid, key, body });
}

/**
 * Opens what was sealed for this purpose and name. Whether `store` and `seq` are the right ones is for the caller to say: they are
 * authentic, but only the caller knows what to expect. A key that is not known is looked for in the key file once more.
 * @throws KeyturnError KT-STORE-CORRUPT; KT-KEY-FILE when the key file lacks its key
 */
export function unseal(keys: SealingKeys, expected: Pick<Label, 'purpose' | 'name'>, sealed: Uint8Array): Unsealed {
  const { purpose, store, name, seq, kid, key, body } = parse(expected.name, sealed);
  if (purpose !== expected.purpose || name !== expected.name) {
    throw corrupt(expected.name, 'holds an object that was sealed for another place');
  }
  const sealingKey = keyNamed(keys, kid, name);
  const label: Label = { purpose, store, name, seq };
  const bound = aad(label, kid);
  const dataKeyBytes = decrypt(sealingKey, bound, key);
  if (dataKeyBytes?.length !== KEY_BYTES) throw notAuthentic(name, kid);
  const plaintext = decrypt(keyFromBytes(dataKeyBytes), bound, body);
  if (!plaintext) throw notAuthentic(name, kid);
  return { label, plaintext };
}

/** What the header in clear says, which nothing has proven yet. @throws KeyturnError KT-STORE-CORRUPT */
export function headerOf(name: string, sealed: Uint8Array): Pick<Label, 'purpose'> & { readonly kid: string } {
  const { purpose, kid } = parse(name, sealed);
  return { purpose, kid };
}

function keyNamed(keys: SealingKeys, kid: string, name: string): KeyObject {
  if (!keys.byKid.has(kid)) keys.refresh?.();
  const key = keys.byKid.get(kid);
  if (key) return key;
  const own = [...keys.byKid.keys()].join(', ');
  const message = `the object ${name} was sealed with key id ${kid}, this key file has ${own}`;
  const hint = `Do not delete anything: put the key file that has ${kid} in its place, the newest one of this store or its backup.`;
  throw new KeyturnError('KT-KEY-FILE', message, { hint });
}

/** A JSON array: no two labels give the same text. */
function aad(label: Label, kid: string): string {
  return JSON.stringify([FORMAT, label.purpose, label.store, label.name, label.seq, kid]);
}

/** One envelope has one serialization; any other form of it is refused. */
function serialize(e: Envelope): Buffer {
  const { format, purpose, store, name, seq, kid, key, body } = e;
  return Buffer.from(JSON.stringify({ format, purpose, store, name, seq, kid, key, body }));
}

function parse(name: string, sealed: Uint8Array): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(sealed).toString('utf8'));
  } catch {
    throw corrupt(name, 'is not a sealed object');
  }
  const parsed = envelopeSchema.safeParse(json);
  if (!parsed.success || !serialize(parsed.data).equals(sealed)) throw corrupt(name, 'is not a sealed object');
  return parsed.data;
}

function notAuthentic(name: string, kid: string): KeyturnError {
  return corrupt(name, `was changed after it was sealed, or key id ${kid} is another key here`);
}

function corrupt(name: string, what: string): KeyturnError {
  return new KeyturnError('KT-STORE-CORRUPT', `the object ${name} ${what}`);
}

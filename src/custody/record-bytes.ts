/**
 * A record as the bytes that get sealed: length of the facts (4 bytes), facts (JSON, deflated), values (JSON). Only the facts are compressed,
 * apart from the values: the size of the result says nothing about a value.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { KeyturnError } from '../domain/errors.js';
import type { CredentialRecord } from '../domain/record.js';
import { Secret } from '../domain/secret.js';
import type { Opened, Shelf } from './custody.js';
import { maxPlaintextBytes } from './objects.js';
import { conforming, parseSealed } from './parse.js';
import { recordSchema, shelfSchema } from './schema.js';
import { shelfToWire } from './values.js';

const LENGTH_BYTES = 4;
const MAX_FACTS_BYTES = 1024 * 1024;

/**
 * Drops the values of versions and intents that the record does not list any more, but for the id of a key that is in debt (`before`: the
 * record that this one follows). Nothing may stand in the way of storing a new key, so
 * a record beyond the size bound first gives up its oldest rotations.
 * @throws KeyturnError KT-INTERNAL when a version has no values, or the record could not be read back
 */
export function encodeRecord(
  opened: Opened,
  before: Opened | undefined,
): { readonly bytes: Buffer; readonly opened: Opened } {
  const shelf = pruned(opened, before);
  const values = Buffer.from(JSON.stringify(shelfToWire(shelf)));
  let record = opened.record;
  let facts = deflated(record);
  while (LENGTH_BYTES + facts.length + values.length > maxPlaintextBytes && record.history.length > 0) {
    record = { ...record, history: record.history.slice(0, Math.floor(record.history.length / 2)) };
    facts = deflated(record);
  }
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(facts.length);
  return { bytes: Buffer.concat([length, facts, values]), opened: { record, shelf } };
}

/** @throws KeyturnError KT-STORE-CORRUPT; names the place, never a value */
export function decodeRecord(bytes: Buffer): Opened {
  const end = LENGTH_BYTES + (bytes.length < LENGTH_BYTES ? 0 : bytes.readUInt32BE(0));
  const record = parseSealed(recordSchema, inflated(bytes.subarray(LENGTH_BYTES, end)), 'a record');
  return { record, shelf: parseSealed(shelfSchema, bytes.subarray(end), 'the values of a record') };
}

function inflated(facts: Buffer): Buffer {
  try {
    return inflateRawSync(facts, { maxOutputLength: MAX_FACTS_BYTES });
  } catch {
    throw new KeyturnError('KT-STORE-CORRUPT', 'the facts of a record are damaged');
  }
}

function deflated(record: CredentialRecord): Buffer {
  return deflateRawSync(JSON.stringify(conforming(recordSchema, record, 'a new record', 'KT-INTERNAL')));
}

function pruned({ record, shelf }: Opened, before: Opened | undefined): Shelf {
  const versions: Record<string, Shelf['versions'][string]> = {};
  for (const { version } of record.versions) {
    const values = shelf.versions[String(version)];
    if (!values) throw new KeyturnError('KT-INTERNAL', `version ${version} would be kept without its values`);
    versions[String(version)] = values;
  }
  const intents: Record<string, Shelf['intents'][string]> = {};
  for (const { n } of record.intents) {
    const values = shelf.intents[String(n)];
    if (values) intents[String(n)] = values;
  }
  const debts: Record<string, Secret> = {};
  for (const { keyId } of record.debts) {
    const id = shelf.debts?.[keyId] ?? idBehind(keyId, before);
    if (id) debts[keyId] = id;
  }
  return { versions, intents, ...(Object.keys(debts).length > 0 ? { debts } : {}) };
}

/** The provider's own id of a version that has become a debt, where the facts show a fingerprint for it. */
function idBehind(keyId: string, before: Opened | undefined): Secret | undefined {
  const version = before?.record.versions.find((v) => v.keyId === keyId)?.version;
  const id = before?.shelf.versions[String(version)]?.keyId;
  return id === undefined || id === keyId ? undefined : new Secret(id);
}

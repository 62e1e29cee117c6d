import { createHmac } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import { Secret } from '../domain/secret.js';
import type { Store } from '../stores/store.js';
import { openAnswer, sealAnswer } from './answer.js';
import type { Custody, Opened } from './custody.js';
import { installations, type Installation } from './installation.js';
import { lateAnswers } from './late.js';
import { CREDENTIALS, recordName } from './names.js';
import { sealedObjects, type ObjectKey, type SealedObject } from './objects.js';
import { decodeRecord, encodeRecord } from './record-bytes.js';
import type { Scrubber } from './scrub.js';
import type { SealingKeys } from './sealing.js';

export interface CustodyOptions {
  readonly store: Store;
  readonly keys: SealingKeys;
  readonly clock?: { now(): number };
  /** Is told every value that passes through custody, so that the log can be kept clean of it. */
  readonly scrubber?: Scrubber;
}

/** Opens the custody over a store. Nothing is written before it is needed; a store that other keys have sealed is refused at once. */
export async function openCustody({ store, keys, clock = Date, scrubber }: CustodyOptions): Promise<Custody> {
  const objects = sealedObjects(store, keys);
  const installation = installations(objects, clock);
  await installation.find();

  function handedOut(opened: Opened): Opened {
    for (const { version, keyId } of opened.record.versions) {
      const values = opened.shelf.versions[String(version)];
      if (!values) continue;
      scrubber?.addAll(values.fields);
      // The facts show a fingerprint instead of an id that is itself secret.
      if (values.keyId !== keyId) scrubber?.add(new Secret(values.keyId));
    }
    scrubber?.addAll(opened.shelf.debts ?? {});
    return opened;
  }

  return {
    async installationId() {
      return (await installation.ensure()).id;
    },
    async fingerprint(value) {
      scrubber?.add(value);
      const { fingerprintKey } = await installation.ensure();
      const digest = createHmac('sha256', fingerprintKey).update(value.reveal()).digest('hex');
      return `hmac:${digest.slice(0, 32)}`;
    },
    async read(credentialId) {
      const name = recordName(credentialId);
      const home = await installation.find();
      const object = home && (await objects.read(keyOf(name, home)));
      return object && handedOut(openRecord(credentialId, object));
    },
    async list() {
      return (await objects.list(CREDENTIALS)).map((name) => name.slice(CREDENTIALS.length));
    },
    async create(credentialId, first) {
      const key = keyOf(recordName(credentialId), await installation.ensure());
      const opened = await objects.update(key, (current, seq) => {
        if (current) throw new KeyturnError('KT-ALREADY-IMPORTED', `${credentialId} has a record already`);
        const written = sealable(credentialId, key, first, seq, undefined);
        return { write: written.bytes, value: written.opened };
      });
      return handedOut(opened);
    },
    async update(credentialId, decide) {
      const home = await installation.find();
      if (!home) throw notImported(credentialId);
      const key = keyOf(recordName(credentialId), home);
      const outcome = await objects.update(key, (current, seq) => {
        if (!current) throw notImported(credentialId);
        const opened = openRecord(credentialId, current);
        const decision = decide(opened);
        if ('unchanged' in decision) return { unchanged: { value: decision.unchanged, opened } };
        const written = sealable(credentialId, key, decision.next, seq, opened);
        return { write: written.bytes, value: { value: decision.value, opened: written.opened } };
      });
      handedOut(outcome.opened);
      return outcome;
    },
    sealAnswer,
    openAnswer,
    ...lateAnswers(objects, installation),
    check: () => objects.check(),
  };
}

function keyOf(name: string, installation: Installation): ObjectKey & { readonly store: string } {
  return { purpose: 'record', name, store: installation.id };
}

function openRecord(credentialId: string, object: SealedObject): Opened {
  const opened = decodeRecord(object.plaintext);
  const { record } = opened;
  if (record.credentialId !== credentialId || record.seq !== object.seq || record.installationId !== object.store) {
    throw new KeyturnError('KT-STORE-CORRUPT', `the record of ${credentialId} does not fit its own seal`);
  }
  return opened;
}

function sealable(
  credentialId: string,
  key: { readonly store: string },
  next: Opened,
  seq: number,
  before: Opened | undefined,
): ReturnType<typeof encodeRecord> {
  if (next.record.credentialId !== credentialId || next.record.installationId !== key.store) {
    throw new KeyturnError('KT-INTERNAL', `a record of another credential or installation offered for ${credentialId}`);
  }
  return encodeRecord({ record: { ...next.record, seq }, shelf: next.shelf }, before);
}

function notImported(credentialId: string): KeyturnError {
  return new KeyturnError('KT-NOT-IMPORTED', `no key of ${credentialId} has been imported`);
}

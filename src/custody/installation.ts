/** The identity of a store: one random id, and the key of its fingerprints. Made once, with the first thing that needs it. */
import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { KeyturnError } from '../domain/errors.js';
import { KEY_BYTES, keyFromBase64 } from './gcm.js';
import { CREDENTIALS, INSTALLATION } from './names.js';
import type { ObjectKey, SealedObject, SealedObjects } from './objects.js';
import { parseSealed } from './parse.js';

export interface Installation {
  readonly id: string;
  readonly fingerprintKey: KeyObject;
}

/** A store may be put in place under a running process (a volume that is mounted late): then it is another installation. */
const LOOK_AGAIN_MS = 5_000;

export interface Installations {
  /** Undefined while the store is empty. @throws KeyturnError KT-STORE-CORRUPT when it holds records of nobody */
  find(): Promise<Installation | undefined>;
  ensure(): Promise<Installation>;
}

const installationSchema = z.strictObject({
  schemaVersion: z.literal(1),
  installationId: z.uuid(),
  fingerprintKey: z.string(),
  createdAtMs: z.int(),
});

const key: ObjectKey = { purpose: 'installation', name: INSTALLATION, store: null };

export function installations(objects: SealedObjects, clock: { now(): number }): Installations {
  let known: Installation | undefined;
  let knownAtMs = 0;

  async function read(): Promise<Installation | undefined> {
    const object = await objects.read(key);
    if (object) keep(parse(object));
    return object && known;
  }

  function keep(installation: Installation): Installation {
    knownAtMs = clock.now();
    return (known = installation);
  }

  async function find(): Promise<Installation | undefined> {
    if (known) return clock.now() - knownAtMs < LOOK_AGAIN_MS ? known : lookAgain(known);
    if (await read()) return known;
    // Listed after the first read: records that are there now may have come with their installation in between.
    if ((await objects.list(CREDENTIALS)).length === 0 || (await read())) return known;
    throw new KeyturnError('KT-STORE-CORRUPT', 'the store holds credentials, but the object `installation` is missing');
  }

  /** While the store does not answer, what is known still counts. A store that was emptied is not taken for a new one. */
  async function lookAgain(before: Installation): Promise<Installation> {
    try {
      return (await read()) ?? before;
    } catch (error) {
      if (error instanceof KeyturnError && error.code === 'KT-STORE-UNAVAILABLE') return before;
      throw error;
    }
  }

  async function ensure(): Promise<Installation> {
    return (await find()) ?? keep(await objects.update(key, (there) => makeUnlessThere(there, clock.now())));
  }

  return { find, ensure };
}

function makeUnlessThere(
  there: SealedObject | undefined,
  nowMs: number,
): { unchanged: Installation } | { write: Buffer; value: Installation; store: string } {
  if (there) return { unchanged: parse(there) };
  const id = randomUUID();
  const fingerprintKey = randomBytes(KEY_BYTES).toString('base64');
  const write = Buffer.from(
    JSON.stringify({ schemaVersion: 1, installationId: id, fingerprintKey, createdAtMs: nowMs }),
  );
  return { write, value: parse({ plaintext: write, store: id }), store: id };
}

function parse(object: Pick<SealedObject, 'plaintext' | 'store'>): Installation {
  const { installationId, ...parsed } = parseSealed(installationSchema, object.plaintext, INSTALLATION);
  const fingerprintKey = keyFromBase64(parsed.fingerprintKey);
  if (!fingerprintKey || installationId !== object.store) {
    throw new KeyturnError('KT-STORE-CORRUPT', 'the object `installation` does not fit its own seal');
  }
  return { id: installationId, fingerprintKey };
}

/** What a run of an Arazzo document keeps sealed: its secrets, in the workflow's history, and the document itself, in the store. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { KeyturnError } from '../domain/errors.js';
import { Secret } from '../domain/secret.js';
import type { Store } from '../stores/store.js';
import type { Custody } from './custody.js';
import { arazzoNames } from './names.js';
import { maxPlaintextBytes, sealedObjects, type ObjectKey } from './objects.js';
import { seal, unseal, type Label, type SealingKeys } from './sealing.js';

export interface SealedValue {
  readonly sealed: string;
  readonly fingerprint: string;
}

export interface ArazzoVault {
  /** Seals any JSON. It opens only for the same workflow id. */
  seal(workflowId: string, value: unknown): Promise<SealedValue>;
  /** @throws KeyturnError KT-ARAZZO-SECRET when it was sealed for another run, by another installation, or not at all */
  open(workflowId: string, value: SealedValue): Promise<unknown>;
  /** Keeps a text under the id of a run. Again is no change. */
  keep(runId: string, text: string): Promise<void>;
  /** Undefined where nothing is kept any more. @throws KeyturnError KT-STORE-UNAVAILABLE, KT-STORE-CORRUPT */
  read(runId: string): Promise<string | undefined>;
  drop(runId: string): Promise<void>;
}

/** A document is at most 1 MiB and its sources 512 KiB each; packed, they are a tenth of it. */
const maxTextBytes = 8 * 1024 * 1024;

export function arazzoVault(options: {
  readonly store: Store;
  readonly keys: SealingKeys;
  readonly custody: Pick<Custody, 'fingerprint' | 'installationId'>;
}): ArazzoVault {
  const { store, keys, custody } = options;
  const objects = sealedObjects(store, keys);
  const labelOf = async (workflowId: string): Promise<Label> => ({
    purpose: 'arazzo',
    store: await custody.installationId(),
    name: workflowId,
    seq: 1,
  });
  const fingerprintOf = (value: unknown): Promise<string> =>
    custody.fingerprint(new Secret(typeof value === 'string' ? value : JSON.stringify(value)));
  const keyOf = async (runId: string, part: number): Promise<ObjectKey> => ({
    purpose: 'arazzo',
    name: `${arazzoNames(runId)}${part}`,
    store: await custody.installationId(),
  });

  return {
    async seal(workflowId, value) {
      const sealed = seal(keys, await labelOf(workflowId), Buffer.from(JSON.stringify(value)));
      return { sealed: sealed.toString('base64'), fingerprint: await fingerprintOf(value) };
    },
    async open(workflowId, { sealed, fingerprint }) {
      const expected = await labelOf(workflowId);
      const { label, plaintext } = opened(keys, expected, sealed);
      const value: unknown = JSON.parse(plaintext.toString('utf8'));
      // It also makes the value known to the log's scrubber.
      if (label.store !== expected.store || (await fingerprintOf(value)) !== fingerprint) throw foreign();
      return value;
    },
    async keep(runId, text) {
      const packed = gzipSync(Buffer.from(text));
      const parts = Math.ceil(packed.length / maxPlaintextBytes);
      for (let part = parts - 1; part >= 0; part--) {
        const write = packed.subarray(part * maxPlaintextBytes, (part + 1) * maxPlaintextBytes);
        await objects.update(await keyOf(runId, part), (there) =>
          there?.plaintext.equals(write) ? { unchanged: null } : { write, value: null },
        );
      }
    },
    async read(runId) {
      const parts: Buffer[] = [];
      for (;;) {
        const part = await objects.read(await keyOf(runId, parts.length));
        if (part === undefined) break;
        parts.push(part.plaintext);
        if (part.plaintext.length < maxPlaintextBytes) break;
      }
      return parts.length === 0 ? undefined : unpacked(Buffer.concat(parts));
    },
    async drop(runId) {
      for (const name of await objects.list(arazzoNames(runId))) await objects.remove(name);
    },
  };
}

function opened(keys: SealingKeys, { purpose, name }: Label, sealed: string): ReturnType<typeof unseal> {
  try {
    return unseal(keys, { purpose, name }, Buffer.from(sealed, 'base64'));
  } catch (error) {
    // A key that the file does not have is the file's matter, not the value's.
    if (error instanceof KeyturnError && error.code === 'KT-KEY-FILE') throw error;
    throw foreign();
  }
}

const foreign = (): KeyturnError =>
  new KeyturnError('KT-ARAZZO-SECRET', 'a sealed value does not open: it belongs to another run or installation');

function unpacked(packed: Buffer): string {
  try {
    return gunzipSync(packed, { maxOutputLength: maxTextBytes }).toString('utf8');
  } catch {
    throw new KeyturnError('KT-STORE-CORRUPT', 'the document that is kept for an Arazzo run is incomplete');
  }
}

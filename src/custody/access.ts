/** Who was shown a key in clear by a command: a bounded, secret-free list beside the record of each credential. */
import { z } from 'zod';
import type { Store } from '../stores/store.js';
import { installations } from './installation.js';
import { accessName } from './names.js';
import { sealedObjects, type ObjectKey } from './objects.js';
import { parseSealed } from './parse.js';
import type { SealingKeys } from './sealing.js';

/** The oldest go first. */
const MAX_ACCESSES = 100;
const MAX_TEXT = 200;

const accessSchema = z.strictObject({
  atMs: z.number(),
  /** Account of the operating system and machine, as they call themselves. */
  by: z.string(),
  command: z.enum(['get', 'exec']),
  version: z.int().positive(),
  /** Names of the fields, never values. */
  fields: z.array(z.string()),
});
const accessesSchema = z.array(accessSchema);

export type Access = Readonly<z.infer<typeof accessSchema>>;

export interface AccessLog {
  /** Durably, before the value is handed out. @throws KeyturnError of the store's codes */
  note(credentialId: string, access: Omit<Access, 'atMs'>): Promise<void>;
  /** Newest first. */
  read(credentialId: string): Promise<readonly Access[]>;
}

export function createAccessLog(options: {
  readonly store: Store;
  readonly keys: SealingKeys;
  readonly clock: { now(): number };
}): AccessLog {
  const { store, keys, clock } = options;
  const objects = sealedObjects(store, keys);
  const installation = installations(objects, clock);
  const keyOf = (credentialId: string, home: string): ObjectKey => ({
    purpose: 'access',
    name: accessName(credentialId),
    store: home,
  });

  return {
    async note(credentialId, access) {
      const key = keyOf(credentialId, (await installation.ensure()).id);
      const noted: Access = { ...access, by: access.by.slice(0, MAX_TEXT), atMs: clock.now() };
      await objects.update(key, (current) => {
        const known = current ? parseSealed(accessesSchema, current.plaintext, key.name) : [];
        const next = [noted, ...known].slice(0, MAX_ACCESSES);
        return { write: Buffer.from(JSON.stringify(next)), value: undefined };
      });
    },
    async read(credentialId) {
      const home = await installation.find();
      const object = home && (await objects.read(keyOf(credentialId, home.id)));
      return object ? parseSealed(accessesSchema, object.plaintext, accessName(credentialId)) : [];
    },
  };
}

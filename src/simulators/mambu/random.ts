import { randomBytes } from 'node:crypto';
import { randomBase62 } from '../shared/random.js';

/** A key value as Mambu shows them: 32 base62 characters, whatever the documentation says about UUIDs. */
export const randomKeyValue = (prefix = ''): string => randomBase62(32, prefix);

/** An encoded key: 32 hex characters. */
export const randomEncodedKey = (): string => randomBytes(16).toString('hex');

import { createHash, randomBytes, randomInt } from 'node:crypto';

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A key value as Mambu shows them: 32 base62 characters, whatever the documentation says about UUIDs. */
export function randomKeyValue(prefix = ''): string {
  let value = prefix;
  while (value.length < 32) value += BASE62.charAt(randomInt(BASE62.length));
  return value;
}

/** An encoded key: 32 hex characters. */
export const randomEncodedKey = (): string => randomBytes(16).toString('hex');

export const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

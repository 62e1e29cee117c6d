import { createHash, randomInt } from 'node:crypto';

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Random base62 characters after `prefix`, `length` of them all together. */
export function randomBase62(length: number, prefix = ''): string {
  let value = prefix;
  while (value.length < length) value += BASE62.charAt(randomInt(BASE62.length));
  return value;
}

export const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

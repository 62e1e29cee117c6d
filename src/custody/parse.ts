import type { ZodType } from 'zod';
import { KeyturnError, type ErrorCode } from '../domain/errors.js';

/**
 * Text that came out of a seal, as what it must be. Neither the parser's message nor zod's is passed on: both may quote what they read.
 * @throws KeyturnError KT-STORE-CORRUPT that names the places, never a value
 */
export function parseSealed<T>(schema: ZodType<T>, text: Buffer, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8'));
  } catch {
    throw new KeyturnError('KT-STORE-CORRUPT', `${what} is not JSON`);
  }
  return conforming(schema, json, what, 'KT-STORE-CORRUPT');
}

/** @throws KeyturnError `code` */
export function conforming<T>(schema: ZodType<T>, value: unknown, what: string, code: ErrorCode): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map((issue) => issue.path.map(String).join('.') || 'the top').slice(0, 3);
  throw new KeyturnError(code, `${what} is not of the form this keyturn knows, at ${places.join(', ')}`);
}

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { Secret } from '../domain/secret.js';
import type { SecretRef } from '../domain/secret-ref.js';

/**
 * The secret that a reference in keyturn.yaml names; of a file, the line break at its end is cut off.
 * @param place the path in keyturn.yaml, for the message
 * @throws KeyturnError KT-SECRET-MISSING
 */
export async function resolveSecret(ref: SecretRef, place?: string): Promise<Secret> {
  const needed = place === undefined ? '' : ` (needed for ${place})`;
  switch (ref.from) {
    case 'env': {
      const value = process.env[ref.name];
      if (value) return new Secret(value);
      const state = value === undefined ? 'not set' : 'empty';
      throw new KeyturnError('KT-SECRET-MISSING', `the environment variable ${ref.name} is ${state}${needed}`);
    }
    case 'file': {
      const text = await readFile(ref.path, 'utf8').catch((error: unknown) => {
        throw new KeyturnError('KT-SECRET-MISSING', `the file ${ref.path} cannot be read: ${codeOf(error)}${needed}`);
      });
      const value = text.replace(/\r?\n$/, '');
      if (value !== '') return new Secret(value);
      throw new KeyturnError('KT-SECRET-MISSING', `the file ${ref.path} is empty${needed}`);
    }
    default:
      return ref satisfies never;
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';

/** A copy in which every reference to a secret's file is absolute, also within the providers' settings. */
export function withAbsoluteFiles<T>(value: T, directory: string): T;
export function withAbsoluteFiles(value: unknown, directory: string): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => withAbsoluteFiles(item, directory));
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [key, withAbsoluteFiles<unknown>(item, directory)]));
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
  if ('from' in value && value.from === 'file' && 'path' in value && typeof value.path === 'string') {
    return { ...value, path: resolve(directory, value.path) };
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withAbsoluteFiles<unknown>(item, directory)]),
  );
}

/** A plug-in's settings may hold anything else that its schema makes, e.g. a URL. */
const isPlain = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value));

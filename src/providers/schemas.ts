/** Zod helpers for keyturn.yaml that config and the settings of all providers share. */
import { z } from 'zod';
import { durationPattern, parseDuration } from '../domain/duration.js';
import { parseSecretRef, type SecretRef } from '../domain/secret-ref.js';

/** `250ms 10s 5m 6h 30d` → milliseconds. */
export const durationSchema = z
  .string({ error: 'must be a duration such as 250ms, 10s, 5m, 6h or 30d' })
  .regex(durationPattern, { error: 'must be a duration such as 250ms, 10s, 5m, 6h or 30d' })
  .transform((text, context): number => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: 'custom', message: 'is too long a duration' });
    return z.NEVER;
  });

const literalSecret =
  'must refer to the secret as ${env:NAME} or ${file:path}: a literal secret does not belong in this file';

/** `${env:NAME}` or `${file:path}`. A literal is an error that does not repeat it. */
export const secretRefSchema = z.string({ error: literalSecret }).transform((text, context): SecretRef => {
  const ref = parseSecretRef(text);
  if (ref !== undefined) return ref;
  context.addIssue({ code: 'custom', message: literalSecret });
  return z.NEVER;
});

/** An absolute http(s) URL without user, query and fragment; comes out normalised and without a slash at its end. */
export const baseUrlSchema = z.string().transform((text, context): string => {
  const wrong = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (!URL.canParse(text)) return wrong('must be an absolute URL such as https://api.example.com/v1');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return wrong('must start with https://');
  if (url.username !== '' || url.password !== '') return wrong('must not hold a user name or password');
  if (/[?#]/.test(text)) return wrong('must not have a query or a fragment');
  return url.origin + url.pathname.replace(/\/+$/, '');
});

/** A strict object whose error for an unknown key suggests the known one that was perhaps meant. */
export function strictShape<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      return issue.keys.map((key) => unknownKey(key, Object.keys(shape))).join('; ');
    },
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined
    ? `unknown key ${JSON.stringify(key)}`
    : `unknown key ${JSON.stringify(key)}: did you mean ${JSON.stringify(meant)}?`;
}

/** The candidate that at most a third of the letters separate from the word, whatever the case. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const distances = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(word.toLowerCase(), candidate.toLowerCase()),
  }));
  const [best] = distances.toSorted((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, word.length / 3) ? best.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

import type { Workflow } from './document.js';
import { isList, isObject, type Json, type JsonObject } from './json.js';
import { percentEncoded } from './percent.js';
import type { Prepared } from './prepare.js';
import { hasSecretName, isSecretName } from './secret-names.js';
import { secretInputs } from './secret-places.js';

/** Pieces of other texts are compared with secrets of this length and more. */
const minPiece = 4;

/** The texts that make a sealed value a secret: of its properties of known names, or all where it has none. */
export function secretTextsOf(value: Json): readonly string[] {
  return hasSecretName(value) ? namedTextsOf(value) : textsOf(value);
}

function namedTextsOf(value: Json): readonly string[] {
  if (isList(value)) return value.flatMap(namedTextsOf);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => (isSecretName(name) ? textsOf(inner) : namedTextsOf(inner)));
}

function textsOf(value: Json): readonly string[] {
  if (isList(value)) return value.flatMap(textsOf);
  if (isObject(value)) return Object.values(value).flatMap(textsOf);
  return typeof value === 'string' && value !== '' ? [value] : [];
}

/** Whether a value is, or holds anywhere, one of these texts: as it is, within a URL, or in base64. */
export function holdsSecret(value: Json, secrets: readonly string[]): boolean {
  const texts = [...textsOf(value), ...keysOf(value)];
  return secrets.some((secret) => {
    if (secret.length < minPiece) return texts.includes(secret);
    const forms = [secret, ...encodedForms(secret), ...base64Of(secret)];
    return texts.some((text) => forms.some((form) => text.includes(form)));
  });
}

const encodedForms = (secret: string): readonly string[] =>
  /\p{Surrogate}/u.test(secret) ? [] : [percentEncoded(secret), encodeURIComponent(secret)];

/** In one piece, or wherever it begins within a `name:secret` pair. */
function base64Of(secret: string): readonly string[] {
  if (secret.length < 6) return [];
  const bytes = Buffer.from(secret);
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
}

const keysOf = (value: Json): readonly string[] =>
  isList(value)
    ? value.flatMap(keysOf)
    : isObject(value)
      ? Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)])
      : [];

/**
 * Names of the given inputs that must be sealed: the workflow's secrets, those that were named, those with a property of a known name, and
 * those that hold the value of another one.
 */
export function inputsToSeal(
  prepared: Prepared,
  workflow: Workflow,
  inputs: JsonObject,
  named: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const secret = secretInputs(prepared, workflow);
  const sealed = new Set(
    Object.entries(inputs).flatMap(([name, value]) =>
      secret.has(name) || named.has(name) || isSecretName(name) || hasSecretName(value) ? [name] : [],
    ),
  );
  const secrets = [...sealed].flatMap((name) => secretTextsOf(inputs[name] ?? null));
  for (const [name, value] of Object.entries(inputs)) if (holdsSecret(value, secrets)) sealed.add(name);
  return sealed;
}

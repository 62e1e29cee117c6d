import type { RequestBody } from './document.js';
import type { Scope } from './evaluate.js';
import { ArazzoError } from './failure.js';
import { isList, isObject, type Json } from './json.js';
import { limits } from './limits.js';
import { type BodyFormat, escapes, formatOf } from './media-type.js';
import type { Operation } from './openapi.js';
import { formatPointer, replacedAt } from './pointer.js';
import { percentEncoded } from './percent.js';
import { asText, fill } from './template.js';

export interface Body {
  readonly contentType: string;
  readonly text: string;
  /** For `$request.body`. */
  readonly value: Json;
}

/** The media type of a body: as the document says, else the operation's only one, else undefined. */
export function contentTypeOf(body: RequestBody, operation: Pick<Operation, 'bodyTypes'>): string | undefined {
  if (body.contentType !== undefined) return body.contentType;
  const [only, another] = operation.bodyTypes;
  if (another === undefined && only !== undefined) return only;
  return operation.bodyTypes.includes('application/json') ? 'application/json' : undefined;
}

/**
 * The body with all expressions resolved and replacements made, in their order.
 * @throws ArazzoError unresolved, unsendable
 */
export function bodyOf(body: RequestBody, contentType: string, scope: Scope): Body | undefined {
  if (body.payload === undefined) return undefined;
  const format = formatOf(contentType);
  if (format === undefined) throw unsendable(`a body of type ${contentType} is not supported`);
  const payload = filledPayload(body.payload, format, scope);
  const value = body.replacements.reduce((at, replacement) => {
    const after = replacedAt(at, replacement.target, fill(replacement.value, scope));
    if (after !== undefined) return after;
    throw unsendable(`the payload has nothing at ${formatPointer(replacement.target)} to be replaced`);
  }, payload);
  // Few expressions can name a large value often: nothing is written before it is known to fit.
  if (lengthOf(value, limits.requestLength) > limits.requestLength) throw tooLong();
  const text = written(value, format);
  if (text.length > limits.requestLength) throw tooLong();
  return { contentType, value, text };
}

const tooLong = (): ArazzoError => unsendable(`the body would have more than ${limits.requestLength} characters`);

/** Characters of all texts and names in a value; counting ends above the limit. */
function lengthOf(value: Json, limit: number): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  let length = 2;
  for (const [name, inner] of Object.entries<Json>(value)) {
    length += (isList(value) ? 1 : name.length) + lengthOf(inner, limit - length);
    if (length > limit) break;
  }
  return length;
}

/** A text of JSON is read after its values were put in: it must be JSON then. */
function filledPayload(payload: Json, format: BodyFormat, scope: Scope): Json {
  const isJsonText = format === 'json' && typeof payload === 'string' && /^\s*[[{]/.test(payload);
  const value = fill(payload, scope, typeof payload === 'string' ? escapes[format] : undefined);
  if (!isJsonText || typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    throw unsendable('the payload is not valid JSON after its expressions were resolved');
  }
}

function written(value: Json, format: BodyFormat): string {
  if (format === 'json') return JSON.stringify(value);
  if (typeof value === 'string') return value;
  if (format !== 'form' || !isObject(value)) throw unsendable(`a payload of type ${format} must be text`);
  return Object.entries(value)
    .flatMap(([name, item]) => (isList(item) ? item : [item]).map((one) => [name, asText(one, name)] as const))
    .map((pair) => pair.map((text) => percentEncoded(text)).join('='))
    .join('&');
}

const unsendable = (message: string): ArazzoError => new ArazzoError('unsendable', message);

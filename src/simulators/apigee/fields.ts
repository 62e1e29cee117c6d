import { isObject } from '../shared/body.js';
import { Refusal } from './answers.js';
import type { Exchange } from './exchange.js';
import { type Association, type Attribute, findProduct } from './organization.js';
import { refusals } from './refusals.js';

type Body = Readonly<Record<string, unknown>>;

/** A list of texts; undefined where the body does not name it. @throws Refusal 400 */
export function texts(body: Body, name: string): readonly string[] | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw refusals.badInput(`Invalid value at '${name}'`, name);
  return value.map((one: unknown) => {
    if (typeof one !== 'string') throw refusals.badInput(`Invalid value at '${name}'`, name);
    return one;
  });
}

/** Custom attributes; undefined where the body does not name them. @throws Refusal 400 */
export function attributes(body: Body): readonly Attribute[] | undefined {
  const value = body['attributes'];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw refusals.badInput("Invalid value at 'attributes'", 'attributes');
  return value.map((one: unknown): Attribute => {
    if (!isObject(one) || typeof one['name'] !== 'string' || typeof one['value'] !== 'string') {
      throw refusals.badInput("Invalid value at 'attributes'", 'attributes');
    }
    return { name: one['name'], value: one['value'] };
  });
}

const MAX_KEY_BYTES = 2_048;

/** A consumer key or secret: letters, digits, underscore and hyphen, at most 2 KB (keys.create). @throws Refusal 400 */
export function keyText({ world: { rules } }: Exchange, body: Body, name: string): string {
  const value = body[name];
  const allowed = rules.underscoreInKeys ? /^[A-Za-z0-9_-]+$/ : /^[A-Za-z0-9-]+$/;
  if (typeof value === 'string' && allowed.test(value) && value.length <= MAX_KEY_BYTES) return value;
  throw new Refusal(400, 'keymanagement.service.InvalidValue', `Invalid value for ${name}`, name);
}

/** Life of a new key in units of the field; null: for ever. 0 is refused, not "for ever". @throws Refusal 400 */
export function lifetime(body: Body, name: string): number | null {
  const value = body[name];
  if (value === undefined || value === null || value === '') return null;
  const isInt64 = (typeof value === 'string' || typeof value === 'number') && /^-?\d{1,18}$/.test(String(value));
  const life = isInt64 ? Number(value) : 0;
  if (life === -1) return null;
  if (life < 1) throw refusals.badExpiry(name);
  return life;
}

/** @throws Refusal for a product that the organization does not have */
export function requireProducts({ world, view }: Exchange, names: readonly string[]): void {
  const missing = names.find((name) => findProduct(view, name) === undefined);
  if (missing !== undefined) throw refusals.noProduct(missing, world.rules);
}

/** Scopes must already exist on the associated products (DeveloperAppKey.scopes). @throws Refusal 400 */
export function requireScopes({ view }: Exchange, scopes: readonly string[], products: readonly Association[]): void {
  const defined = products.flatMap(({ apiproduct }) => findProduct(view, apiproduct)?.scopes ?? []);
  const missing = scopes.find((scope) => !defined.includes(scope));
  if (missing !== undefined) throw refusals.badScope(missing);
}

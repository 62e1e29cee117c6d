import type { Secret } from '../../domain/secret.js';
import type { KeyInfo } from '../provider.js';

/** One credential of an app, whatever the dialect. Instants in epoch milliseconds. */
export interface ApigeeKey {
  readonly consumerKey: string;
  readonly consumerSecret: Secret;
  readonly status: string;
  readonly products: readonly { readonly name: string; readonly status: string }[];
  readonly scopes: readonly string[];
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  readonly issuedAtMs: number | null;
  /** Null: never. */
  readonly expiresAtMs: number | null;
}

/** What a key may do: names of products, OAuth scopes, custom attributes. Sorted where it is compared. */
export interface Grants {
  readonly products: readonly string[];
  readonly scopes: readonly string[];
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
}

/** What was approved: an association that is pending or revoked opens nothing. */
export function grantsOf({ products, scopes, attributes }: ApigeeKey): Grants {
  const approved = products.flatMap(({ name, status }) => (status === 'approved' ? [name] : []));
  return { products: approved, scopes, attributes };
}

/** The same as comparable words, e.g. `product:orders`, `scope:read`, `attribute:tier=gold`. */
export function scopeOf(key: ApigeeKey): readonly string[] {
  const { products, scopes, attributes } = grantsOf(key);
  const words = [
    ...products.map((name) => `product:${name}`),
    ...scopes.map((name) => `scope:${name}`),
    ...attributes.map(({ name, value }) => `attribute:${name}=${value}`),
  ];
  return [...new Set(words)].toSorted();
}

/** What only one of them has, in words; empty: they may do the same. */
export function differences(fresh: readonly string[], old: readonly string[]): readonly string[] {
  return [
    ...old.filter((word) => !fresh.includes(word)).map((word) => `${word} is missing`),
    ...fresh.filter((word) => !old.includes(word)).map((word) => `${word} is too much`),
  ];
}

/** `keyId` is the consumer key itself. */
export function keyInfoOf(key: ApigeeKey): KeyInfo {
  const { consumerKey, issuedAtMs, expiresAtMs, status } = key;
  return {
    keyId: consumerKey,
    ...(issuedAtMs === null ? {} : { issuedAtMs }),
    expiresAtMs,
    revoked: status === 'revoked',
    scope: scopeOf(key),
  };
}

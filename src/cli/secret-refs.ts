import type { SecretRef } from '../domain/secret-ref.js';

/** Every reference to a secret in a parsed configuration, the settings of providers included. */
export function secretRefsIn(value: unknown): readonly SecretRef[] {
  if (typeof value !== 'object' || value === null) return [];
  if (isSecretRef(value)) return [value];
  const children: readonly unknown[] = value instanceof Map ? [...value.values()] : Object.values(value);
  return children.flatMap(secretRefsIn);
}

function isSecretRef(value: object): value is SecretRef {
  if (!('from' in value)) return false;
  if (value.from === 'env') return 'name' in value && typeof value.name === 'string';
  return value.from === 'file' && 'path' in value && typeof value.path === 'string';
}

import { ProviderFailure } from '../../domain/failure.js';
import type { Secret } from '../../domain/secret.js';
import type { CredentialValues } from '../provider.js';

/** @throws ProviderFailure `rejected` KT-NOT-IMPORTED when the version has no such field */
function fieldOf(values: CredentialValues, name: 'consumerKey' | 'consumerSecret'): Secret {
  const value = values.fields[name];
  if (value !== undefined) return value;
  const message = `this version of the credential has no ${name}`;
  throw new ProviderFailure({ class: 'rejected', code: 'KT-NOT-IMPORTED', message });
}

export const consumerKeyOf = (values: CredentialValues): string => fieldOf(values, 'consumerKey').reveal();

/** What identifies a version at Apigee: nothing but its values. */
export const pairOf = (
  values: CredentialValues,
): { readonly consumerKey: string; readonly consumerSecret: Secret } => ({
  consumerKey: consumerKeyOf(values),
  consumerSecret: fieldOf(values, 'consumerSecret'),
});

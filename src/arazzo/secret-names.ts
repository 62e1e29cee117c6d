import { isList, isObject, type Json } from './json.js';

/** Endings of names that hold secrets wherever they occur, in lower case and without separators; a plural `s` may follow. */
const endings = [
  ...['accesskey', 'accesstoken', 'apikey', 'apitoken', 'authtoken', 'bearertoken', 'consumerkey', 'idtoken'],
  ...['passphrase', 'passwd', 'password', 'privatekey', 'refreshtoken', 'secret', 'secretkey', 'sessiontoken'],
  ...['signingkey', 'encryptionkey', 'authorization', 'cookie'],
];
const known = new RegExp(`(?:${endings.join('|')})s?$|^(?:token|jwt)$`);

/** Whether a field, header, parameter, input or output of this name holds a secret: `newConsumerKey`, `X-Api-Key`, `access_token`. */
export const isSecretName = (name: string): boolean => known.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));

/** Whether what stands in this place of a path is a secret: by the name of the place, or because the id of an Apigee app's key is the key. */
export function isSecretPathValue(path: string, name: string): boolean {
  const before = path.slice(0, path.indexOf(`{${name}}`));
  return isSecretName(name) || /\/apps\/[^/]+\/keys\/$/.test(before);
}

/** Whether a JSON pointer ends in such a name, indexes aside. */
export const endsInSecretName = (pointer: readonly string[]): boolean =>
  isSecretName(pointer.findLast((token) => !/^\d+$/.test(token)) ?? '');

/** Whether a value has a property of such a name, at any depth. */
export function hasSecretName(value: Json): boolean {
  if (isList(value)) return value.some(hasSecretName);
  return isObject(value) && Object.entries(value).some(([name, inner]) => isSecretName(name) || hasSecretName(inner));
}

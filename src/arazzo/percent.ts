import { ArazzoError } from './failure.js';

/** Percent-encodes everything but letters, digits and `-._~` (RFC 3986, unreserved). @throws ArazzoError unsendable */
export function percentEncoded(text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new ArazzoError('unsendable', 'a value holds half a character (an unpaired surrogate)');
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isRefusedHost } from '../domain/addresses.js';

/**
 * Name resolution that fails with `KT_ADDRESS_REFUSED` where any answer is a link-local or metadata address. It is asked by the very
 * connection that is then made: no other answer can come in between.
 */
export const guardedLookup =
  (lookup: typeof systemLookup = systemLookup): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: readonly LookupAddress[]) => {
      const [first] = addresses ?? [];
      if (error !== null || first === undefined) callback(error, '', 0);
      else if ([hostname, ...addresses.map(({ address }) => address)].some(isRefusedHost))
        callback(Object.assign(new Error('refused'), { code: 'KT_ADDRESS_REFUSED' }), '', 0);
      else if (options.all === true) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    });
  };

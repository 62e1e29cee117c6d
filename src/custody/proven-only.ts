import { ProviderFailure } from '../domain/failure.js';
import type { Lockout } from './custody.js';

/** The same budget for calls that risk nothing: with a credential that was never accepted, or was refused since, nothing is sent. */
export function provenOnly(lockout: Lockout): Lockout {
  return {
    ...lockout,
    async admit(scope, fingerprint) {
      if (await lockout.isProven(scope, fingerprint)) return;
      const message = 'nothing was sent: the provider has not accepted this credential yet';
      throw new ProviderFailure({ class: 'blocked', code: 'KT-UNVERIFIED', message });
    },
  };
}

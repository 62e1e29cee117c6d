import type { GoogleAuth } from 'google-auth-library';
import { ProviderFailure } from '../domain/failure.js';
import { Secret } from '../domain/secret.js';
import type { TokenSource } from './authorizer.js';

/** The one scope of the Apigee API (discovery document, auth.oauth2.scopes). */
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** A token needs no project. Were none given, the library would ask services of Google for one that may be out of reach or not permitted. */
const NO_PROJECT = '-';

/** For all that finding and asking the source of a token may take: the library repeats some requests by itself. */
const MAX_WAIT_MS = 15_000;

/**
 * Tokens by Google's application default credentials. The library keeps a token until shortly before it expires; `renew` starts it anew,
 * so that also a credentials file that was replaced meanwhile counts. It is loaded when the first token is asked for, since it is large.
 */
export function googleTokens(): TokenSource {
  let google: GoogleAuth | null = null;
  return async (renew) => {
    try {
      if (google === null || renew) {
        const library = await import('google-auth-library');
        google = new library.GoogleAuth({ scopes: [SCOPE], projectId: NO_PROJECT });
      }
      const token = await within(MAX_WAIT_MS, google.getAccessToken());
      if (typeof token === 'string' && token !== '') return new Secret(token);
      throw new Error('the answer has no token');
    } catch (error) {
      google = null;
      throw failureOf(error);
    }
  };
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('late'), { code: 'TIMEOUT' })), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Rebuilt from an allow-list: an error of the library may carry assertions and tokens. */
function failureOf(error: unknown): ProviderFailure {
  const message = `Google's application default credentials gave no token: ${reasonOf(error)}`;
  return new ProviderFailure({ class: 'not-sent', code: 'KT-MANAGEMENT-AUTH', message });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if (error.message.startsWith('Could not load the default credentials')) {
    return 'none were found; set GOOGLE_APPLICATION_CREDENTIALS, or give the workload a service account';
  }
  const { status, code } = error as { readonly status?: unknown; readonly code?: unknown };
  if (typeof status === 'number') return `the token service answered ${status}`;
  if (code === 'ENOENT') return 'a file that GOOGLE_APPLICATION_CREDENTIALS or the credentials name does not exist';
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code)) return code;
  return 'the file or the service that they come from is not as expected';
}

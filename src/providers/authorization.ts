/** How keyturn proves itself to a management API where the rotated key cannot: the `auth:` block of a credential or an Arazzo source. */
import type { SecretRef } from '../domain/secret-ref.js';
import type { Secret } from '../domain/secret.js';

export type Authorization =
  /** Google's application default credentials: service account file, workload identity, impersonation, metadata server. */
  | { readonly kind: 'google' }
  | { readonly kind: 'bearer'; readonly token: SecretRef }
  | { readonly kind: 'basic'; readonly username: string; readonly password: SecretRef }
  /** OAuth 2.0 of classic Edge: by password, or by a refresh token (Apigee docs, "Access the Edge API with OAuth 2.0"). */
  | {
      readonly kind: 'edge-oauth';
      readonly tokenUrl: string;
      readonly by: { readonly username: string; readonly password: SecretRef } | { readonly refreshToken: SecretRef };
    }
  | { readonly kind: 'none' };

export interface Authorizer {
  /**
   * Value of the `Authorization` header, null for `none`. Tokens are kept until shortly before they expire.
   * @param renew the API has just refused the last one with 401: get another one
   * @throws ProviderFailure `not-sent` KT-MANAGEMENT-AUTH when no token can be had: the call it was for was surely not sent
   */
  header(authorization: Authorization, options?: { readonly renew?: boolean }): Promise<Secret | null>;
}

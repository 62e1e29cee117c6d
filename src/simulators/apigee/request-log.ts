import type { CredentialOutcome, RequestLog, SeenRequest, SeenWrite } from '../shared/request-log.js';

export type Plane = 'management' | 'runtime' | 'token' | 'metadata';

export interface CredentialUse {
  kind: 'bearer' | 'basic' | 'api-key' | 'none';
  outcome: CredentialOutcome;
}

/** In its path every consumer key is written as `#SERIAL`, or `#?` for one that was never issued here. */
interface OwnOfRequest {
  plane: Plane;
  action: string | null;
  contentType: string | null;
  credential: CredentialUse;
  /** Serial of the consumer key that the request is about. */
  serial: number | null;
  /** Message processor that served it, counted from 0. */
  processor: number | null;
  /** Code of the refusal or of the VerifyAPIKey fault. */
  code: string | null;
}

export type WriteKind =
  | 'create-key'
  | 'generate-key'
  | 'update-key'
  | 'replace-key'
  | 'approve-key'
  | 'revoke-key'
  | 'delete-key'
  | 'approve-product'
  | 'revoke-product'
  | 'remove-product'
  | 'update-app'
  | 'approve-app'
  | 'revoke-app';

interface OwnOfWrite {
  kind: WriteKind;
  app: string;
}

export type RequestEntry = SeenRequest & OwnOfRequest;
export type WriteEntry = SeenWrite & OwnOfWrite;
export type OrganizationLog = RequestLog<OwnOfRequest, OwnOfWrite>;

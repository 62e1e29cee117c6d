import type { CredentialOutcome, RequestLog, SeenRequest, SeenWrite } from '../shared/request-log.js';

export interface CredentialUse {
  kind: 'apiKey' | 'secretKey' | 'basic' | 'none';
  /** Serial of the key or secret key that was presented; null when the tenant never issued such a value. */
  serial: number | null;
  outcome: CredentialOutcome;
}

interface OwnOfRequest {
  /** The consumer whose credential was accepted. */
  consumerId: string | null;
  credential: CredentialUse;
  idempotencyKey: string | null;
  /** A replay changes nothing. */
  replayed: boolean;
}

export type WriteKind =
  'create-consumer' | 'delete-consumer' | 'create-key' | 'delete-key' | 'create-secret' | 'rotate';

interface OwnOfWrite {
  kind: WriteKind;
  consumerId: string;
}

export type RequestEntry = SeenRequest & OwnOfRequest;
export type WriteEntry = SeenWrite & OwnOfWrite;
export type TenantLog = RequestLog<OwnOfRequest, OwnOfWrite>;

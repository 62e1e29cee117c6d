/** Where custody keeps what. */
import { createHash } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import type { LockoutScope } from './custody.js';

export const INSTALLATION = 'installation';
export const CREDENTIALS = 'credential/';

/** @throws KeyturnError KT-INPUT when it cannot be the id of a credential */
export function recordName(credentialId: string): string {
  return `${CREDENTIALS}${checkedId(credentialId)}`;
}

/** @throws KeyturnError KT-INPUT when it cannot be the id of a credential */
export function accessName(credentialId: string): string {
  return `access/${checkedId(credentialId)}`;
}

/** Prefix of the late answers of one operation. */
export function lateNames(credentialId: string, operationId: string): string {
  return `late/${checkedId(credentialId)}/${hashOf(operationId)}/`;
}

/** Prefix of the parts of the document that an Arazzo run works by. */
export function arazzoNames(runId: string): string {
  return `arazzo/${hashOf(runId)}/`;
}

/**
 * One account a tenant and egress, however its base URL is written: case, default port, trailing slashes and dots do not make another.
 * Whoever is taken for the same by mistake shares a budget, which errs on the safe side.
 */
export function lockoutName(scope: LockoutScope): string {
  return `lockout/${hashOf(JSON.stringify([normalBaseUrl(scope.baseUrl), scope.egress]))}`;
}

function normalBaseUrl(baseUrl: string): string {
  const { protocol, hostname, port, pathname } = new URL(baseUrl);
  return `${protocol}//${hostname.replace(/\.$/, '')}:${port}${pathname.replace(/\/+/g, '/').replace(/\/$/, '')}`.toLowerCase();
}

function checkedId(credentialId: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(credentialId)) return credentialId;
  throw new KeyturnError('KT-INPUT', 'that is not the id of a credential: [a-z0-9][a-z0-9._-]{0,62}');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

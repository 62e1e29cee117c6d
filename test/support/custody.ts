/** A credential with values, and keys to seal it with, for tests of custody. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { LateAnswer, Opened, Shelf } from '../../src/custody/custody.js';
import { keyFromBytes } from '../../src/custody/gcm.js';
import type { SealingKeys } from '../../src/custody/sealing.js';
import type { CredentialRecord, IntentFacts, OperationFacts, VersionFacts } from '../../src/domain/record.js';
import { Secret } from '../../src/domain/secret.js';

export const nowMs = Date.parse('2026-11-21T04:00:00.000Z');

export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'keyturn-custody-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export async function filesUnder(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

export async function bytesUnder(path: string): Promise<Buffer> {
  return Buffer.concat(await Promise.all((await filesUnder(path)).map((file) => readFile(file))));
}

export function newKeys(...kids: readonly [string, ...string[]]): SealingKeys {
  return { currentKid: kids[0], byKid: new Map(kids.map((kid) => [kid, keyFromBytes(randomBytes(32))])) };
}

export function versionFacts(version: number, stage: VersionFacts['stage'] = 'current'): VersionFacts {
  return {
    version,
    stage,
    keyId: `key-${version}`,
    fingerprint: `hmac:${String(version).padStart(32, '0')}`,
    operationId: `import/${version}`,
    identity: {
      provider: 'mambu',
      baseUrl: 'https://acme.mambu.com/api',
      account: '8a8186f9',
      strategy: 'create-and-delete',
    },
    createdAtMs: nowMs,
    publishedAtMs: nowMs,
    verifiedAtMs: nowMs,
    expiresAtMs: null,
    lifetime: null,
    providerDiesAtMs: null,
    secretKey: 'ok',
    leaked: false,
    retirement: null,
  };
}

export function record(
  installationId: string,
  versions: readonly VersionFacts[] = [versionFacts(1)],
): CredentialRecord {
  return {
    schemaVersion: 1,
    installationId,
    credentialId: 'core-prod',
    provider: 'mambu',
    seq: 0,
    epoch: 0,
    highestVersion: Math.max(0, ...versions.map((v) => v.version)),
    versions,
    operation: null,
    intents: [],
    debts: [],
    acknowledged: [],
    paused: null,
    waiting: [],
    capabilityLost: null,
    lostProofs: null,
    seen: [],
    history: [],
    destroyed: [],
  };
}

/** Each version has values of its own: `api-<version>-…` and `secret-<version>-…`. */
export function shelf(...versions: readonly number[]): Shelf {
  const entries = versions.map((v) => [
    String(v),
    {
      keyId: `key-${v}`,
      fields: { apiKey: new Secret(`api-${v}-canary/+"x`), secretKey: new Secret(`secret-${v}-canary`) },
    },
  ]);
  return { versions: Object.fromEntries(entries), intents: {} };
}

export function imported(installationId: string): Opened {
  return { record: record(installationId), shelf: shelf(1) };
}

export function intentFacts(n: number): IntentFacts {
  return {
    n,
    operationId: 'op-1',
    kind: 'create-key',
    idempotencyKey: '0b5f0a62-6f5e-4f0b-9a3e-0a6f5c7b1d2e',
    epoch: 0,
    createdAtMs: nowMs,
    sendBeforeMs: nowMs + 5_000,
    settled: 'open',
    sends: 1,
    inventory: ['key-1'],
  };
}

export function operationFacts(): OperationFacts {
  return {
    operationId: 'op-1',
    request: {
      requestId: 'r-1',
      reason: 'compromise',
      source: 'workflow',
      leakedVersion: 1,
      replyTo: { workflowId: 'w' },
    },
    startedAtMs: nowMs,
    fromVersion: 1,
    toVersion: null,
    policy: {
      graceMs: 1_200_000,
      refreshWithinMs: 300_000,
      minIntervalMs: 3_600_000,
      renewBeforeMs: 86_400_000,
      activationLagMs: 0,
      consumers: [{ name: 'billing', ackWithinMs: 86_400_000 }],
    },
    strategy: {
      class: 'B',
      replayWindowMs: 18_000_000,
      listable: true,
      providerGraceMs: null,
      intents: ['create-key', 'create-secret'],
      needsSecretKey: true,
      equips: false,
      restorable: false,
      timing: {
        sendWithinMs: 5_000,
        httpTimeoutMs: 15_000,
        skewMs: 2_000,
        verifyAgainAfterMs: 300_000,
        propagationMs: 0,
        settleMs: 0,
        observeMs: 0,
      },
    },
    compensating: false,
    refusedAtMs: null,
  };
}

export function lateAnswer(intent: number, value = 'late-canary'): LateAnswer {
  return {
    operationId: 'op-1',
    intent,
    keyId: 'key-2',
    fields: { apiKey: new Secret(value) },
    expiresAtMs: null,
    receivedAtMs: nowMs,
  };
}

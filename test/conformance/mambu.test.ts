import { createHash } from 'node:crypto';
import { describe, it } from 'vitest';
import { Secret } from '../../src/domain/secret.js';
import { mambuProvider } from '../../src/providers/mambu/provider.js';
import type { CredentialValues } from '../../src/providers/provider.js';
import { describeProvider, startMambuSimulator, type SystemUnderTest } from '../../src/testing/index.js';

const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex');

const provider = mambuProvider({ resolveSecret: () => Promise.reject(new Error('there is no management user here')) });
const answers = {
  forbidden: { status: 403, body: JSON.stringify({ errors: [{ errorCode: 15, errorReason: 'INVALID_PERMISSIONS' }] }) },
};

/** A tenant with one API consumer, whose second key was made in the UI and is somebody else's. */
async function startTenant(more: Readonly<Record<string, unknown>>): Promise<SystemUnderTest> {
  const simulator = await startMambuSimulator();
  const [seeded] = simulator.seeded;
  if (!seeded) throw new Error('the simulator has no consumer');
  simulator.createKey(seeded.consumerId);
  const isAlive = ({ keyId, fields }: CredentialValues): boolean => {
    const oracle = simulator.oracle();
    const key = oracle.keys.find(({ id }) => id === keyId);
    return key !== undefined && oracle.acceptedAt(sha256(fields['apiKey']?.reveal() ?? ''), oracle.now);
  };
  return {
    settings: { baseUrl: simulator.baseUrl, consumerId: seeded.consumerId, ...more },
    seed: {
      keyId: seeded.keyId,
      fields: { apiKey: new Secret(seeded.apiKey), secretKey: new Secret(seeded.secretKey) },
    },
    accepts: isAlive,
    livingKeys() {
      const oracle = simulator.oracle();
      return oracle.keys.filter(({ serial }) => oracle.acceptedAt(serial, oracle.now)).map(({ id }) => id);
    },
    advance: (ms) => simulator.clock.advance(ms),
    stop: () => simulator.close(),
  };
}

describeProvider(
  'mambu create-and-delete',
  { provider, class: 'B', answers, start: () => startTenant({ strategy: 'create-and-delete' }) },
  { describe, it },
);

describeProvider(
  'mambu rotation',
  { provider, class: 'D', answers, start: () => startTenant({ strategy: 'rotation', tenantGrace: '30m' }) },
  { describe, it },
);

/** The provider Mambu with a simulated tenant, for the conformance kit. */
import { createHash } from 'node:crypto';
import { Secret } from '../../src/domain/secret.js';
import { mambuProvider } from '../../src/providers/mambu/provider.js';
import type { CredentialValues } from '../../src/providers/provider.js';
import type { MambuSettings } from '../../src/providers/mambu/settings.js';
import { startMambuSimulator, type ProviderUnderTest, type SystemUnderTest } from '../../src/testing/index.js';

const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex');

const own = mambuProvider({ resolveSecret: () => Promise.reject(new Error('there is no management user here')) });
/** Mambu documents no quota; with one, the kit counts the calls of each step. */
const provider: typeof own = {
  ...own,
  capability: (settings) => ({ ...own.capability(settings), callsPerMinute: 6_000 }),
};
const answers = {
  forbidden: { status: 403, body: JSON.stringify({ errors: [{ errorCode: 15, errorReason: 'INVALID_PERMISSIONS' }] }) },
};

type More = Readonly<Record<string, unknown>>;

/** A tenant with one API consumer, whose second key was made in the UI and is somebody else's. */
async function startTenant(more: More, graceMs: number | undefined): Promise<SystemUnderTest> {
  const simulator = await startMambuSimulator({ tenant: graceMs === undefined ? {} : { graceMs } });
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

export function mambuSubject(
  expected: ProviderUnderTest['class'],
  more: More,
  graceMs?: number,
): ProviderUnderTest<MambuSettings> {
  return { provider, class: expected, answers, start: () => startTenant(more, graceMs) };
}

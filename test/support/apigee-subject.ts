/** The provider Apigee with a simulated organization, for the conformance kit. */
import { createHash } from 'node:crypto';
import { Secret } from '../../src/domain/secret.js';
import { apigeeProvider } from '../../src/providers/apigee/provider.js';
import type { ApigeeSettings } from '../../src/providers/apigee/settings.js';
import type { Authorizer } from '../../src/providers/authorization.js';
import {
  startApigeeSimulator,
  type ProviderUnderTest,
  type SystemUnderTest,
  type VendorAnswer,
} from '../../src/testing/index.js';

type Dialect = 'x' | 'edge';

/** The management API asks for no proof here, so that a key can be ended from its identity alone; how `auth` works has tests of its own. */
const authorizer: Authorizer = { header: () => Promise.resolve(null) };
const provider = apigeeProvider({ authorizer });

const envelope: Readonly<Record<Dialect, (status: number, code: string, message: string) => VendorAnswer>> = {
  x: (status, _, message) => ({ status, body: JSON.stringify({ error: { code: status, message, details: [] } }) }),
  edge: (status, code, message) => ({ status, body: JSON.stringify({ code, message, contexts: [] }) }),
};

/** An app with two keys: the other one is somebody else's. */
async function startOrganization(dialect: Dialect): Promise<SystemUnderTest> {
  const simulator = await startApigeeSimulator({ rules: { dialect, auth: 'none' }, seed: { otherKeys: 1 } });
  const { organization, developer, app, consumerKey, consumerSecret, proxyPath } = simulator.seeded;
  const probe = { url: simulator.runtimeUrl + proxyPath, in: 'header', name: 'x-apikey' };
  return {
    settings: {
      baseUrl: simulator.managementUrl,
      dialect,
      organization,
      developer,
      app,
      auth: { kind: 'none' },
      ...(dialect === 'x' ? { probe } : {}),
    },
    seed: {
      keyId: consumerKey,
      fields: { consumerKey: new Secret(consumerKey), consumerSecret: new Secret(consumerSecret) },
    },
    accepts({ keyId }) {
      const oracle = simulator.oracle();
      return oracle.acceptedAt(createHash('sha256').update(keyId).digest('hex'), oracle.now);
    },
    livingKeys: () =>
      simulator
        .oracle({ values: true })
        .keys.flatMap(({ deletedAt, consumerKey: id }) => (deletedAt === null && id !== undefined ? [id] : [])),
    advance: (ms) => simulator.clock.advance(ms),
    stop: () => simulator.close(),
  };
}

export function apigeeSubject(dialect: Dialect): ProviderUnderTest<ApigeeSettings> {
  return {
    provider,
    class: 'A',
    timing: { settle: '30s', observe: '10m' },
    answers: {
      forbidden: envelope[dialect](403, 'access.denied', 'no permission'),
      refused: envelope[dialect](
        404,
        'keymanagement.service.InvalidClientIdForGivenApp',
        'Invalid consumer key for Given App',
      ),
    },
    start: () => startOrganization(dialect),
  };
}

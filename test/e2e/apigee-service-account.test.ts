/** Apigee X by the key file of a Google service account: the signed assertion, the token that it is exchanged for, and its end. */
import { expect, it } from 'vitest';
import { apigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';
import { contentsOf, leaks, textSurface } from '../support/canaries.js';
import { SERVICE_ACCOUNT, startTokenService, TOKEN_HOST } from '../support/google-token-service.js';
import { workerProcess } from '../support/worker-process.js';

it('a rotation by a service account’s key file: one signed assertion, its token as bearer, and one more after a 401', async ({
  onTestFinished,
}) => {
  const i = await apigeeInstallation({
    onTestFinished,
    policy: { activationLag: '2s' },
    apigee: { auth: { kind: 'google' } },
  });
  const service = await startTokenService(onTestFinished, i.directory, () => i.simulator.issueToken());
  // The one that the simulator begins with is nobody's.
  i.simulator.expireTokens();
  service.refuse(true);
  await workerProcess(i, { onTestFinished, env: service.env });
  await i.request('r-1');
  const parked = await i.until('it is parked', (s) => s.rotation?.parked === true);
  expect(parked.rotation).toMatchObject({ step: 'plan', lastError: { code: 'KT-MANAGEMENT-AUTH' } });
  expect(parked.rotation?.lastError?.message).toContain('the token service answered 400');
  const management = () => i.simulator.oracle().requests.filter(({ plane }) => plane === 'management');
  expect(management()).toEqual([]);

  service.refuse(false);
  await i.until('the new key waits out its lag', () =>
    i.simulator.oracle().writes.some((w) => w.kind === 'update-key'),
  );
  expect(service.grants).toHaveLength(1);
  i.simulator.expireTokens();
  const done = await i.until(
    'version 2 is current, and nothing is left to do',
    (s) => s.current?.version === 2 && s.rotation === null && s.previous.length === 0,
  );
  expect(done.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });

  expect(service.grants).toHaveLength(2);
  for (const { grantType, header, claims, atMs } of service.grants) {
    expect(grantType).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    expect(header).toMatchObject({ alg: 'RS256' });
    expect(claims).toMatchObject({
      iss: SERVICE_ACCOUNT,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: `https://${TOKEN_HOST}/token`,
    });
    const { iat, exp } = claims as { readonly iat: number; readonly exp: number };
    expect(Math.abs(iat * 1_000 - atMs)).toBeLessThan(60_000);
    expect(exp - iat).toBe(3_600);
  }
  expect(new Set(service.targets)).toEqual(new Set([`${TOKEN_HOST}:443`]));
  const outcomes = management().map(({ credential }) => `${credential.kind} ${credential.outcome}`);
  expect(outcomes.filter((outcome) => outcome !== 'bearer accepted')).toEqual(['bearer expired']);
  await expectApigeeInvariants(i);

  const history = await i.client.handle(i.credentialId).fetchHistory();
  const surfaces = [
    { name: 'history', bytes: Buffer.concat(contentsOf(history)) },
    textSurface('query', JSON.stringify([parked, done])),
  ];
  const secrets = [service.privateKey, ...service.grants.map(({ assertion }) => assertion)];
  expect(leaks(surfaces, secrets)).toEqual([]);
});

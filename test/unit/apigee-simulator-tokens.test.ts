import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GoogleAuth } from 'google-auth-library';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { call, create } from './apigee-simulator-caller.js';

let simulator: ApigeeSimulator;
const start = async (options: ApigeeSimulatorOptions = {}) => {
  simulator = await startApigeeSimulator(options);
};
afterEach(() => simulator.close());

const TOKEN_PATH = '/computeMetadata/v1/instance/service-accounts/default/token';
const TOKEN_ROUTE = '/computeMetadata/v1/instance/service-accounts/{account}/token';
const status = async (token: string) =>
  (await call(simulator, 'GET', '', { headers: { authorization: `Bearer ${token}` } })).status;

// With a project named, the client does not look for one with gcloud.
const googleAuth = () =>
  new GoogleAuth({ projectId: 'any', scopes: ['https://www.googleapis.com/auth/cloud-platform'] });

/** Application Default Credentials that can come from nowhere but the simulated metadata server. */
async function machineAtGoogle(): Promise<GoogleAuth> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-adc-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of ['GOOGLE_APPLICATION_CREDENTIALS', 'GCE_METADATA_IP']) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', home);
  vi.stubEnv('CLOUDSDK_CONFIG', home);
  vi.stubEnv('GCE_METADATA_HOST', new URL(simulator.metadataUrl).host);
  return googleAuth();
}

describe('the metadata server', () => {
  it('gives Google’s own client a token that the management API accepts, until it fails', async () => {
    await start();
    const auth = await machineAtGoogle();
    expect(await status((await auth.getAccessToken()) ?? '')).toBe(200);
    simulator.faults.add({ match: { route: TOKEN_ROUTE, times: 'always' }, action: 'status', status: 404 });
    const another = googleAuth();
    await expect(another.getAccessToken()).rejects.toThrow('Not Found');
    const planes = simulator.oracle().requests.map(({ plane }) => plane);
    expect(new Set(planes)).toEqual(new Set(['metadata', 'management']));
  });

  it('says how long a token lives, and refuses a request without Metadata-Flavor', async () => {
    await start({ rules: { tokenTtlSeconds: 60 } });
    const flavoured = await fetch(simulator.metadataUrl + TOKEN_PATH, { headers: { 'metadata-flavor': 'Google' } });
    expect(flavoured.headers.get('metadata-flavor')).toBe('Google');
    expect(await flavoured.json()).toMatchObject({ expires_in: 60, token_type: 'Bearer' });
    expect((await fetch(simulator.metadataUrl + TOKEN_PATH)).status).toBe(403);
    expect(JSON.stringify(simulator.oracle())).not.toContain('ya29.');
  });
});

describe('a token', () => {
  it('ends in the middle of a rotation, after as many calls as the knob says', async () => {
    await start({ rules: { callsPerToken: 2 } });
    expect((await call(simulator, 'GET', '')).status).toBe(200);
    expect((await create(simulator, 'NEW1')).status).toBe(200);
    expect((await call(simulator, 'GET', 'keys/NEW1')).status).toBe(401);
    expect(simulator.oracle().requests.at(-1)?.credential.outcome).toBe('expired');
    expect(await status(simulator.issueToken())).toBe(200);
  });
});

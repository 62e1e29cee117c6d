/** `redocly respect`, a runner by others, as a client of the simulated organization: documents go through it unchanged. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ApigeeSimulator, startApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { sha256 } from '../../src/simulators/shared/random.js';
import { noReference, referenceFile } from '../support/reference.js';

const require = createRequire(import.meta.url);
const redocly = join(dirname(require.resolve('@redocly/cli/package.json')), 'bin', 'cli.js');
const loopbackOnly = pathToFileURL(join(import.meta.dirname, '../support/loopback-only.mjs')).href;
const fixtures = join(import.meta.dirname, '../fixtures/arazzo');

/** A document and the description that it refers to, each with its place below one folder. */
interface Documents {
  readonly document: readonly [from: string | null, to: string];
  readonly description: readonly [from: string | null, to: string];
}

const ours: Documents = {
  document: [join(fixtures, 'replace-app-key.arazzo.yaml'), 'replace-app-key.arazzo.yaml'],
  description: [join(fixtures, 'app-keys.openapi.yaml'), 'app-keys.openapi.yaml'],
};
const published: Documents = {
  document: [referenceFile('apigee-rotate-app-key-workflow.yml'), 'arazzo/apigee-rotate-app-key-workflow.yml'],
  description: [referenceFile('apigee-api-management-openapi.yml'), 'openapi/apigee-api-management-openapi.yml'],
};

async function organization(): Promise<ApigeeSimulator> {
  // The documents name no credential, and the runner sends none.
  const simulator = await startApigeeSimulator({ rules: { auth: 'none' }, seed: { otherKeys: 1 } });
  onTestFinished(() => simulator.close());
  return simulator;
}

const NEW_KEY = 'new-key-of-the-app';
const NEW_SECRET = 'a-secret_of-the-new-key';

/** Runs the document against the organization, in a folder and a home of its own. */
async function respect(documents: Documents, { managementUrl, seeded }: ApigeeSimulator): Promise<Ran> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-respect-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const home = join(folder, 'home');
  await mkdir(home);
  for (const [from, to] of [documents.document, documents.description]) {
    if (from !== null) await cp(from, join(folder, to));
  }
  const { organization: organizationId, developer: developerId, app: appId, consumerKey: oldKeyId } = seeded;
  const asked = { apiProduct: 'orders', newConsumerKey: NEW_KEY, newConsumerSecret: NEW_SECRET };
  const input = JSON.stringify({ organizationId, developerId, appId, oldKeyId, ...asked });
  const server = `apigeeApiManagement=${managementUrl}`;
  const args = ['respect', documents.document[1], '--server', server, '--input', input];
  const child = spawn(process.execPath, ['--import', loopbackOnly, redocly, ...args], {
    cwd: folder,
    env: { HOME: home, TMPDIR: home, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { exit: child.exitCode, output: out + err, leftBehind: await readdir(home) };
}

interface Ran {
  readonly exit: number | null;
  readonly output: string;
  /** What it wrote into its home. */
  readonly leftBehind: readonly string[];
}

describe.each([
  ['our own document', ours],
  ['the published document', published],
] as const)('%s', (_name, documents) => {
  const isAbsent = documents.document[0] === null || documents.description[0] === null;

  test('replaces the key: the new one has its product, the old one is deleted, the others are as they were', async (context) => {
    if (isAbsent) return context.skip(noReference);
    const simulator = await organization();
    const { exit, output, leftBehind } = await respect(documents, simulator);
    expect(exit, output).toBe(0);
    expect(leftBehind).toEqual([]);
    const { keys, requests, now, gaps, acceptedAt } = simulator.oracle();
    const old = keys.find((key) => key.sha256 === sha256(simulator.seeded.consumerKey));
    expect(old?.deletedAt).not.toBeNull();
    expect(keys.find(({ by }) => by === 'create')).toMatchObject({
      sha256: sha256(NEW_KEY),
      secretSha256: sha256(NEW_SECRET),
      products: [{ apiproduct: 'orders', status: 'approved' }],
      status: 'approved',
    });
    expect(keys.map(({ serial, by }) => [by, acceptedAt(serial, now)])).toEqual([
      ['seed', old?.serial !== 1],
      ['seed', old?.serial !== 2],
      ['create', true],
    ]);
    expect(gaps([{ sha256: sha256(NEW_KEY), fromMs: old?.deletedAt ?? 0, toMs: now }])).toEqual([]);
    expect(requests.map(({ method, status }) => [method, status])).toEqual([
      ['GET', 200],
      ['POST', 200],
      ['PUT', 200],
      ['DELETE', 200],
    ]);
  });

  test.for(['fail-before', 'drop-after-commit'] as const)(
    'stops at a create with %s, and the old key goes on',
    async (fault, context) => {
      if (isAbsent) return context.skip(noReference);
      const simulator = await organization();
      const route = '/organizations/{org}/developers/{developer}/apps/{app}/keys';
      simulator.faults.add({ match: { method: 'POST', route, times: 'always' }, action: fault });
      const { exit, output } = await respect(documents, simulator);
      expect(exit, output).toBe(1);
      const { keys, writes, now, acceptedAt } = simulator.oracle();
      expect(acceptedAt(sha256(simulator.seeded.consumerKey), now)).toBe(true);
      expect(keys.filter(({ deletedAt }) => deletedAt !== null)).toEqual([]);
      expect(writes.map(({ kind }) => kind)).toEqual(fault === 'fail-before' ? [] : ['create-key']);
    },
  );
});

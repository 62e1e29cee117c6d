import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Check } from '../../src/cli/doctor/check.js';
import { createServerMetrics } from '../../src/telemetry/metrics.js';
import { editConfig, keyturn } from '../support/cli.js';
import { installation, type Installation } from '../support/installation.js';

interface Diagnosis {
  readonly exit: number;
  readonly checks: readonly Check[];
  /** Of one status, as `check: message`. */
  of(status: Check['status']): readonly string[];
}

async function doctor(i: Pick<Installation, 'configFile' | 'directory'>): Promise<Diagnosis> {
  const { exit, json } = await keyturn(i, '--json', 'doctor');
  const { checks } = json.data as { readonly checks: readonly Check[] };
  const of = (status: Check['status']) =>
    checks.filter((one) => one.status === status).map(({ check, message }) => `${check}: ${message}`);
  return { exit, checks, of };
}

/** What imports, accepted rotations and listings leave behind: the provider has accepted the current key. */
async function prove({ vault, simulator, credentialId }: Installation): Promise<void> {
  const opened = await vault.custody.read(credentialId);
  const fingerprint = opened?.record.versions[0]?.fingerprint ?? '';
  await vault.lockout.proved({ baseUrl: simulator.baseUrl, egress: 'default' }, fingerprint);
}

test('a sound installation has no failure, whatever warnings it has', async () => {
  const i = await installation({ mambu: { keyTtl: '30d' } });
  await i.worker();
  await prove(i);
  expect(await keyturn(i, 'apply')).toMatchObject({ exit: 0 });
  const { exit, of } = await doctor(i);
  expect(of('fail')).toEqual([]);
  expect(exit).toBe(0);
  expect(of('ok').join('\n')).toMatch(
    /node: [^]*config: [^]*key-file: [^]*store: [^]*temporal: [^]*worker: [^]*provider: .* lists 1 key/,
  );
  expect(of('warn')).toContainEqual(expect.stringContaining('webhooks'));
  const { out } = await keyturn(i, 'doctor');
  expect(out).toMatch(/^ok {4}node: /m);
  expect(out).toMatch(/^warn {2}webhooks: .*\n {6}→ /m);
});

test('each failure has its mend: no worker, not applied, not imported', async () => {
  const i = await installation();
  await i.vault.store.remove(`credential/${i.credentialId}`);
  await editConfig(i, ({ credentials }) => {
    const policy = credentials[i.credentialId]?.policy;
    if (policy) policy['schedule'] = { cron: '0 4 * * *', timezone: 'UTC', jitter: '0s' };
  });
  const { exit, checks, of } = await doctor(i);
  expect(exit).toBe(1);
  const failures = of('fail').join('\n');
  expect(failures).toContain('worker: nobody polls');
  expect(failures).toContain('create schedule');
  expect(failures).toContain('no key of');
  expect(checks.filter(({ status, mend }) => status !== 'ok' && !mend)).toEqual([]);
});

test('makes no call with a key that was never accepted, and none that is refused', async () => {
  const i = await installation();
  const { of } = await doctor(i);
  expect(of('warn')).toContainEqual(expect.stringContaining('provider: not asked'));
  expect(i.simulator.oracle().requests).toEqual([]);
});

test('names a missing permission, a key that is gone, and what is left of the lockout budget', async () => {
  const i = await installation();
  await prove(i);
  i.simulator.setPermissions('rotator', []);
  expect((await doctor(i)).of('warn')).toContainEqual(expect.stringContaining('VIEW_API_CONSUMERS_AND_KEYS'));
  i.simulator.deleteKey(i.simulator.seeded[0]?.keyId ?? '');
  expect((await doctor(i)).of('fail')).toContainEqual(expect.stringContaining('does not accept'));
  const { of } = await doctor(i);
  expect(of('warn')).toContainEqual(expect.stringContaining('3 of 4 invalid-credential calls left'));
  expect(i.simulator.oracle().strikes.total).toBe(1);
});

test('says that Temporal is out of reach, and looks at everything else', async () => {
  const i = await installation();
  const ran = await keyturn(i, '--json', 'doctor', '--address', '127.0.0.1:1');
  const { checks } = ran.json.data as { readonly checks: readonly Check[] };
  expect(ran.exit).toBe(1);
  expect(checks).toContainEqual(expect.objectContaining({ check: 'temporal', status: 'fail' }));
  expect(checks).toContainEqual(expect.objectContaining({ check: `${i.credentialId} key`, status: 'ok' }));
});

test('names a key file that others may read, a secret that is not set, and a configuration that is wrong', async () => {
  const i = await installation({
    top: { webhooks: { mambu: { auth: { kind: 'header', name: 'x-secret', value: '${env:NOT_SET_ANYWHERE}' } } } },
  });
  await chmod(join(i.directory, 'key'), 0o644);
  const found = await doctor(i);
  expect(found.exit).toBe(1);
  expect(found.of('fail')).toContainEqual(expect.stringContaining('0644'));
  expect(found.of('warn')).toContainEqual(expect.stringContaining('NOT_SET_ANYWHERE'));
  await writeFile(i.configFile, 'version: 1\nnonsense: true\n');
  const wrong = await doctor(i);
  expect(wrong.exit).toBe(1);
  expect(wrong.of('fail')).toContainEqual(expect.stringContaining('nonsense'));
});

test('reads from the counters of `serve` which deliveries it has refused', async () => {
  const metrics = createServerMetrics();
  metrics.webhook('accepted', 0.01);
  metrics.webhook('unauthenticated', 0.01);
  metrics.webhook('unauthenticated', 0.01);
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/metrics' ? 200 : 404;
    response.end(metrics.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const i = await installation({ top: { server: { listen: `127.0.0.1:${port}` } } });
  expect((await doctor(i)).of('warn')).toContainEqual(expect.stringContaining('refused deliveries: unauthenticated 2'));
});

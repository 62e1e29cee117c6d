import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config.js';
import { type ComposeFile, composeSchema } from '../support/compose-schema.js';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const text = read('docker-compose.yml');

/** Extensions (`x-…`) are only there to be merged. */
function composeFile(yaml: string): ComposeFile {
  const document = parse(yaml, { merge: true }) as Record<string, unknown>;
  return composeSchema.parse(Object.fromEntries(Object.entries(document).filter(([key]) => !key.startsWith('x-'))));
}

const compose = composeFile(text);
const services = Object.entries(compose.services);

test('the schema refuses a misspelt key, a port without an address and an unknown condition', () => {
  for (const [right, wrong] of [
    ['restart: unless-stopped', 'restarts: unless-stopped'],
    ['127.0.0.1:${KEYTURN_PORT:-8377}:8377', '8377:8377'],
    ['condition: service_healthy', 'condition: healthy'],
  ] as const) {
    expect(text).toContain(right);
    expect(() => composeFile(text.replaceAll(right, wrong))).toThrow();
  }
});

test('every network, volume, secret and dependency that a service names is there, and none is left over', () => {
  const used = { networks: new Set<string>(), volumes: new Set<string>(), secrets: new Set<string>() };
  for (const [name, service] of services) {
    for (const network of service.networks) used.networks.add(network);
    for (const { isFile, source } of service.volumes) if (!isFile) used.volumes.add(source);
    for (const { source } of service.secrets) used.secrets.add(source);
    for (const [other, { condition }] of Object.entries(service.depends_on)) {
      const dependency = compose.services[other];
      expect(dependency, `${name} depends on ${other}`).toBeDefined();
      if (condition === 'service_healthy') expect(dependency?.healthcheck, `health of ${other}`).toBeDefined();
      // A container that ends well and is always started again never completes.
      if (condition === 'service_completed_successfully') expect(dependency?.restart).toMatch(/^on-failure/);
    }
  }
  expect([...used.networks].toSorted()).toEqual(Object.keys(compose.networks).toSorted());
  expect([...used.volumes].toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
  expect([...used.secrets].toSorted()).toEqual(Object.keys(compose.secrets).toSorted());
});

test('every mounted file is in the repository, and mounted read-only', () => {
  const files = services.flatMap(([, { volumes }]) => volumes.filter(({ isFile }) => isFile));
  expect(files.length).toBeGreaterThan(0);
  for (const { source, readOnly } of files) {
    expect(existsSync(new URL(source, root)), source).toBe(true);
    expect(readOnly, source).toBe(true);
  }
});

test('every variable is in .env.example, and has a default or says that it is missing', () => {
  const uses = [...text.matchAll(/\$\{([A-Z_]+)([^}]*)\}/g)].map(([, name = '', rest = '']) => ({ name, rest }));
  for (const { name, rest } of uses) expect(rest, name).toMatch(/^:(-\d+$|\?.+)/);
  const offered = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  expect([...new Set(uses.map(({ name }) => name))].toSorted()).toEqual(offered.toSorted());
});

test('ports are published on loopback only', () => {
  const hosts = services.flatMap(([, { ports }]) => ports.map(({ host }) => host));
  expect(new Set(hosts)).toEqual(new Set(['127.0.0.1']));
});

test('images are pinned by an exact tag', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const bases = [...read('Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image);
  for (const image of [...services.map(([, service]) => service.image), ...bases]) {
    expect(image).toMatch(/^[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)*$/);
  }
  expect(compose.services['keyturn-worker']?.image).toBe(`keyturn:${version}`);
  expect(new Set(bases).size).toBe(1);
});

test('no service can gain privileges or dump its memory, and keyturn runs read-only, unprivileged and with the key apart from the store', () => {
  for (const [name, service] of services) {
    expect(service.security_opt, name).toContain('no-new-privileges:true');
    expect(service.ulimits.core, name).toBe(0);
  }
  for (const name of ['keyturn-worker', 'keyturn-serve']) {
    const service = compose.services[name];
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], user: '1000:1000', init: true });
    const store = service?.volumes.find(({ source }) => source === 'keyturn-store');
    const key = service?.secrets.find(({ source }) => source === 'keyturn_key');
    expect(store?.target).toBe('/keyturn/store');
    expect(key?.target).toBe('/keyturn/.keyturn/key');
  }
});

test('its keyturn.yaml is valid, and fits the mounts, the published ports and the health checks', async () => {
  const config = await loadConfig(fileURLToPath(new URL('deploy/compose/keyturn.yaml', root)));
  const inContainer = (path: string): string =>
    path.replace(fileURLToPath(new URL('deploy/compose/', root)), '/keyturn/');
  const { 'keyturn-worker': worker, 'keyturn-serve': serve } = compose.services;
  expect(worker?.volumes.map(({ target }) => target)).toContain(inContainer(config.store.path));
  expect(worker?.secrets.map(({ target }) => target)).toContain(inContainer(config.sealingKey.path));
  const secretFiles = [...read('deploy/compose/keyturn.yaml').matchAll(/\$\{file:([^}]+)\}/g)].map(([, path]) => path);
  expect(serve?.secrets.map(({ target }) => target)).toEqual(
    expect.arrayContaining(secretFiles.map((path) => `/keyturn/${path}`)),
  );
  expect(serve?.ports.map(({ container }) => container)).toEqual([
    config.server.listen.port,
    config.server.webhookListen?.port,
  ]);
  expect(worker?.environment['KEYTURN_HEALTH_URL']).toContain(`:${config.worker.listen?.port}/healthz`);
  expect(serve?.environment['KEYTURN_HEALTH_URL']).toContain(`:${config.server.listen.port}/healthz`);
  expect(config.temporal.address).toBe('temporal:7233');
});

test('the image holds no package manager, no root user and no inspector', () => {
  const dockerfile = read('Dockerfile');
  const stage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  expect(stage).toContain('/usr/local/lib/node_modules');
  expect(stage).toMatch(/^USER 1000:1000$/m);
  expect(stage).toMatch(/^HEALTHCHECK /m);
  expect(stage).toContain('ulimit -c 0');
  expect(stage.replaceAll(/^#.*$/gm, '')).not.toContain('--inspect');
  // What the stages copy is not kept out of the build by .dockerignore.
  const kept = read('.dockerignore')
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '));
  for (const file of copied) {
    expect(kept, file).toContain(file);
    expect(existsSync(new URL(file, root)), file).toBe(true);
  }
});

import { dirname, relative, resolve } from 'node:path';
import type { z } from 'zod';
import { KeyturnError } from '../domain/errors.js';
import { plainLine } from '../domain/foreignText.js';
import type { Plugins } from '../providers/plugin.js';
import { type ReadCredential, mappingSchema, readCredential, type Shared } from './credentials.js';
import { readDocument } from './document.js';
import { Findings } from './findings.js';
import { readPlugins } from './plugins.js';
import { checkPolicy, checkTogether, checkWebhooks } from './rules.js';
import * as sections from './schema.js';
import { withAbsoluteFiles } from './secrets.js';
import type { Config, ConfigIssue, Endpoint } from './types.js';

/** Everything that is wrong with keyturn.yaml; the message has one line for each, `FILE:LINE:COL path: message`. */
export class ConfigError extends KeyturnError {
  readonly issues: readonly ConfigIssue[];
  constructor(file: string, issues: readonly ConfigIssue[]) {
    super('KT-CONFIG', issues.map((issue) => issueText(file, issue)).join('\n'));
    this.issues = issues;
  }
}

/** `FILE:LINE:COL path: message` */
export function issueText(file: string, { path, line, column, message }: ConfigIssue): string {
  return plainLine(`${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`);
}

/**
 * Checks the text of a keyturn.yaml. Resolves no secret and reads no other file.
 * @param file its name, for messages and as the place from which relative paths count
 * @param plugins what came of the names that it lists as `plugins`
 * @throws ConfigError with every issue at once
 */
export function parseConfig(text: string, file: string, plugins: Plugins = new Map()): Config {
  const document = readDocument(text);
  const findings = new Findings(document);
  const config = findings.errors.length === 0 ? read(document.value, file, plugins, findings) : undefined;
  if (config === undefined || findings.errors.length > 0) throw new ConfigError(file, findings.errors);
  return withAbsoluteFiles({ ...config, warnings: findings.warnings }, config.directory);
}

function read(
  value: unknown,
  file: string,
  plugins: Plugins,
  findings: Findings,
): Omit<Config, 'warnings'> | undefined {
  const root = findings.read(mappingSchema, value ?? {}, []);
  if (root === undefined) return undefined;
  findings.read(sections.fileSchema, root, []);
  const section = <T>(schema: z.ZodType<T>, key: string): T | undefined =>
    findings.read(schema, root[key] ?? {}, [key]);

  const directory = dirname(resolve(file));
  const temporal = section(sections.temporalSchema, 'temporal');
  const places = readPlaces(root, directory, findings);
  const server = section(sections.serverSchema, 'server');
  const worker = section(sections.workerSchema, 'worker');
  const lockout = section(sections.lockoutSchema, 'lockout');
  const webhooks = section(sections.webhooksSchema, 'webhooks');
  const arazzo = section(sections.arazzoSchema, 'arazzo');
  const credentials = readCredentials(root, readPlugins(root.plugins, plugins, findings), findings);

  if (server?.auth.kind === 'none' && !isLoopback(server.listen)) {
    findings.error(
      ['server', 'listen'],
      'a non-loopback address needs `auth`, for example { kind: bearer, token: "${env:KEYTURN_TOKEN}" }; or listen on 127.0.0.1',
    );
  }
  const webhookAuth = webhooks?.mambu?.auth ?? null;
  if (webhooks !== undefined) checkWebhooks(webhookAuth, credentials, findings);
  const checked = checkTogether(credentials, findings);
  if (!temporal || !places || !server || !worker || !lockout || !arazzo) return undefined;
  const { address, namespace, taskQueue, searchAttributes } = temporal;
  return {
    file: resolve(file),
    directory,
    temporal: {
      taskQueue,
      searchAttributes,
      ...(address === undefined ? {} : { address }),
      ...(namespace === undefined ? {} : { namespace }),
    },
    ...places,
    server: { listen: server.listen, webhookListen: server.webhookListen ?? null, auth: server.auth },
    worker: { listen: worker.listen ?? null, egress: worker.egress, deployment: worker.deployment ?? null },
    lockout,
    webhooks: { mambu: webhookAuth },
    credentials: new Map(checked.map((credential) => [credential.credentialId, credential])),
    arazzo: { sources: new Map(Object.entries(arazzo.sources)) },
  };
}

const plannedStores = ['postgres', 'vault', 'aws-secrets-manager', 'gcp-secret-manager', 'kubernetes'];

function readPlaces(
  root: Readonly<Record<string, unknown>>,
  directory: string,
  findings: Findings,
): Pick<Config, 'store' | 'sealingKey'> | undefined {
  const given = findings.read(mappingSchema, root.store ?? {}, ['store']);
  if (given === undefined) return undefined;
  if (given.kind !== undefined && given.kind !== 'file') {
    const planned = plannedStores.find((kind) => kind === given.kind);
    findings.error(
      ['store', 'kind'],
      `${planned === undefined ? 'is no kind of store' : `${planned} is not in this version`}: write file`,
    );
    return undefined;
  }
  const store = findings.read(sections.storeSchema, given, ['store']);
  const topKey =
    root.sealingKey === undefined
      ? undefined
      : findings.read(sections.sealingKeySchema, root.sealingKey, ['sealingKey']);
  if (store === undefined) return undefined;
  const keys = [
    ...(store.keyFile === undefined ? [] : [{ path: store.keyFile, place: ['store', 'keyFile'] }]),
    ...(store.sealingKey === undefined ? [] : [{ path: store.sealingKey.path, place: ['store', 'sealingKey'] }]),
    ...(topKey === undefined ? [] : [{ path: topKey.path, place: ['sealingKey'] }]),
  ];
  const [key = { path: '.keyturn/key', place: ['store'] }, ...others] = keys;
  for (const { place } of others)
    findings.error(place, `there is one sealing key: \`${key.place.join('.')}\` names it already`);
  const storePath = resolve(directory, store.path);
  const keyPath = resolve(directory, key.path);
  if (isWithin(keyPath, storePath)) {
    findings.error(key.place, 'the key file must not lie in the store: a copy of the store would open itself');
  }
  return { store: { kind: 'file', path: storePath }, sealingKey: { kind: 'file', path: keyPath } };
}

const isWithin = (path: string, folder: string): boolean => !/^\.\.([/\\]|$)/.test(relative(folder, path));

function readCredentials(
  root: Readonly<Record<string, unknown>>,
  plugins: Shared['plugins'],
  findings: Findings,
): readonly ReadCredential[] {
  const named = (key: string): readonly [string, unknown][] =>
    Object.entries(findings.read(mappingSchema, root[key] ?? {}, [key]) ?? {});
  const shared: Shared = {
    plugins,
    timing: findings.read(sections.timingSchema, root.timing ?? {}, ['timing']) ?? {},
    connections: new Map(
      named('connections').map(([name, raw]) => [name, findings.read(mappingSchema, raw, ['connections', name])]),
    ),
    policies: new Map(
      named('policies').map(([name, raw]) => [name, findings.read(sections.policySchema, raw, ['policies', name])]),
    ),
  };
  const read = named('credentials')
    .map(([id, raw]) => readCredential(id, raw, shared, findings))
    .filter((credential) => credential !== undefined);
  for (const credential of read) checkPolicy(credential, Date.now(), findings);
  return read;
}

const isLoopback = ({ host }: Endpoint): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

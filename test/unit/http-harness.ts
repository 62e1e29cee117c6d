/** The HTTP server over real sockets, with a client that only remembers what it was asked for. */
import { onTestFinished } from 'vitest';
import type { CredentialState, RotationRequest } from '../../src/contract.js';
import { parseConfig } from '../../src/config.js';
import { Secret } from '../../src/domain/secret.js';
import { startServer, type ServerDeps } from '../../src/http/server.js';
import { createLogger } from '../../src/telemetry/log.js';
import { createServerMetrics } from '../../src/telemetry/metrics.js';

export const hookSecret = 'hook-secret-Wm4Qx8';
export const olderHookSecret = 'hook-secret-older';
export const bearerToken = 'token-7Gk2Pz';

const secrets: Readonly<Record<string, string>> = {
  HOOK: hookSecret,
  OLD_HOOK: olderHookSecret,
  PASSWORD: 'pä:ss',
  TOKEN: bearerToken,
};

export const headerAuth = '{ kind: header, name: X-Keyturn-Secret, value: "${env:HOOK}" }';

interface Setup {
  /** YAML of webhooks.mambu.auth; null leaves webhooks out. */
  readonly auth?: string | null;
  /** More lines under `server:`. */
  readonly server?: string;
  /** YAML of `credentials:`, two spaces deep. */
  readonly credentials?: string;
  readonly client?: Partial<ServerDeps['client']>;
  readonly storeReady?: () => Promise<boolean>;
}

export const credential = (id: string, consumerId: string, more = ''): string => `
  ${id}:
    provider: mambu
    mambu:
      baseUrl: https://acme.mambu.com/api
      consumerId: ${consumerId}
      strategy: create-and-delete
      ${more}`;

export const emptyState = (credentialId: string): CredentialState => ({
  schemaVersion: 1,
  credentialId,
  provider: 'mambu',
  capability: 'B',
  status: 'new',
  current: null,
  previous: [],
  rotation: null,
  pendingRequests: 0,
  debts: [],
  lastRotation: null,
  lastSkipped: null,
  nextRotationAt: null,
  paused: null,
  lockout: null,
  recordSeq: null,
  reconciledAt: null,
  attention: [],
});

export type LogLine = Readonly<Record<string, unknown>>;

export async function serve(setup: Setup = {}) {
  const {
    auth = headerAuth,
    server = '',
    credentials = credential('core-prod', 'c-1', 'consumerIdAliases: [rotator]'),
  } = setup;
  const config = parseConfig(
    `version: 1
server:
  listen: 127.0.0.1:0
  ${server}
${auth === null ? '' : `webhooks: { mambu: { auth: ${auth} } }`}
credentials:${credentials}
`,
    'keyturn.yaml',
  );
  const asked: (RotationRequest & { readonly credentialId: string })[] = [];
  const lines: LogLine[] = [];
  const running = await startServer({
    config,
    resolveSecret: (ref) => Promise.resolve(new Secret((ref.from === 'env' && secrets[ref.name]) || 'none')),
    client: {
      requestRotation: (credentialId, request) => {
        asked.push({ credentialId, ...request });
        return Promise.resolve({ workflowId: `credential/${credentialId}` });
      },
      backlog: () => Promise.resolve(0),
      state: (credentialId) => Promise.resolve(emptyState(credentialId)),
      temporal: reachableTemporal(),
      ...setup.client,
    },
    log: createLogger({
      level: 'info',
      destination: { write: (line) => void lines.push(JSON.parse(line) as LogLine) },
    }),
    storeReady: setup.storeReady ?? (() => Promise.resolve(true)),
    metrics: createServerMetrics(),
  });
  onTestFinished(() => running.close());

  const get = (path: string, init: RequestInit = {}) => fetch(`${running.url}${path}`, init);
  /** A webhook as Mambu sends it, authenticated unless `headers` says otherwise. */
  const send = ({ path = '', headers = {}, body = '{"event":"EOD"}', method = 'POST' }: Webhook = {}) =>
    fetch(`${running.webhookUrl}${path}`, {
      method,
      body: method === 'GET' || method === 'HEAD' ? null : body,
      headers: withoutNull({
        'content-type': 'application/json',
        'x-keyturn-secret': hookSecret,
        apiConsumerId: 'c-1',
        ...headers,
      }),
    });
  const countOf = async (reason: string): Promise<number> => {
    const text = await (await get('/metrics')).text();
    const [, value] =
      new RegExp(`^keyturn_webhook_requests_total\\{answer="\\d+",reason="${reason}"\\} (\\d+)$`, 'm').exec(text) ?? [];
    return Number(value);
  };
  return { ...running, asked, lines, get, send, countOf };
}

interface Webhook {
  readonly path?: string;
  /** Null takes a header away. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly method?: string;
}

function withoutNull(headers: Readonly<Record<string, string | null>>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as [string, string]],
  );
}

export const reachableTemporal = (describeNamespace: () => Promise<unknown> = () => Promise.resolve({})) => ({
  options: { namespace: 'default' },
  connection: {
    workflowService: { describeNamespace },
    withDeadline: <T>(_deadlineMs: number, ask: () => Promise<T>): Promise<T> => ask(),
  },
});

interface Envelope {
  readonly ok: boolean;
  readonly data: Readonly<Record<string, unknown>>;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

export const bodyOf = async (response: Response): Promise<Envelope> => (await response.json()) as Envelope;

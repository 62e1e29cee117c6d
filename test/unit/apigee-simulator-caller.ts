import type { ApigeeSimulator } from '../../src/simulators/apigee/index.js';

export interface Reply {
  status: number;
  headers: Headers;
  /** The parsed body; the text where it is no JSON; undefined where there is none. */
  body: unknown;
}

export interface CallOptions {
  headers?: Record<string, string>;
  body?: unknown;
  rawBody?: string;
}

/** One management request with the seeded token; a path that starts with `/` is below /v1, any other below the seeded app. */
export async function call(
  simulator: ApigeeSimulator,
  method: string,
  path: string,
  { headers = {}, body, rawBody }: CallOptions = {},
): Promise<Reply> {
  const text = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const url =
    simulator.managementUrl +
    (path.startsWith('/') ? path : appPath(simulator) + (path === '' || path.startsWith('?') ? path : `/${path}`));
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      authorization: `Bearer ${simulator.seeded.accessToken}`,
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(text === undefined ? {} : { body: text }),
  });
  return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
}

export function appPath({ seeded: { organization, developer, appGroup, app } }: ApigeeSimulator): string {
  const owner = appGroup === null ? `developers/${developer}` : `appgroups/${appGroup}`;
  return `/organizations/${organization}/${owner}/apps/${app}`;
}

/** `approve` or `revoke`, as the documentation wants it. */
export const act = (simulator: ApigeeSimulator, path: string, action: string): Promise<Reply> =>
  call(simulator, 'POST', `${path}?action=${action}`, { headers: { 'content-type': 'application/octet-stream' } });

/** Creates a key of this name, with a secret of its own. */
export const create = (simulator: ApigeeSimulator, consumerKey: string, more: object = {}): Promise<Reply> =>
  call(simulator, 'POST', 'keys/create', { body: { consumerKey, consumerSecret: `${consumerKey}-secret`, ...more } });

/** Adds products to a key. */
export const grant = (simulator: ApigeeSimulator, consumerKey: string, apiProducts = ['orders']): Promise<Reply> =>
  call(simulator, 'POST', `keys/${consumerKey}`, { body: { apiProducts } });

/** Asks the proxy of the seeded key: `ok`, or the error code of the fault. */
export async function probe(simulator: ApigeeSimulator, consumerKey: string, path?: string): Promise<string> {
  const url = simulator.runtimeUrl + (path ?? simulator.seeded.proxyPath);
  const response = await fetch(url, { headers: { 'x-apikey': consumerKey } });
  const text = await response.text();
  return response.ok ? 'ok' : (/"errorcode":"([^"]+)"/.exec(text)?.[1] ?? text);
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

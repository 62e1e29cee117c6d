import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from '../shared/answer.js';
import { matchRoute } from '../shared/routing.js';
import type { World } from './world.js';

/**
 * The metadata server of a machine at Google, as Application Default Credentials ask it for tokens of the machine's service
 * account (Google Cloud docs, "About VM metadata"). A request without `Metadata-Flavor: Google` is 403.
 */
interface Entry {
  readonly method: 'GET';
  readonly template: string;
  answer(world: World): string | object;
}

const EMAIL = 'keyturn@simulated-project.iam.gserviceaccount.com';
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const BASE = '/computeMetadata/v1';
const ACCOUNT = `${BASE}/instance/service-accounts/{account}`;

const METADATA_TOKEN_ROUTE = `${ACCOUNT}/token`;

const entries: readonly Entry[] = [
  { method: 'GET', template: `${BASE}/instance`, answer: () => 'service-accounts/\n' },
  { method: 'GET', template: `${BASE}/project/project-id`, answer: () => 'simulated-project' },
  { method: 'GET', template: `${BASE}/universe/universe-domain`, answer: () => 'googleapis.com' },
  { method: 'GET', template: `${ACCOUNT}/email`, answer: () => EMAIL },
  { method: 'GET', template: `${ACCOUNT}/scopes`, answer: () => `${SCOPE}\n` },
  {
    method: 'GET',
    template: METADATA_TOKEN_ROUTE,
    answer: ({ tokens, rules }) => ({
      access_token: tokens.issue().accessToken,
      expires_in: rules.tokenTtlSeconds,
      token_type: 'Bearer',
    }),
  },
];

export const matchMetadata = (method: string, path: string) => matchRoute(entries, method, path.replace(/\/$/, ''));

/** Decides one request of the metadata server. */
export function processMetadata(
  { route, params }: ReturnType<typeof matchMetadata>,
  headers: IncomingHttpHeaders,
  world: World,
): Answer {
  if (headers['metadata-flavor'] !== 'Google') return answered(403, 'Missing Metadata-Flavor:Google header.');
  const { account = 'default' } = params;
  if (route === null || (account !== 'default' && account !== EMAIL)) return answered(404, 'Not Found');
  const body = route.answer(world);
  return typeof body === 'string' ? answered(200, body) : answered(200, JSON.stringify(body), 'application/json');
}

const answered = (status: number, body: string, type = 'application/text'): Answer => ({
  status,
  headers: { 'content-type': type, 'metadata-flavor': 'Google', server: 'Metadata Server for VM' },
  body,
});

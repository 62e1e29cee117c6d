// @ts-check
/** Tokens of Tiny: `POST /tokens` makes one, `GET /tokens` lists ids, `DELETE /tokens/{id}` ends one, `GET /whoami` tells whose token it is. */
import { baseUrlSchema, parseJson, refusal, Secret, strictShape } from 'keyturn';
import { z } from 'zod';

/** @typedef {{ readonly baseUrl: string, readonly account: string }} Settings */
/** @typedef {import('keyturn').ProviderContext<Settings>} Context */
/** @typedef {import('keyturn').ProviderRequest} Request */

const listing = z.object({ tokens: z.array(z.object({ id: z.string().min(1), createdAt: z.number() })) });
const made = z.object({ id: z.string().min(1), token: z.string().min(20) });
const owner = z.object({ id: z.string().min(1), account: z.string() });

/** @type {(method: Request['method'], route: string, by: import('keyturn').CredentialValues, id?: string) => Request} */
const request = (method, route, by, id = '') => ({
  method,
  path: route.replace('{id}', encodeURIComponent(id)),
  route,
  auth: { kind: 'header', name: 'authorization', value: new Secret(`Bearer ${by.fields['token']?.reveal()}`) },
  effect: method === 'GET' ? 'read' : 'write',
});

/**
 * One request whose answer has to have this shape; anything else is a ProviderFailure.
 * @template T
 * @param {Context} context
 * @param {Request} asked
 * @param {z.ZodType<T>} shape
 */
async function ask(context, asked, shape) {
  const answer = await context.send(asked);
  const body = answer.status >= 200 && answer.status < 300 ? shape.safeParse(parseJson(answer.text)).data : undefined;
  if (body === undefined) throw refusal(answer, asked, context.now());
  return body;
}

/** @type {import('keyturn').Provider<Settings>} */
export const provider = {
  name: 'keyturn-tiny',
  apiVersion: 1,
  settings: strictShape({ baseUrl: baseUrlSchema, account: z.string().min(1) }),
  secretFields: { token: { env: 'TINY_TOKEN', required: true } },
  capability: () => ({
    value: 'server',
    replayWindowMs: 0,
    listable: true,
    overlap: 'ours',
    propagationMs: 0,
    intents: ['create-key'],
    keyIdIsSecret: false,
    needsSecretKey: false,
  }),
  identity: ({ baseUrl, account }) => ({ provider: 'keyturn-tiny', baseUrl, account, strategy: 'tokens' }),
  settingsOf: ({ baseUrl, account }) => ({ baseUrl, account }),
  publicSettings: ({ account }) => ({ account }),
  prepare: () => null,

  async inventory(context) {
    const { tokens } = await ask(context, request('GET', '/tokens', context.credential), listing);
    return tokens.map(({ id, createdAt }) => ({ keyId: id, issuedAtMs: createdAt }));
  },

  async create(context) {
    const { id, token } = await ask(context, request('POST', '/tokens', context.credential), made);
    return { keyId: id, fields: { token: new Secret(token) }, expiresAtMs: null };
  },

  async verify(context, fresh) {
    const { id, account } = await ask(context, request('GET', '/whoami', fresh), owner);
    const scopeDifference = account === context.settings.account ? [] : ['it belongs to another account'];
    return { keyId: id, lifetime: null, scopeDifference, lostProof: null };
  },

  async retire(context, keyId, phase) {
    if (phase === 'suspend') return 'done';
    const asked = request('DELETE', '/tokens/{id}', context.credential, keyId);
    const answer = await context.send(asked);
    if (answer.status === 404) return 'absent';
    if (answer.status !== 204) throw refusal(answer, asked, context.now());
    return 'done';
  },

  credentialVerdict: ({ status }) => (status === 401 ? 'refused' : status < 400 ? 'accepted' : 'unclear'),
  call: (context, { method, path, body }) =>
    context.send({ ...request(method, path, context.credential), route: '/…', ...(body ? { body } : {}) }),
};

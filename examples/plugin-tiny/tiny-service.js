// @ts-check
/** A double of Tiny for tests: tokens of one account, over a socket. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Secret } from 'keyturn';

/** @returns {Promise<import('keyturn/testing').SystemUnderTest>} */
export async function startTinyService(account = 'acme') {
  /** @type {Map<string, { token: string, createdAt: number }>} */
  const tokens = new Map();
  const make = () => {
    const made = { id: randomUUID(), token: `tiny-${randomBytes(24).toString('base64url')}` };
    tokens.set(made.id, { token: made.token, createdAt: Date.now() });
    return made;
  };
  /** @type {(token: string) => string | undefined} */
  const idOf = (token) => [...tokens].find(([, one]) => one.token === token)?.[0];

  /** @type {(method: string, url: string, token: string) => { status: number, body?: unknown }} */
  function answer(method, url, token) {
    const caller = idOf(token);
    if (caller === undefined) return { status: 401, body: { error: 'unknown token' } };
    const [, resource, id] = url.split('/').map(decodeURIComponent);
    if (method === 'GET' && resource === 'whoami') return { status: 200, body: { id: caller, account } };
    if (resource !== 'tokens') return { status: 404 };
    if (method === 'POST') return { status: 201, body: make() };
    if (method === 'DELETE') return { status: tokens.delete(id ?? '') ? 204 : 404 };
    return { status: 200, body: { tokens: [...tokens].map(([each, { createdAt }]) => ({ id: each, createdAt })) } };
  }

  const server = createServer(({ method = '', url = '', headers }, response) => {
    const { status, body } = answer(method, url, headers.authorization?.replace(/^Bearer /, '') ?? '');
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const seed = make();
  // Somebody else's: keyturn must leave it alone.
  make();
  return {
    settings: { baseUrl: `http://127.0.0.1:${port}`, account },
    seed: { keyId: seed.id, fields: { token: new Secret(seed.token) } },
    accepts: ({ fields }) => idOf(fields['token']?.reveal() ?? '') !== undefined,
    livingKeys: () => [...tokens.keys()],
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

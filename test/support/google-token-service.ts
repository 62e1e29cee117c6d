/**
 * Google's token service for service accounts, without Google. Its address is fixed in google-auth-library, so it is reached as behind a
 * company's proxy: HTTPS_PROXY leads to a tunnel that ends here, and a certificate of its own is among the trusted ones.
 */
import { generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createProxy } from 'node:http';
import { createServer, type Server } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { certificateFor } from './certificate.js';

export const TOKEN_HOST = 'oauth2.googleapis.com';
export const SERVICE_ACCOUNT = 'rotator@acme.iam.gserviceaccount.com';

/** A request for a token, whose assertion the service account's public key has verified. */
export interface Grant {
  readonly grantType: string | null;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly assertion: string;
  readonly atMs: number;
}

export interface TokenService {
  /** For a process that is to take its tokens from here, by the key file of the service account. */
  readonly env: Readonly<Record<string, string>>;
  readonly privateKey: string;
  readonly grants: readonly Grant[];
  /** What the tunnel was asked to lead to. */
  readonly targets: readonly string[];
  /** Answers `invalid_grant` from now on, or tokens. */
  refuse(isRefused: boolean): void;
}

/** @param directory for the key file and the certificate */
export async function startTokenService(
  onTestFinished: TestContext['onTestFinished'],
  directory: string,
  issue: () => string,
): Promise<TokenService> {
  const account = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const privateKey = account.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const grants: Grant[] = [];
  const targets: string[] = [];
  let isRefused = false;

  function granted(form: URLSearchParams): { status: number; body: unknown } {
    const assertion = form.get('assertion') ?? '';
    const [header = '', claims = '', signature = ''] = assertion.split('.');
    const signed = Buffer.from(`${header}.${claims}`, 'ascii');
    if (isRefused || !verify('sha256', signed, account.publicKey, Buffer.from(signature, 'base64url')))
      return { status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } };
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Grant['claims'];
    const grantType = form.get('grant_type');
    grants.push({ grantType, header: read(header), claims: read(claims), assertion, atMs: Date.now() });
    return { status: 200, body: { access_token: issue(), expires_in: 3_599, token_type: 'Bearer' } };
  }

  const { cert, key } = certificateFor(TOKEN_HOST);
  const service = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const isToken = request.method === 'POST' && request.url === '/token';
      const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
      const { status, body } = isToken ? granted(form) : { status: 404, body: {} };
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
  });
  const servicePort = await listening(service, onTestFinished);
  const proxy = createProxy((_, response) => void response.writeHead(405).end());
  proxy.on('connect', ({ url = '' }, incoming: Socket) => {
    targets.push(url);
    const outgoing = connect(servicePort, '127.0.0.1', () => {
      incoming.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      incoming.pipe(outgoing).pipe(incoming);
    });
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
  });
  const proxyPort = await listening(proxy, onTestFinished);

  const keyFile = join(directory, 'service-account.json');
  const authorities = join(directory, 'authorities.pem');
  const credentials = {
    type: 'service_account',
    project_id: 'acme',
    private_key_id: 'a1b2c3',
    private_key: privateKey,
    client_email: SERVICE_ACCOUNT,
    client_id: '104',
    token_uri: `https://${TOKEN_HOST}/token`,
    universe_domain: 'googleapis.com',
  };
  await Promise.all([writeFile(keyFile, JSON.stringify(credentials)), writeFile(authorities, cert)]);
  return {
    env: {
      GOOGLE_APPLICATION_CREDENTIALS: keyFile,
      HTTPS_PROXY: `http://127.0.0.1:${proxyPort}`,
      NO_PROXY: '127.0.0.1,localhost',
      NODE_EXTRA_CA_CERTS: authorities,
      HOME: directory,
    },
    privateKey,
    grants,
    targets,
    refuse(refused) {
      isRefused = refused;
    },
  };
}

async function listening(
  server: Server | ReturnType<typeof createProxy>,
  onTestFinished: TestContext['onTestFinished'],
): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

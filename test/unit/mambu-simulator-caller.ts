import { expect } from 'vitest';
import { request } from 'node:http';
import type { MambuSimulator } from '../../src/simulators/mambu/index.js';

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

/** One plain request with the v2 Accept header and, with a body, the JSON content type; `headers` override both. */
export async function call(
  simulator: MambuSimulator,
  method: string,
  path: string,
  { headers = {}, body, rawBody }: CallOptions = {},
): Promise<Reply> {
  const text = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(simulator.baseUrl + path, {
    method,
    redirect: 'manual',
    headers: {
      accept: 'application/vnd.mambu.v2+json',
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(text === undefined ? {} : { body: text }),
  });
  return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The first seed, or a failed test. */
export function seedOf(simulator: MambuSimulator) {
  const [seed] = simulator.seeded;
  if (seed === undefined) throw new Error('the simulator has no seed');
  return seed;
}

/** A rotation with everything that Mambu wants; each part can be replaced. */
export function rotate(
  simulator: MambuSimulator,
  { apiKey, keyId, secretKey }: { apiKey: string; keyId: string; secretKey: string },
  more: { body?: Record<string, unknown>; headers?: Record<string, string> } = {},
): Promise<Reply> {
  return call(simulator, 'POST', '/apikey/rotation', {
    headers: { secretkey: secretKey, ...more.headers },
    body: { apiKey, id: keyId, ...more.body },
  });
}

/** A string field of a reply's body, or a failed test. */
export function field(reply: Reply, name: string): string {
  const value: unknown =
    typeof reply.body === 'object' && reply.body !== null ? Reflect.get(reply.body, name) : undefined;
  if (typeof value !== 'string') throw new Error(`status ${reply.status} without ${name}`);
  return value;
}

/** What a rotation's answer gives for the next rotation. */
export const rotated = (reply: Reply) => ({
  apiKey: field(reply, 'apiKey'),
  keyId: field(reply, 'id'),
  secretKey: field(reply, 'secretKey'),
});

/** The envelope of an error with one reason. */
export const refusedFor = (errorReason: string) => ({ errors: [expectObject({ errorReason })] });

const expectObject = (shape: Record<string, unknown>): unknown => expect.objectContaining(shape);

export interface RawReply {
  informational: number[];
  status: number;
  text: string;
}

/** Like `call`, below fetch: shows 1xx answers, and gives up after `timeoutMs`. */
export function rawCall(url: string, headers: Record<string, string>, timeoutMs: number): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const informational: number[] = [];
    const outgoing = request(url, { method: 'POST', headers, timeout: timeoutMs }, (response) => {
      const chunks: string[] = [];
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => chunks.push(chunk));
      response.on('end', () => resolve({ informational, status: response.statusCode ?? 0, text: chunks.join('') }));
      response.on('error', reject);
    });
    outgoing.on('information', ({ statusCode }) => informational.push(statusCode));
    outgoing.on('timeout', () => outgoing.destroy(new Error(`timed out after ${informational.join(',')}`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

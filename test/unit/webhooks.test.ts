import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { bodyOf, credential, hookSecret, olderHookSecret, serve } from './http-harness.js';

const bodyId = (consumerId: string, body: string) =>
  `mambu/${createHash('sha256').update(`${consumerId}\n${body}`).digest('hex')}`;
const idOf = async (response: Response) => (await bodyOf(response)).data.requestId;
const withKey = (key: string) => ({ headers: { 'x-notifications-idempotency-key': key } });

describe('an accepted webhook', () => {
  test('is answered 202 with what was asked for, once the signal is accepted', async () => {
    const { send, asked } = await serve();
    const answer = await send();
    expect(answer.status).toBe(202);
    const request = {
      credentialId: 'core-prod',
      requestId: bodyId('c-1', '{"event":"EOD"}'),
      workflowId: 'credential/core-prod',
    };
    expect(await bodyOf(answer)).toEqual({ ok: true, data: { ...request, requests: [request] } });
    expect(asked).toEqual([
      { credentialId: 'core-prod', requestId: request.requestId, reason: 'routine', source: 'webhook' },
    ]);
  });

  test('is not answered before Temporal has the signal', async () => {
    const gate = new EventEmitter();
    const client = {
      requestRotation: async () => {
        gate.emit('asked');
        await once(gate, 'accepted');
        return { workflowId: 'credential/core-prod' };
      },
    };
    const asked = once(gate, 'asked');
    let isAnswered = false;
    const { send } = await serve({ client });
    const answer = send().then((response) => {
      isAnswered = true;
      return response.status;
    });
    await asked;
    // A whole exchange: an answer that did not wait would have come by now.
    expect((await send({ method: 'GET' })).status).toBe(405);
    expect(isAnswered).toBe(false);
    gate.emit('accepted');
    expect(await answer).toBe(202);
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'text/plain', 'application/xml', 'text/xml', null])(
    'may have the content type %s',
    async (type) => {
      const { send } = await serve();
      const { status } = await send({ headers: { 'content-type': type }, body: new TextEncoder().encode('x') });
      expect(status).toBe(202);
    },
  );

  test('may say JSON and hold none: its body is only hashed', async () => {
    const { send } = await serve();
    const answer = await send({ body: '{"state":"{STATE}",' });
    expect(answer.status).toBe(202);
    expect(await idOf(answer)).toBe(bodyId('c-1', '{"state":"{STATE}",'));
  });

  test('may be empty', async () => {
    const { send } = await serve();
    expect(await idOf(await send({ body: '' }))).toBe(bodyId('c-1', ''));
  });
});

describe('the request id', () => {
  test('is Mambu’s own key where there is one: the same for a retry, another for a manual resend', async () => {
    const { send } = await serve();
    expect(await idOf(await send(withKey('0b0c7c5e-1')))).toBe('mambu-id/0b0c7c5e-1');
    expect(await idOf(await send(withKey('0b0c7c5e-1')))).toBe('mambu-id/0b0c7c5e-1');
    expect(await idOf(await send(withKey('0b0c7c5e-2')))).toBe('mambu-id/0b0c7c5e-2');
  });

  test('stands for the body without it: a constant body has the same id, another body another', async () => {
    const { send } = await serve();
    const [first, again, other] = [await send(), await send(), await send({ body: '{"event":"EOD","n":2}' })];
    expect(await idOf(again)).toBe(await idOf(first));
    expect(await idOf(other)).toBe(bodyId('c-1', '{"event":"EOD","n":2}'));
  });

  test('is made with the configured consumer id, also when the webhook uses an alias', async () => {
    const { send } = await serve();
    expect(await idOf(await send({ headers: { apiConsumerId: 'rotator' } }))).toBe(bodyId('c-1', '{"event":"EOD"}'));
  });

  test.each([['x'.repeat(129)], ['a b'], ['a/../b'], ['ä'], [''], ['a, b']])(
    'ignores %j as a key: it is no key of Mambu’s',
    async (key) => {
      const { send } = await serve();
      expect(await idOf(await send(withKey(key)))).toBe(bodyId('c-1', '{"event":"EOD"}'));
    },
  );
});

describe('the consumer', () => {
  test('that is unknown is 404 and starts nothing', async () => {
    const { send, asked, lines, countOf } = await serve();
    const answer = await send({ headers: { apiConsumerId: 'nobody' } });
    expect(answer.status).toBe(404);
    expect((await bodyOf(answer)).error.code).toBe('KT-UNKNOWN-CREDENTIAL');
    expect(asked).toEqual([]);
    expect(lines).toContainEqual(expect.objectContaining({ reason: 'unknown-consumer', apiConsumerId: 'nobody' }));
    expect(await countOf('unknown-consumer')).toBe(1);
  });

  test('that is not named is 400 on the short route', async () => {
    const { send, asked } = await serve();
    expect((await send({ headers: { apiConsumerId: null } })).status).toBe(400);
    expect((await send({ headers: { apiConsumerId: '' } })).status).toBe(400);
    expect(asked).toEqual([]);
  });

  test('that several credentials share reaches all of them', async () => {
    const { send, asked } = await serve({ credentials: credential('blue', 'c-1') + credential('green', 'c-1') });
    const { data } = await bodyOf(await send(withKey('k1')));
    const request = (credentialId: string) => ({
      credentialId,
      requestId: 'mambu-id/k1',
      workflowId: `credential/${credentialId}`,
    });
    expect(data).toEqual({ ...request('blue'), requests: [request('blue'), request('green')] });
    expect(asked.map((one) => one.credentialId)).toEqual(['blue', 'green']);
  });

  test('text from outside is cleaned before it is logged', async () => {
    const { send, lines } = await serve();
    await send({ headers: { apiConsumerId: `a\u0085[31m${'x'.repeat(500)}` } });
    const logged = lines.find((line) => line.reason === 'unknown-consumer')?.apiConsumerId;
    expect(logged).toMatch(/^a\?\[31mx{58}…$/);
  });
});

describe('the own path', () => {
  const credentials = credential('blue', 'c-1', 'webhook: own-path') + credential('off', 'c-2', 'webhook: false');

  test('needs no header', async () => {
    const { send, asked } = await serve({ credentials });
    expect((await send({ path: '/blue', headers: { apiConsumerId: null } })).status).toBe(202);
    expect((await send({ path: '/blue', headers: { apiConsumerId: '' } })).status).toBe(202);
    expect(asked.map((one) => one.credentialId)).toEqual(['blue', 'blue']);
  });

  test('refuses another consumer', async () => {
    const { send, asked } = await serve({ credentials });
    expect((await send({ path: '/blue', headers: { apiConsumerId: 'c-2' } })).status).toBe(404);
    expect(asked).toEqual([]);
  });

  test('is the only one of a credential that says so', async () => {
    const { send } = await serve({ credentials });
    expect((await send()).status).toBe(404);
    expect((await send({ path: '/blue' })).status).toBe(202);
  });

  test('is also open to a credential on the short route', async () => {
    const { send } = await serve();
    expect((await send({ path: '/core-prod', headers: { apiConsumerId: null } })).status).toBe(202);
  });

  test('is closed where webhooks are off, as is the short one', async () => {
    const { send } = await serve({ credentials });
    expect((await send({ path: '/off', headers: { apiConsumerId: 'c-2' } })).status).toBe(404);
    expect((await send({ headers: { apiConsumerId: 'c-2' } })).status).toBe(404);
  });

  test.each(['/nobody', '/%2e%2e', '/__proto__', '/blue%00', '/%E0%A4%A'])('does not exist for %s', async (path) => {
    const { send, asked } = await serve({ credentials });
    expect((await send({ path, headers: { apiConsumerId: null } })).status).toBe(404);
    expect(asked).toEqual([]);
  });
});

describe('authentication', () => {
  test.each([[null], ['wrong'], [`${hookSecret}x`], [hookSecret.slice(1)], [''], [`${hookSecret}, ${hookSecret}`]])(
    'by header refuses %j',
    async (value) => {
      const { send, asked, countOf } = await serve();
      const answer = await send({ headers: { 'x-keyturn-secret': value } });
      expect(answer.status).toBe(401);
      expect(asked).toEqual([]);
      expect(await countOf('unauthenticated')).toBe(1);
    },
  );

  test('by header takes each of several values, under any spelling of the name', async () => {
    const auth = '{ kind: header, name: x-keyturn-secret, value: ["${env:HOOK}", "${env:OLD_HOOK}"] }';
    const { send } = await serve({ auth });
    const headers = { 'x-keyturn-secret': null };
    expect((await send({ headers: { ...headers, 'X-KEYTURN-Secret': hookSecret } })).status).toBe(202);
    expect((await send({ headers: { ...headers, 'x-Keyturn-secret': olderHookSecret } })).status).toBe(202);
  });

  test('by basic authorization compares name and password as UTF-8', async () => {
    const auth = '{ kind: basic, username: mambu, password: "${env:PASSWORD}" }';
    const { send } = await serve({ auth });
    const basic = (text: string, scheme = 'Basic') => ({
      headers: { authorization: `${scheme} ${Buffer.from(text).toString('base64')}` },
    });
    expect((await send(basic('mambu:pä:ss'))).status).toBe(202);
    expect((await send(basic('mambu:pä:ss', 'basic'))).status).toBe(202);
    for (const wrong of ['mambu:pä', 'other:pä:ss', 'mambupä:ss', '']) {
      expect((await send(basic(wrong))).status).toBe(401);
    }
    expect((await send(basic('mambu:pä:ss', 'Bearer'))).status).toBe(401);
    expect((await send()).headers.get('www-authenticate')).toBe('Basic realm="keyturn"');
  });

  test('of kind none takes everybody', async () => {
    const { send } = await serve({ auth: '{ kind: none }' });
    expect((await send({ headers: { 'x-keyturn-secret': null } })).status).toBe(202);
  });

  test('that is not configured refuses all, and the log says what to write where', async () => {
    const { send, asked, lines, countOf } = await serve({ auth: null });
    const answer = await send();
    expect(answer.status).toBe(401);
    expect((await bodyOf(answer)).error.message).toContain('webhooks.mambu.auth');
    expect(asked).toEqual([]);
    expect(await countOf('auth-not-configured')).toBe(1);
    const line = lines.find((one) => one.reason === 'auth-not-configured');
    expect(line?.msg).toContain('No authorization');
    expect(line?.msg).toContain(
      'webhooks: { mambu: { auth: { kind: header, name: x-keyturn-secret, value: "${env:MAMBU_WEBHOOK_SECRET}" } } }',
    );
  });

  test('comes before everything else: a stranger learns nothing of credentials, types and sizes', async () => {
    const { send } = await serve();
    const stranger = { 'x-keyturn-secret': null };
    expect((await send({ headers: { ...stranger, apiConsumerId: 'nobody' } })).status).toBe(401);
    expect((await send({ headers: { ...stranger, 'content-type': 'image/png' } })).status).toBe(401);
    expect((await send({ headers: stranger, path: '/nobody' })).status).toBe(401);
  });

  test('leaves no header value in the log', async () => {
    const { send, lines } = await serve();
    await send();
    await send({ headers: { 'x-keyturn-secret': 'wrong-value-9X' } });
    await send({ headers: { 'content-type': 'image/png' } });
    expect(JSON.stringify(lines)).not.toMatch(/wrong-value-9X|hook-secret/);
  });
});

describe('a request that is no webhook', () => {
  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'by %s is 405 and says what is allowed',
    async (method) => {
      const { send, asked } = await serve();
      for (const path of ['', '/core-prod']) {
        const answer = await send({ method, path });
        expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
        expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      }
      expect(asked).toEqual([]);
    },
  );

  test.each([
    'image/png',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'json',
    'application/',
  ])('of type %s is 415', async (type) => {
    const { send, asked } = await serve();
    expect((await send({ headers: { 'content-type': type } })).status).toBe(415);
    expect(asked).toEqual([]);
  });

  test('with more than 64 KiB is 413, with exactly 64 KiB it is fine', async () => {
    const { send, asked } = await serve();
    expect((await send({ body: 'x'.repeat(65_536) })).status).toBe(202);
    expect((await send({ body: 'x'.repeat(65_537) })).status).toBe(413);
    expect((await send({ body: 'x'.repeat(2_000_000) })).status).toBe(413);
    expect(asked).toHaveLength(1);
  });

  test('that hides its length is cut off at 64 KiB', async () => {
    const { webhookUrl, asked } = await serve();
    const url = new URL(webhookUrl);
    const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`;
    const head = `POST ${url.pathname} HTTP/1.1\r\nHost: x\r\nx-keyturn-secret: ${hookSecret}\r\napiConsumerId: c-1\r\n`;
    const answer = await raw(url, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(17)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(asked).toEqual([]);
  });
});

describe('when Temporal does not take it', () => {
  const refusing = (error: Error) => ({ client: { requestRotation: () => Promise.reject(error) } });

  test('the answer is 503 with a time to try again', async () => {
    const error = new KeyturnError('KT-TEMPORAL-UNREACHABLE', 'Temporal does not answer');
    const { send, lines, countOf } = await serve(refusing(error));
    const answer = await send();
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    expect((await bodyOf(answer)).error.code).toBe('KT-TEMPORAL-UNREACHABLE');
    expect(lines).toContainEqual(
      expect.objectContaining({ reason: 'temporal-unreachable', code: 'KT-TEMPORAL-UNREACHABLE' }),
    );
    expect(await countOf('temporal-unreachable')).toBe(1);
  });

  test('the answer does not wait for ever', async () => {
    const { send } = await serve({ client: { requestRotation: () => new Promise(() => undefined) } });
    expect((await send()).status).toBe(503);
  });

  test('for one of several, the sender is asked to come again with the same ids', async () => {
    const { send, asked } = await serve({
      credentials: credential('blue', 'c-1') + credential('green', 'c-1'),
      client: {
        requestRotation: (credentialId) =>
          credentialId === 'green'
            ? Promise.reject(new KeyturnError('KT-TEMPORAL-UNREACHABLE', 'away'))
            : Promise.resolve({ workflowId: 'credential/blue' }),
      },
    });
    expect((await send()).status).toBe(503);
    expect(asked).toEqual([]);
  });

  test('a defect is 500 and tells the sender nothing', async () => {
    const { send, lines, countOf } = await serve(refusing(new TypeError('canary-Q5 is not a function')));
    const answer = await send();
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ ok: false, error: { code: 'KT-INTERNAL' } });
    expect(text + JSON.stringify(lines)).not.toContain('canary-Q5');
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', path: '/webhooks/mambu' }));
    expect(await countOf('internal')).toBe(1);
  });
});

describe('rate limits', () => {
  test('a flood without the secret ends in 429 and does not starve those that have it', async () => {
    const { send, asked, lines } = await serve();
    const flood = await Promise.all(
      Array.from({ length: 120 }, () => send({ headers: { 'x-keyturn-secret': 'wrong' } })),
    );
    const statuses = flood.map((answer) => answer.status);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(flood.find((answer) => answer.status === 429)?.headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await send()).status).toBe(202);
    expect(asked).toHaveLength(1);
    expect(lines.length).toBeLessThan(30);
  });

  test('authenticated senders have a limit too, far above what Mambu sends', async () => {
    const { send } = await serve();
    const answers = await Promise.all(Array.from({ length: 500 }, () => send()));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
  });
});

/** What a socket answers to these bytes. */
async function raw(url: URL, bytes: string): Promise<string> {
  const socket = connect(Number(url.port), url.hostname, () => socket.write(bytes));
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString();
}

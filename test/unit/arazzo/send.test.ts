import { describe, expect, test } from 'vitest';
import type { ArazzoRuns } from '../../../src/activities/arazzo-run.js';
import { send } from '../../../src/activities/arazzo-send.js';
import { operationById } from '../../../src/arazzo/openapi.js';
import type { Request } from '../../../src/arazzo/request.js';
import { ProviderFailure } from '../../../src/domain/failure.js';
import { Secret } from '../../../src/domain/secret.js';
import type { Authorization } from '../../../src/providers/authorization.js';
import type { HttpClient } from '../../../src/providers/http.js';
import type { ProviderAnswer, ProviderRequest } from '../../../src/providers/provider.js';
import { read } from './documents.js';

const operation = operationById('lockers', read('lockers.openapi.yaml'), 'addCode');
const home = 'https://conf.example/v2';

interface Options {
  readonly auth?: Authorization;
  readonly base?: string;
  readonly request?: Partial<Request>;
  readonly lateMs?: number;
  readonly answers?: readonly (Partial<ProviderAnswer> | Error)[];
}

/** One sending, and what went out. */
async function sent({ auth = { kind: 'google' }, base = home, request = {}, lateMs = 0, answers = [{}] }: Options) {
  const out: (ProviderRequest & { readonly base: string })[] = [];
  const renewals: boolean[] = [];
  const http: HttpClient = {
    async send(to, what) {
      const answer = answers[out.length];
      out.push({ ...what, base: to });
      if (answer instanceof Error) throw answer;
      return { status: 200, headers: {}, text: '', ...answer };
    },
  };
  const runs = {
    engine: {
      now: () => 1_000 + lateMs,
      deps: { config: async () => ({ arazzo: { sources: new Map([['lockers', { url: home, auth }]]) } }) },
    },
    deps: {
      http,
      authorizer: {
        async header(which: Authorization, { renew = false } = {}) {
          renewals.push(renew);
          return which.kind === 'none' ? null : new Secret(renew ? 'Bearer new' : 'Bearer old');
        },
      },
    },
  } as unknown as ArazzoRuns;
  const whole: Request = {
    method: 'POST',
    path: '/sites/a/lockers',
    headers: {},
    values: { path: {}, query: {} },
    ...request,
  };
  const sending = send(runs, {
    base,
    operation,
    request: whole,
    startedAtMs: 1_000,
    signal: new AbortController().signal,
  });
  const outcome = await sending.catch((error: unknown) => error);
  const headers = out.map(({ auth: by }) => (by.kind === 'header' ? by.value.reveal() : null));
  return { outcome, out, headers, renewals };
}

describe('authentication of a request', () => {
  test('goes to the origin and base path of keyturn.yaml', async () => {
    expect((await sent({})).headers).toEqual(['Bearer old']);
  });

  test.each([
    'https://conf.example',
    'https://conf.example/v2/x',
    'https://conf.example:8443/v2',
    'https://other.example/v2',
  ])('and nowhere else: %s', async (base) => {
    expect((await sent({ base })).headers).toEqual([null]);
  });

  test.each(['/../admin', '/a/../../x', 'elsewhere', '@other.example/x', '\\..\\..\\x'])(
    'a description whose path leads out of the base is not called: %s',
    async (path) => {
      const { out, outcome } = await sent({ request: { path } });
      expect(out).toEqual([]);
      expect(outcome).toMatchObject({ kind: 'none', isUnknown: false });
    },
  );

  test('is renewed once after 401, and the request is sent again; another 401 is an answer', async () => {
    const once = await sent({ answers: [{ status: 401 }, { status: 200 }] });
    expect(once).toMatchObject({ headers: ['Bearer old', 'Bearer new'], renewals: [false, true] });
    const twice = await sent({ answers: [{ status: 401 }, { status: 401 }] });
    expect(twice.headers).toHaveLength(2);
    expect(twice.outcome).toMatchObject({ kind: 'answer', call: { response: { statusCode: 401 } } });
    const fixed = await sent({
      auth: { kind: 'bearer', token: { from: 'env', name: 'X' } },
      answers: [{ status: 401 }],
    });
    expect(fixed.headers).toHaveLength(1);
  });
});

describe('what became of a request', () => {
  test.each([
    ['unknown', true],
    ['not-sent', false],
    ['outage', false],
  ] as const)('a failure of class %s', async (kind, isUnknown) => {
    const failure = new ProviderFailure({ class: kind, code: 'KT-X', message: 'why' });
    const { outcome, out } = await sent({ answers: [failure] });
    expect(outcome).toMatchObject({ kind: 'none', isUnknown, error: { message: 'why' } });
    expect(out).toHaveLength(1);
  });

  test('a write is not sent by a worker that was frozen until the step was given up; a read is', async () => {
    const late = await sent({ lateMs: 5_001 });
    expect(late.out).toEqual([]);
    expect(late.outcome).toMatchObject({ code: 'KT-NO-WORKER' });
    expect((await sent({ lateMs: 5_001, request: { method: 'GET' } })).out).toHaveLength(1);
  });

  test.each<[string, Partial<ProviderAnswer>, unknown]>([
    [
      'JSON by its type',
      { headers: { 'content-type': 'application/x+json; charset=utf-8' }, text: '{"a":1}' },
      { a: 1 },
    ],
    ['JSON without a type', { text: '[1]' }, [1]],
    ['text of another type', { headers: { 'content-type': 'text/plain' }, text: '[1]' }, '[1]'],
    ['text that is no JSON', { headers: { 'content-type': 'application/json' }, text: '{' }, '{'],
    [
      'JSON deeper than expressions go',
      { text: '['.repeat(5_000) + ']'.repeat(5_000) },
      '['.repeat(5_000) + ']'.repeat(5_000),
    ],
    ['nothing', {}, undefined],
  ])('the body of an answer: %s', async (_, answer, body) => {
    const { outcome } = await sent({ answers: [answer] });
    const { call } = outcome as { call: { response: { body?: unknown } } };
    expect(call.response.body).toEqual(body);
  });
});

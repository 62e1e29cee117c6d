import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { createScrubber } from '../../src/custody/scrub.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import { createLogger, type LogLevel, temporalLogger } from '../../src/telemetry/log.js';

const canary = 'canary/9Xw+Zt=Kq4 Rb';

function logged(level: LogLevel = 'trace', scrubber = createScrubber()) {
  const lines: string[] = [];
  const log = createLogger({ level, scrubber, destination: { write: (line) => void lines.push(line) } });
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown>;
  return { log, lines, last };
}

class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly config = { headers: { apiKey: canary } };
  readonly request = { path: `/x?key=${canary}` };
  toJSON(): unknown {
    return this.config;
  }
}

describe('a log line', () => {
  test('is JSON with its level as a word, the time, and ids as fields', () => {
    const { log, last } = logged();
    log.info({ credentialId: 'core-prod', requestId: 'r' }, 'rotated');
    expect(last()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
      credentialId: 'core-prod',
      requestId: 'r',
      msg: 'rotated',
    });
  });

  test('never holds a boxed secret, at any depth', () => {
    const { log, lines } = logged();
    const secret = new Secret(canary);
    log.info(
      { secret, a: { b: { c: [secret] } }, error: new Error('x', { cause: secret }) },
      'text %s %o',
      secret,
      secret,
    );
    log.info(secret);
    log.child({ secret }).info(String(secret));
    expect(lines.join('')).not.toContain('canary');
    expect(lines.join('')).toContain('[secret]');
  });

  test.each(['apiKey', 'api_key', 'Authorization', 'set-cookie', 'secretKey', 'password', 'token'])(
    'blots out a field named %s, at any depth',
    (name) => {
      const { log, lines } = logged();
      log.info({ [name.replace('_', '')]: canary, request: { headers: [{ [name.replace('_', '-')]: canary }] } }, 'x');
      expect(lines.join('')).not.toContain('canary');
    },
  );

  test('blots out a living secret that slipped through, in every form', () => {
    const scrubber = createScrubber();
    scrubber.add(new Secret(canary));
    const { log, lines } = logged('trace', scrubber);
    const bytes = Buffer.from(canary);
    const forms = {
      plain: canary,
      base64: bytes.toString('base64'),
      base64url: bytes.toString('base64url'),
      hex: bytes.toString('hex'),
      url: encodeURIComponent(canary),
      form: new URLSearchParams({ k: canary }).toString(),
      basic: Buffer.from(`user:${canary}`).toString('base64'),
    };
    log.info(forms, `message ${canary}`);
    log.child({ bound: canary }).warn('%s', canary);
    const text = lines.join('');
    expect(Object.entries(forms).filter(([, form]) => text.includes(form))).toEqual([]);
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  test('survives what cannot be written as JSON, and shows no bytes', () => {
    const { log, lines } = logged();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    log.info({ circle, bytes: Buffer.from(canary) }, 'x');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`[${Buffer.from(canary).length} bytes]`);
  });
});

describe('an error', () => {
  test('of an HTTP client leaves no header, URL or message in the log, however it is logged', () => {
    const { log, lines } = logged();
    const error = new HttpError(`request with ${canary} failed\n    at ${canary}`, { cause: new Error(canary) });
    log.error(error);
    log.error(error, 'it failed');
    log.error({ err: error });
    log.error({ err: error, nested: { error, list: [error] } }, 'it failed: %s', error);
    log.error({ anything: error }, 'it failed');
    expect(lines).toHaveLength(5);
    expect(lines.join('')).not.toContain('canary');
    expect(lines.join('')).toContain('HttpError');
  });

  test('says where it was thrown', () => {
    const { log, last } = logged();
    log.error({ err: new TypeError('x is not a function') }, 'a request failed');
    expect(last()).toMatchObject({
      msg: 'a request failed',
      err: { name: 'TypeError', stack: expect.stringContaining('log.test.ts') as unknown },
    });
    expect(JSON.stringify(last())).not.toContain('x is not a function');
  });

  test('of our own keeps code and message', () => {
    const { log, last } = logged();
    log.error(new KeyturnError('KT-NO-WORKER', 'no worker answers'));
    expect(last()).toMatchObject({
      msg: 'KeyturnError KT-NO-WORKER: no worker answers',
      err: { code: 'KT-NO-WORKER', message: 'no worker answers' },
    });
    log.error({ err: new ProviderFailure({ class: 'busy', code: 'KT-PROVIDER-BUSY', message: '429' }) }, 'x');
    expect(last()).toMatchObject({ err: { code: 'KT-PROVIDER-BUSY', message: '429' } });
  });

  test('of the system keeps its code', () => {
    const { log, last } = logged();
    log.error({ err: Object.assign(new Error(`connect ${canary}`), { code: 'ECONNREFUSED' }) }, 'x');
    expect(last().err).toMatchObject({ name: 'Error', code: 'ECONNREFUSED' });
    log.error({ err: Object.assign(new Error('x'), { code: canary }) }, 'x');
    expect(JSON.stringify(last())).not.toContain('canary');
  });
});

describe('Temporal’s log', () => {
  test('comes at its level, with its ids', () => {
    const { log, last } = logged();
    const meta = { sdkComponent: 'worker', workflowId: 'credential/a', runId: 'r', activityType: 'rotate', attempt: 2 };
    temporalLogger(log).warn('Activity is slow', meta);
    expect(last()).toMatchObject({ level: 'warn', msg: 'Activity is slow', ...meta });
    temporalLogger(log).log('TRACE', 'x');
    expect(last()).toMatchObject({ level: 'trace', msg: 'x' });
  });

  test('below the level is not written', () => {
    const { log, lines } = logged('warn');
    const temporal = temporalLogger(log);
    temporal.info('x');
    temporal.debug('x');
    temporal.trace('x');
    expect(lines).toEqual([]);
  });

  test('leaves payloads, unknown fields and the messages of foreign errors behind', () => {
    const { log, lines, last } = logged();
    const temporal = temporalLogger(log);
    temporal.trace('Got workflow activation', { jobs: [{ payload: canary }], token: canary, payload: canary });
    temporal.error('Worker failed', { error: new HttpError(canary) });
    temporal.error('Activity failed', { error: ApplicationFailure.create({ type: 'Error', message: canary }) });
    expect(lines.join('')).not.toContain('canary');
    temporal.error('Activity failed', { error: ApplicationFailure.create({ type: 'KT-NO-WORKER', message: 'ours' }) });
    expect(last().error).toMatchObject({ name: 'ApplicationFailure', message: 'ours' });
  });

  test('keeps what the server says of a workflow task that it refuses', () => {
    const { log, last } = logged();
    temporalLogger(log).warn('Network error while completing workflow activation', {
      sdkComponent: 'core',
      error: 'Status { code: InvalidArgument, message: "versioning behavior cannot be specified" }',
    });
    expect(last().error).toContain('versioning behavior');
  });
});

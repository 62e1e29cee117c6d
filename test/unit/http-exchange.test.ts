import { Dispatcher } from 'undici';
import { describe, expect, test } from 'vitest';
import { exchange } from '../../src/providers/exchange.js';

describe('the start of a request', () => {
  class Scripted extends Dispatcher {
    readonly aborted: string[] = [];
    constructor(readonly script: (start: () => void, fail: (code: string) => void) => void) {
      super();
    }
    override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      const controllerOf = (): Dispatcher.DispatchController => ({
        aborted: false,
        paused: false,
        reason: null,
        pause: () => undefined,
        resume: () => undefined,
        abort: (reason) => this.aborted.push(reason.message),
      });
      this.script(
        () => handler.onRequestStart?.(controllerOf(), {}),
        (code) => handler.onResponseError?.(controllerOf(), Object.assign(new Error('with headers'), { code })),
      );
      return true;
    }
  }
  const limits = { connectTimeoutMs: 20, totalTimeoutMs: 500, maxBodyBytes: 10 };
  const request = { path: '/', method: 'POST' } as const;

  test('is refused when the exchange has already ended: what failed as not sent stays unsent', async () => {
    let start: () => void = () => undefined;
    const dispatcher = new Scripted((begin) => (start = begin));
    await expect(exchange(dispatcher, request, limits, undefined, false)).rejects.toMatchObject({
      code: 'CONNECT_TIMEOUT',
      started: false,
    });
    start();
    expect(dispatcher.aborted).toEqual(['at most once']);
  });

  test('happens once: a repetition below is refused', async () => {
    const dispatcher = new Scripted((start, fail) => {
      start();
      start();
      fail('ECONNRESET');
    });
    await expect(exchange(dispatcher, request, limits, undefined, false)).rejects.toMatchObject({
      code: 'ECONNRESET',
      started: true,
    });
    expect(dispatcher.aborted[0]).toBe('at most once');
  });
});

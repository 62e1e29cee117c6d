import type { Dispatcher } from 'undici';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Why there is no answer: one word, and whether any byte of the request may have left. It holds nothing of the request. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  constructor(
    /** `TIMEOUT`, `CONNECT_TIMEOUT`, `CANCELLED`, `TOO_LARGE`, or the code of the error below, e.g. `ECONNREFUSED`. */
    readonly code: string,
    readonly started: boolean,
  ) {
    super(code);
  }
}

export interface ExchangeLimits {
  /** From now until the connection stands, name resolution and TLS included. */
  readonly connectTimeoutMs: number;
  /** From now until the last byte of the answer. */
  readonly totalTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/**
 * Sends one request at most once. The dispatcher is for this exchange alone and emits `connectionError` when it cannot connect.
 *
 * Whether it was sent is not guessed from an error code (a reset during the TLS handshake and one after sending look alike), but known:
 * undici calls `onRequestStart` right before it writes, and writes nothing when the request is aborted there. A second start, with which
 * undici would repeat a request on another connection, is refused, and so is a start after this exchange has ended.
 *
 * `cancel` aborts before the start, and afterwards only where `cancelAfterStart`.
 * @throws ExchangeError
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  limits: ExchangeLimits,
  cancel: AbortSignal | undefined,
  cancelAfterStart: boolean,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let head: Pick<RawAnswer, 'status' | 'headers'> | undefined;
    let length = 0;
    let ended = false;
    const chunks: Buffer[] = [];

    function end(settle: () => void): void {
      if (ended) return;
      ended = true;
      clearTimeout(connecting);
      clearTimeout(total);
      cancel?.removeEventListener('abort', cancelled);
      settle();
    }
    function fail(code: string): void {
      end(() => reject(new ExchangeError(code, controller !== undefined)));
      controller?.abort(new Error(code));
    }
    function cancelled(): void {
      if (controller === undefined || cancelAfterStart) fail('CANCELLED');
    }
    const connecting = setTimeout(() => fail('CONNECT_TIMEOUT'), limits.connectTimeoutMs);
    const total = setTimeout(() => fail('TIMEOUT'), limits.totalTimeoutMs);
    cancel?.addEventListener('abort', cancelled);
    if (cancel?.aborted === true) {
      fail('CANCELLED');
      return;
    }

    dispatcher.once('connectionError', (_origin, _targets, error) => fail(codeOf(error)));
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        if (ended || controller !== undefined) {
          started.abort(new Error('at most once'));
          return;
        }
        controller = started;
        clearTimeout(connecting);
      },
      onResponseStart(_controller, status, headers) {
        if (status >= 200) head = { status, headers };
      },
      onResponseData(_controller, chunk) {
        length += chunk.length;
        if (length > limits.maxBodyBytes) fail('TOO_LARGE');
        else chunks.push(chunk);
      },
      onResponseEnd() {
        const answered = head;
        if (answered === undefined) fail('NO_ANSWER');
        else end(() => resolve({ ...answered, body: Buffer.concat(chunks) }));
      },
      onResponseError(_controller, error) {
        fail(codeOf(error));
      },
    };
    try {
      dispatcher.dispatch(request, handler);
    } catch (error) {
      fail(codeOf(error));
    }
  });
}

/** The error's code where it looks like one; an error's text may quote headers, so nothing else is taken. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'FAILED';
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) return code;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error.cause === undefined ? 'FAILED' : codeOf(error.cause);
}

import { withoutAmbientTemporal } from './ambient-temporal.js';
import { freePort } from './free-port.js';
import { type GuardedProcess, startGuarded } from './guarded-process.js';
import { untilTemporalIsReady } from './temporal-readiness.js';

/**
 * The dev server has one history shard, and the server's defaults are meant for hundreds: they throttle it to 20 tasks a
 * second and hold back every timer and continue-as-new below one second. Only for this server, never for a real cluster.
 */
export const devServerFlags = {
  'history.transferProcessorMaxPollRPS': '2000',
  'history.timerProcessorMaxPollRPS': '2000',
  'history.timerProcessorMaxTimeShift': '"1ms"',
  'history.workflowIdReuseMinimalInterval': '"0s"',
} as const;

const host = '127.0.0.1';
const readyWithinMs = 60_000;
const portAttempts = 5;

export type SearchAttributeKind = 'Keyword' | 'Int' | 'Datetime';

export interface TemporalServerOptions {
  /** Path of the Temporal CLI, see `ensureTemporalBinary`. */
  readonly binary: string;
  /** Default: `default`. */
  readonly namespace?: string;
  /** Where the server keeps its state; without it in memory only. */
  readonly dbFilename?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Temporal's web UI: on a free port, on the given one, or (default) not at all. */
  readonly ui?: boolean | number;
  readonly searchAttributes?: Readonly<Record<string, SearchAttributeKind>>;
  /** Is given each line that the server prints. */
  readonly log?: (line: string) => void;
}

export interface TemporalServer {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl?: string;
  readonly pid: number;
  /** Settles when the server is gone, stopped or not, with how it ended. */
  readonly ended: Promise<string>;
  /** Ends the server and waits until it is gone. */
  readonly stop: () => Promise<void>;
  /** Sends the server a signal and does not wait: crash tests. */
  readonly kill: (signal: NodeJS.Signals) => void;
}

/**
 * Runs `temporal server start-dev` on 127.0.0.1 and waits until it can be worked with: frontend healthy, namespace there,
 * search attributes registered. The server ends with this process, however that ends. Restarting it with the same `port`
 * and `dbFilename` goes on with the state of before.
 * @throws Error with the server's last output when it ends instead of getting ready
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const isPortOurs = options.port === undefined || options.ui === true;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      // Between asking the system for a free port and the server's binding it, another process may have taken it.
      const isTaken = error instanceof ServerEnded && /address already in use|port \d+/i.test(error.message);
      if (!isTaken || !isPortOurs || attempt === portAttempts) throw error;
    }
  }
}

class ServerEnded extends Error {}

async function startOnce(options: TemporalServerOptions): Promise<TemporalServer> {
  const namespace = options.namespace ?? 'default';
  const port = options.port ?? (await freePort());
  const uiPort = options.ui === true ? await freePort() : options.ui || undefined;
  const address = `${host}:${port}`;
  let announce: () => void = () => undefined;
  const announced = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const server = await startGuarded(options.binary, serverArgs({ ...options, namespace, port, uiPort }), {
    env: withoutAmbientTemporal(process.env),
    onLine: (line) => {
      // Printed once the server has bound its ports: until then, whoever answers at the address may be somebody else.
      if (line.startsWith('Temporal Server:')) announce();
      options.log?.(line);
    },
  });
  await untilReady(server, announced, {
    address,
    namespace,
    searchAttributes: Object.keys(options.searchAttributes ?? {}),
  });
  return {
    address,
    namespace,
    ...(uiPort === undefined ? {} : { uiUrl: `http://${host}:${uiPort}` }),
    pid: server.pid,
    ended: server.ended,
    stop: server.stop,
    kill: server.kill,
  };
}

function serverArgs(options: {
  namespace: string;
  port: number;
  uiPort: number | undefined;
  dbFilename?: string;
  searchAttributes?: Readonly<Record<string, SearchAttributeKind>>;
}): string[] {
  const ui = options.uiPort === undefined ? ['--headless'] : ['--ui-port', String(options.uiPort), '--ui-ip', host];
  const attributes = Object.entries(options.searchAttributes ?? {}).map(([name, kind]) => `${name}=${kind}`);
  const flags = Object.entries(devServerFlags).map(([name, value]) => `${name}=${value}`);
  return [
    ['server', 'start-dev', '--ip', host, '--port', String(options.port), '--namespace', options.namespace],
    ['--log-level', 'never', '--color', 'never'],
    ui,
    options.dbFilename === undefined ? [] : ['--db-filename', options.dbFilename],
    attributes.flatMap((attribute) => ['--search-attribute', attribute]),
    flags.flatMap((flag) => ['--dynamic-config-value', flag]),
  ].flat();
}

async function untilReady(
  server: GuardedProcess,
  announced: Promise<void>,
  wanted: { address: string; namespace: string; searchAttributes: readonly string[] },
): Promise<void> {
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const gaveUp = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  void server.ended.then((reason) => {
    giveUp.abort(new ServerEnded(`the Temporal server ended (${reason}) before it was ready:\n${server.output()}`));
  });
  const limit = setTimeout(() => {
    giveUp.abort(new Error(`the Temporal server did not come up in ${readyWithinMs / 1_000} s:\n${server.output()}`));
  }, readyWithinMs);
  try {
    await Promise.race([announced.then(() => untilTemporalIsReady({ ...wanted, signal })), gaveUp]);
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}

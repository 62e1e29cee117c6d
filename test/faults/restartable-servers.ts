/** Temporal servers that cells kill and restart on their database. One that has come through it serves the next cell. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TemporalServer } from '../../src/dev/temporal-server.js';
import { ownServer } from '../support/temporal.js';
import type { AddCleanup } from './cleanups.js';

export interface RestartableServer {
  readonly address: string;
  readonly namespace: string;
  restart(): Promise<void>;
}

interface Kept extends RestartableServer {
  stop(): Promise<void>;
}

const idle: Kept[] = [];

/** For one cell. */
export async function restartableServer(onTestFinished: AddCleanup): Promise<RestartableServer> {
  const server = idle.pop() ?? (await started());
  let isUp = true;
  // One that does not come back serves nobody any more.
  onTestFinished(async () => (isUp ? void idle.push(server) : server.stop()));
  const { address, namespace } = server;
  return {
    address,
    namespace,
    async restart() {
      isUp = false;
      await server.restart();
      isUp = true;
    },
  };
}

export async function stopServers(): Promise<void> {
  await Promise.all(idle.splice(0).map((server) => server.stop()));
}

async function started(): Promise<Kept> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-faults-'));
  const dbFilename = join(folder, 'temporal.db');
  let server = await ownServer({ dbFilename, keep: true });
  const { address, namespace } = server;
  return {
    address,
    namespace,
    async restart() {
      server.kill('SIGKILL');
      await server.ended;
      server = await startedOn(Number(address.split(':')[1]), dbFilename);
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Of the development server: it was told so, or goes on without a listener where it lost a port after its own check. */
const portTaken = /address already in use|NewHTTPAPIServer|grpc\.\(\*Server\)\.Serve/;

/** While the server is down, an outgoing connection of any other process may be given its port: that is not keyturn's doing. */
async function startedOn(port: number, dbFilename: string): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ownServer({ dbFilename, port, keep: true });
    } catch (error) {
      if (!portTaken.test((error as Error).message) || attempt === 10) throw error;
      await sleep(1_000);
    }
  }
}

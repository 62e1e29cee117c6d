/** A cell's worker in a process of its own, which ends or freezes itself right after the fault. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AddCleanup } from './cleanups.js';
import type { CellWorkerSpec } from './cell-worker.mjs';

export interface ChildWorker {
  /** Settles when it is dead, or frozen and cut off from Temporal. */
  struck(): Promise<void>;
  /** Settles when what it had in hand has come to its end. */
  wake(): Promise<void>;
}

const script = fileURLToPath(new URL('./cell-worker.mjs', import.meta.url));

/** Resolves when it polls. */
export async function childWorker(
  spec: CellWorkerSpec,
  fate: 'killed' | 'frozen',
  temporalAddress: string,
  onTestFinished: AddCleanup,
): Promise<ChildWorker> {
  const signal = fate === 'killed' ? 'SIGKILL' : 'SIGSTOP';
  const line = fate === 'frozen' ? await cuttableLine(temporalAddress, onTestFinished) : null;
  const argument = JSON.stringify({ ...spec, signal, ...(line ? { address: line.address } : {}) });
  const child = spawn(process.execPath, [script, argument], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines = createInterface({ input: child.stdout });
  const says = (word: string): Promise<void> =>
    new Promise((resolve) => lines.on('line', (line) => (line === word ? resolve() : undefined)));
  const quiet = says('quiet');
  const gone = ended.then(() => Promise.reject(new Error(`the worker ended before it polled: ${said}`)));
  await Promise.race([says('polling'), gone]);
  gone.catch(() => undefined);
  return {
    async struck() {
      if (line === null) return void (await ended);
      await untilStopped(child.pid ?? 0);
      line.cut();
    },
    async wake() {
      child.kill('SIGCONT');
      await quiet;
      line?.restore();
      await ended;
    },
  };
}

/** Linux tells a stopped process as state T. */
async function untilStopped(pid: number): Promise<void> {
  while (!/^State:\s+T/m.test(await readFile(`/proc/${pid}/status`, 'utf8')))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** A machine that sleeps loses its connections; a server that still believed in them would hand it tasks for another minute. */
async function cuttableLine(
  target: string,
  onTestFinished: AddCleanup,
): Promise<{ readonly address: string; cut(): void; restore(): void }> {
  const [host = '', port = ''] = target.split(':');
  const open = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    }
    if (isCut) near.destroy();
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      for (const socket of open) socket.destroy();
    },
    restore() {
      isCut = false;
    },
  };
}

// A keyturn worker of one cell of the fault matrix, over the built product: in the runner's process, or (run as a script) in one of its own that
// stops itself by SIGKILL or SIGSTOP right after the fault. Prints `polling`, `hit`, and after SIGCONT `quiet`.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { pathToFileURL } from 'node:url';
import { openVault } from '../../dist/compose.js';
import { loadConfig } from '../../dist/config.js';
import { readKeyFile } from '../../dist/custody/key-file.js';
import { createLockout } from '../../dist/custody/lockout.js';
import { openCustody } from '../../dist/custody/open.js';
import { temporalTarget } from '../../dist/temporal.js';
import { startWorker } from '../../dist/worker.js';
import { NativeConnection } from '@temporalio/worker';
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import { startGate } from './gate.mjs';
import { spoiledStore } from './spoiled-store.mjs';

// The SDK notes a stack trace for each promise of a process that runs workflows in its own thread. Nobody reads them here.
globalHandlers.setPromiseHook = () => undefined;

// A closed connection leaves its storage of call contexts enabled, and Node 20 visits every enabled one for each promise: after hundreds of cells that was
// most of the work.
const { close } = NativeConnection.prototype;
NativeConnection.prototype.close = async function () {
  await close.call(this);
  this.callContextStorage.disable();
};

export async function startCellWorker({ configFile, address, trigger, gate, signal }, onHit) {
  const config = await loadConfig(configFile);
  const vault = await openVault(config);
  const keys = await readKeyFile(config.sealingKey.path);
  const strike = trigger?.kind === 'store' ? trigger : undefined;
  const door = gate ? await startGate(gate) : undefined;
  let struck = false;
  const hit = () => {
    if (struck) return;
    struck = true;
    onHit();
  };
  const { store, outFor, operations } = spoiledStore(vault.store, strike, hit);
  const call = trigger?.kind === 'call' ? watchCall(trigger, door, hit, signal === undefined) : undefined;
  const target = temporalTarget(config, { ignoreAmbient: true, ...(address ? { address } : {}) });
  const running = await startWorker({
    config,
    target,
    debugMode: true,
    vault: {
      ...vault,
      store,
      custody: await openCustody({ store, keys, scrubber: vault.scrubber }),
      lockout: createLockout({ store, keys, clock: Date, limit: config.lockout.limit }),
    },
  });
  return {
    outFor,
    operations,
    inFlight: () => running.worker.getStatus().numInFlightActivities,
    done: running.done,
    shutdown: () => running.worker.shutdown(),
    async stop() {
      call?.();
      await running.stop();
      await vault.close();
      await door?.close();
    },
  };
}

/**
 * Tells when the call has ended for its client, whichever way, before the client can act on it. While a refused one is made, the door is shut.
 * A process that ends or freezes then leaves the port to the next one.
 */
function watchCall({ method, pattern, nth, port, refused }, door, hit, opensAgain) {
  const wanted = new RegExp(pattern);
  let seen = 0;
  let ours;
  const created = ({ request }) => {
    if (new URL(request.origin).port !== String(port)) return;
    if (request.method !== method || !wanted.test(request.path.split('?')[0])) return;
    seen += 1;
    if (seen !== nth) return;
    ours = request;
    if (refused) door.shut();
  };
  const ended = ({ request }) => {
    if (request !== ours) return;
    ours = undefined;
    if (refused && opensAgain) door.open();
    hit();
  };
  const channels = [
    ['undici:request:create', created],
    ['undici:request:trailers', ended],
    ['undici:request:error', ended],
  ];
  for (const [name, listener] of channels) subscribe(name, listener);
  return () => channels.forEach(([name, listener]) => unsubscribe(name, listener));
}

async function main() {
  const spec = JSON.parse(process.argv[2]);
  // Ends with the runner, however that ends.
  process.stdin.resume().on('end', () => process.exit());
  const worker = await startCellWorker(spec, () => process.kill(process.pid, spec.signal));
  // Woken, it says when it has nothing in hand any more, and ends. A shutdown before that would cancel what the fence has to stop.
  process.on('SIGCONT', () => {
    const timer = setInterval(() => {
      if (worker.inFlight() > 0) return;
      clearInterval(timer);
      process.stdout.write('quiet\n');
      worker.shutdown();
    }, 50);
  });
  process.stdout.write('polling\n');
  await worker.done;
  process.exit();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();

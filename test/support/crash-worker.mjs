// A keyturn worker in a process of its own, which stops itself once at the point that argv names: SIGKILL or SIGSTOP. Prints `polling`,
// and after SIGCONT `quiet`.
import { openSync } from 'node:fs';
import { openVault } from '../../dist/compose.js';
import { loadConfig } from '../../dist/config.js';
import { temporalTarget } from '../../dist/temporal.js';
import { startWorker } from '../../dist/worker.js';

const { configFile, address, at, signal, marker } = JSON.parse(process.argv[2]);
const config = await loadConfig(configFile);
const vault = await openVault(config);
const { custody, lockout } = vault;

/** Once only: the worker that is started in its place finds the marker. */
function pass(point) {
  if (point !== at) return;
  try {
    openSync(marker, 'wx');
  } catch (error) {
    if (error.code === 'EEXIST') return;
    throw error;
  }
  process.kill(process.pid, signal);
}

const stage = (record, name) => record.versions.find((v) => v.stage === name);

/** What a write changes in the record, in the words of the points. */
function changeOf(was, is) {
  const opened = (record) => record.intents.filter((i) => i.settled === 'open').length;
  if (opened(is) > opened(was)) return 'intent';
  if (stage(is, 'pending') && !stage(was, 'pending')) return 'key';
  if (stage(is, 'current')?.version !== stage(was, 'current')?.version) return 'publish';
  if (stage(is, 'pending')?.verifiedAtMs && !stage(was, 'pending')?.verifiedAtMs) return 'verdict';
  if (is.destroyed.length > was.destroyed.length) return 'death';
  for (const state of ['revoking', 'held']) {
    const count = (record) => record.versions.filter((v) => v.retirement?.state === state).length;
    if (count(is) > count(was)) return state;
  }
  return null;
}

const watchedCustody = {
  ...custody,
  async check() {
    await custody.check();
    pass('plan');
  },
  async read(credentialId) {
    const opened = await custody.read(credentialId);
    if (opened && stage(opened.record, 'pending')) pass('persist');
    return opened;
  },
  async update(credentialId, decide) {
    let change = null;
    const outcome = await custody.update(credentialId, (opened) => {
      const decision = decide(opened);
      change = 'next' in decision ? changeOf(opened.record, decision.next.record) : null;
      pass(`before-${change}`);
      return decision;
    });
    pass(`after-${change}`);
    return outcome;
  },
};
const watchedLockout = {
  ...lockout,
  async admit(scope, fingerprint, operationId) {
    await lockout.admit(scope, fingerprint, operationId);
    if (operationId.startsWith('retire/')) pass('retire');
  },
};

// Ends with the test, however that ends.
process.stdin.resume().on('end', () => process.exit());
const target = temporalTarget(config, { ignoreAmbient: true, ...(address ? { address } : {}) });
const watched = { ...vault, custody: watchedCustody, lockout: watchedLockout };
const { worker, done } = await startWorker({ config, target, vault: watched, debugMode: true });
// Woken, it says when it has nothing in hand any more, and ends. A shutdown before that would cancel what the fence has to stop.
process.on('SIGCONT', () => {
  const timer = setInterval(() => {
    if (worker.getStatus().numInFlightActivities > 0) return;
    clearInterval(timer);
    process.stdout.write('quiet\n');
    worker.shutdown();
  }, 50);
});
process.stdout.write('polling\n');
await done;
process.exit();

// A store between custody and the real one: it counts what each activity does with it, spoils one operation, and can be out for a while.
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { StoreFailure } from '../../dist/stores/store.js';

const SLOW_MS = 2_500;

/** An operation is named by activity, access, kind of object, and its number among those of the same name: `rotate.write-record-2`. */
export function spoiledStore(store, strike, hit) {
  const counts = new Map();
  let outUntilMs = 0;

  function named(access, name) {
    const kind = `${activity()}.${access}-${name.split('/')[0]}`;
    const n = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, n);
    return `${kind}-${n}`;
  }

  async function operation(access, name, work) {
    const isStruck = strike?.operation === named(access, name);
    if (Date.now() < outUntilMs) throw unavailable();
    if (!isStruck) return work();
    return spoil(strike.fault, access, name, work).finally(hit);
  }

  async function spoil(fault, access, name, work) {
    switch (fault) {
      case 'refused':
        throw unavailable();
      case 'lost':
        await work();
        throw unavailable();
      case 'slow':
        await sleep(SLOW_MS);
        return work();
      case 'truncated':
        return withBytes(await work(), (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)));
      case 'garbage':
        return withBytes(await work(), (bytes) => Buffer.alloc(bytes.length, '<garbage>'));
      case 'another': {
        const other = await store.read(
          name === 'installation' ? anyRecord(await store.list('credential/')) : 'installation',
        );
        return withBytes(await work(), () => other.bytes);
      }
      case 'conflict':
        throw new StoreFailure('conflict', 'another write came first');
      default:
        throw new Error(`no such fault of a store: ${fault}`);
    }
  }

  return {
    /** How often each kind of operation was made so far. */
    operations: () => Object.fromEntries(counts),
    outFor(ms) {
      outUntilMs = Date.now() + ms;
    },
    store: {
      kind: store.kind,
      read: (name) => operation('read', name, () => store.read(name)),
      write: (name, bytes, expected) => operation('write', name, () => store.write(name, bytes, expected)),
      list: (prefix) => operation('list', prefix, () => store.list(prefix)),
      remove: (name) => operation('remove', name, () => store.remove(name)),
      check: () => operation('check', 'store', () => store.check()),
      close: () => store.close(),
    },
  };
}

const unavailable = () => new StoreFailure('unavailable', 'the store does not answer');
const anyRecord = ([name]) => name;
const withBytes = (object, change) => (object ? { ...object, bytes: change(Buffer.from(object.bytes)) } : object);

function activity() {
  try {
    return Context.current().info.activityType;
  } catch {
    return 'outside';
  }
}

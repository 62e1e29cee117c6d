// A process of its own over a file store, told by argv what to do; reports each acknowledged effect on stdout.
import { readKeyFile } from '../../dist/custody/key-file.js';
import { createLockout } from '../../dist/custody/lockout.js';
import { openCustody } from '../../dist/custody/open.js';
import { rewrap } from '../../dist/custody/rewrap.js';
import { openFileStore } from '../../dist/stores/file.js';

const [task, path, me, times, keyFile] = process.argv.slice(2);
const store = await openFileStore({ path });
await { append, admit, raise, rewrapUntilKilled }[task]();

/** Appends `<me>/<i>` to the list in the object `list`, again and again. */
async function append() {
  for (let i = 0; i < Number(times);) {
    const found = await store.read('list');
    const list = found ? JSON.parse(Buffer.from(found.bytes).toString()) : [];
    const entry = `${me}/${i}`;
    try {
      await store.write('list', Buffer.from(JSON.stringify([...list, entry])), found?.etag ?? null);
    } catch (error) {
      if (error.kind === 'conflict') continue;
      // Not known whether it was written: the list says it.
      if (error.kind !== 'unavailable') throw error;
      if (JSON.parse(Buffer.from((await store.read('list')).bytes).toString()).includes(entry)) i++;
      continue;
    }
    process.stdout.write(`${entry}\n`);
    i++;
  }
}

/** Asks for calls with credentials that nobody has proven; a conflict may be asked again, as an activity would. */
async function admit() {
  const lockout = createLockout({ store, keys: await readKeyFile(keyFile), clock: Date, limit: 4 });
  for (let i = 0; i < Number(times);) {
    try {
      await lockout.admit({ baseUrl: 'https://acme.mambu.com/api', egress: 'default' }, `${me}-${i}`, 'op');
      process.stdout.write(`${me}/${i}\n`);
    } catch (error) {
      if (error.code === 'KT-CONFLICT') continue;
      if (error.class !== 'blocked') throw error;
    }
    i++;
  }
}

/** Raises the epoch of the record `core-prod`, and says which one it has written. */
async function raise() {
  const custody = await openCustody({ store, keys: await readKeyFile(keyFile) });
  for (let i = 0; i < Number(times);) {
    try {
      const { value } = await custody.update('core-prod', ({ record, shelf }) => ({
        next: { record: { ...record, epoch: record.epoch + 1 }, shelf },
        value: record.epoch + 1,
      }));
      process.stdout.write(`${value}\n`);
    } catch (error) {
      if (error.code !== 'KT-CONFLICT') throw error;
      continue;
    }
    i++;
  }
}

/** Seals everything anew, and is killed right before or after (`me`) its nth change of the store. */
async function rewrapUntilKilled() {
  let changes = 0;
  const strike = (when) => {
    if (when === 'before') changes++;
    if (when === me && changes === Number(times)) process.kill(process.pid, 'SIGKILL');
  };
  const struck = async (change) => {
    strike('before');
    const result = await change();
    strike('after');
    return result;
  };
  await rewrap(
    {
      list: (prefix) => store.list(prefix),
      read: (name) => store.read(name),
      write: (...args) => struck(() => store.write(...args)),
      async *older() {
        for await (const one of store.older()) yield { ...one, forget: () => struck(one.forget) };
      },
    },
    await readKeyFile(keyFile),
  );
}

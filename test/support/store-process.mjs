// A process of its own over a file store, told by argv what to do; reports each acknowledged effect on stdout.
import { readKeyFile } from '../../dist/custody/key-file.js';
import { createLockout } from '../../dist/custody/lockout.js';
import { openFileStore } from '../../dist/stores/file.js';

const [task, path, me, times, keyFile] = process.argv.slice(2);
const store = await openFileStore({ path });
await { append, admit }[task]();

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

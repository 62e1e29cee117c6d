/** An opened installation whose store can be taken away: it then fails as a store that is unreachable does. */
import { openVault, type Vault } from '../../src/compose.js';
import type { Config } from '../../src/config.js';
import { readKeyFile } from '../../src/custody/key-file.js';
import { createLockout } from '../../src/custody/lockout.js';
import { openCustody } from '../../src/custody/open.js';
import { StoreFailure, type Store } from '../../src/stores/store.js';

/** Asked before each access; true: the store does not answer. */
export type Outage = (access: 'read' | 'write', name: string) => boolean;

export async function openFlakyVault(config: Config, isOut: Outage): Promise<Vault> {
  const vault = await openVault(config);
  const keys = await readKeyFile(config.sealingKey.path);
  const store = flaky(vault.store, isOut);
  return {
    ...vault,
    store,
    custody: await openCustody({ store, keys, scrubber: vault.scrubber }),
    lockout: createLockout({ store, keys, clock: Date, limit: config.lockout.limit }),
  };
}

function flaky(store: Store, isOut: Outage): Store {
  const reach = (access: 'read' | 'write', name: string): void => {
    if (isOut(access, name)) throw new StoreFailure('unavailable', 'the store does not answer');
  };
  return {
    kind: store.kind,
    async read(name) {
      reach('read', name);
      return store.read(name);
    },
    async write(name, bytes, expected) {
      reach('write', name);
      return store.write(name, bytes, expected);
    },
    async list(prefix) {
      reach('read', prefix);
      return store.list(prefix);
    },
    async remove(name) {
      reach('write', name);
      return store.remove(name);
    },
    async check() {
      reach('write', 'check');
      return store.check();
    },
    close: () => store.close(),
  };
}

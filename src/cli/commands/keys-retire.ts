import type { Config } from '../../config.js';
import { removeKey } from '../../custody/key-changes.js';
import type { FileKeys } from '../../custody/key-file.js';
import { takeCensus } from '../../custody/rewrap.js';
import { KeyturnError } from '../../domain/errors.js';
import { iso } from '../../domain/instant.js';
import type { Store } from '../../stores/store.js';
import type { Action } from '../run.js';
import { withSealed } from '../sealed.js';
import { sealingRuns } from '../sealing-runs.js';
import { type Session, withSession } from '../session.js';

export const run: Action<'keys-retire'> = (context, [kid]) =>
  withSession(context, (session) =>
    withSealed(session.config, async ({ store, keys }) => {
      const { path } = session.config.sealingKey;
      refuseUnlessOld(session.config, keys, kid);
      await refuseWhileInStore(store, kid);
      await refuseWhileInHistories(session, keys, kid);
      await removeKey(path, kid);
      return {
        data: { kid, current: keys.currentKid, keyFile: path },
        text: [
          `${kid} is no longer in ${path}.`,
          `Backups of the store from before the last \`keyturn keys rewrap\` open with ${kid} only: keep a backup of the key file that`,
          'has it for as long as you keep them, and destroy both together.',
        ].join('\n'),
      };
    }),
  );

function refuseUnlessOld({ sealingKey }: Config, { currentKid, byKid }: FileKeys, kid: string): void {
  if (!byKid.has(kid)) {
    const hint = '`keyturn keys list` shows the keys.';
    throw new KeyturnError('KT-INPUT', `there is no key ${kid} in ${sealingKey.path}`, { hint });
  }
  if (kid === currentKid) {
    throw new KeyturnError('KT-KEY-IN-USE', `${kid} is the current sealing key`, {
      hint: 'Make another one current first: `keyturn keys rotate`, then `keyturn keys rewrap`.',
    });
  }
}

/** What does not tell its key may be sealed with this one. */
async function refuseWhileInStore(store: Store, kid: string): Promise<void> {
  const { byKid, unreadable } = await takeCensus(store);
  const { objects, older } = byKid.get(kid) ?? { objects: 0, older: 0 };
  if (objects + older > 0) {
    throw new KeyturnError(
      'KT-KEY-IN-USE',
      `${objects} object(s) of the store and ${older} value(s) of before are sealed with ${kid}`,
    );
  }
  if (unreadable.length > 0) {
    throw new KeyturnError(
      'KT-KEY-IN-USE',
      `${unreadable.join(', ')} may be sealed with ${kid}: damaged, and does not tell`,
      {
        hint: 'Restore it from a backup of the store first.',
      },
    );
  }
}

async function refuseWhileInHistories(session: Session, keys: FileKeys, kid: string): Promise<void> {
  const untilMs = supersededAtMs(keys, kid);
  const { open, retained } = await sealingRuns(await session.client(), untilMs);
  if (open + retained === 0) return;
  throw new KeyturnError(
    'KT-KEY-IN-USE',
    `histories of runArazzo may hold values sealed with ${kid}: ${open} run(s) are open, ${retained} ended one(s) from before ${iso(untilMs)} are retained`,
    { hint: 'Let the open runs end; those that have ended are gone with the retention of the namespace.' },
  );
}

/** When the next key was made, which has sealed since; where the file does not tell: now. */
function supersededAtMs({ createdMs }: FileKeys, kid: string): number {
  const madeMs = createdMs.get(kid) ?? Number.NEGATIVE_INFINITY;
  return Math.min(Date.now(), ...[...createdMs.values()].filter((ms) => ms > madeMs));
}

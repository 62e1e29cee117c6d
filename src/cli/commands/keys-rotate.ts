import { addKey } from '../../custody/key-changes.js';
import { openCustody } from '../../custody/open.js';
import type { Action } from '../run.js';
import { withSealed } from '../sealed.js';

export const run: Action<'keys-rotate'> = async (context) => {
  const config = await context.config();
  const { path } = config.sealingKey;
  return withSealed(config, async ({ store, keys }) => {
    // A key file of another store is refused before it is changed.
    await openCustody({ store, keys });
    const previous = keys.currentKid;
    const kid = await addKey(path);
    return {
      data: { kid, previous, keyFile: path },
      text: [
        `${kid} seals from now on; ${previous} still opens what it has sealed. Running workers need no restart.`,
        '',
        `Back ${path} up again now: older backups of it do not open what is sealed from now on.`,
        'On other machines with a copy of it, put the new file in its place.',
        '',
        'Next: `keyturn keys rewrap`.',
      ].join('\n'),
    };
  });
};

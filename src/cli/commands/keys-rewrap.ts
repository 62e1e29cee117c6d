import { openCustody } from '../../custody/open.js';
import { rewrap } from '../../custody/rewrap.js';
import type { Action } from '../run.js';
import { withSealed } from '../sealed.js';

const FAILED = 1;

export const run: Action<'keys-rewrap'> = async (context) =>
  withSealed(await context.config(), async ({ store, keys }) => {
    await openCustody({ store, keys });
    const { resealed, already, forgotten, failed } = await rewrap(store, keys);
    for (const { name, message } of failed) context.out.warn(`${name} was left as it is: ${message}`);
    return {
      data: { kid: keys.currentKid, resealed, already, forgotten, failed },
      text: [
        `${resealed} object(s) sealed anew with ${keys.currentKid}, ${already} were already, ${failed.length} could not be.`,
        `${forgotten} value(s) of before, sealed with other keys, were removed.`,
      ].join('\n'),
      ...(failed.length > 0 ? { exit: FAILED } : {}),
    };
  });

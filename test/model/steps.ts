/** The product's steps by the names under which the workflow calls them. */
import type { Engine } from '../../src/activities/engine.js';
import { completeKey } from '../../src/activities/completeKey.js';
import { equip } from '../../src/activities/equip.js';
import { load } from '../../src/activities/load.js';
import { note, rollback } from '../../src/activities/note.js';
import { persist } from '../../src/activities/persist.js';
import { plan } from '../../src/activities/plan.js';
import { publish } from '../../src/activities/publish.js';
import { recall } from '../../src/activities/recall.js';
import { retire, settleDebt } from '../../src/activities/retire.js';
import { rotate } from '../../src/activities/rotate.js';
import { close, giveUpKey, takeBack } from '../../src/activities/takeBack.js';
import { verify } from '../../src/activities/verify.js';
import type { CredentialActivities } from '../../src/activities/api.js';

export type Steps = {
  readonly [S in keyof CredentialActivities]: (
    engine: Engine,
    input: Parameters<CredentialActivities[S]>[0],
  ) => ReturnType<CredentialActivities[S]>;
};

export const realSteps: Steps = {
  load,
  plan,
  rotate,
  persist,
  equip,
  verify,
  publish,
  takeBack,
  giveUpKey,
  close,
  note,
  rollback,
  retire,
  settleDebt,
  completeKey,
  recall,
};

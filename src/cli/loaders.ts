import type { CommandName } from './definitions.js';
import type { Action } from './run.js';

type Loaders = { readonly [Name in CommandName]: () => Promise<{ readonly run: Action<Name> }> };

/** The file of each command, imported when it runs and not before: --help stays fast. */
export const loaders: Partial<Loaders> = {
  init: () => import('./commands/init.js'),
  simulate: () => import('./commands/simulate.js'),
  'webhook-trigger': () => import('./commands/webhook-trigger.js'),
};

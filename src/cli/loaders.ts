import type { CommandName } from './definitions.js';
import type { Action } from './run.js';

type Loaders = { readonly [Name in CommandName]: () => Promise<{ readonly run: Action<Name> }> };

/** The file of each command, imported when it runs and not before: --help stays fast. */
export const loaders: Loaders = {
  init: () => import('./commands/init.js'),
  import: () => import('./commands/import.js'),
  get: () => import('./commands/get.js'),
  exec: () => import('./commands/exec.js'),
  lockout: () => import('./commands/lockout.js'),
  reconcile: () => import('./commands/reconcile.js'),
  'keys-list': () => import('./commands/keys-list.js'),
  'keys-rotate': () => import('./commands/keys-rotate.js'),
  'keys-rewrap': () => import('./commands/keys-rewrap.js'),
  'keys-retire': () => import('./commands/keys-retire.js'),
  doctor: () => import('./commands/doctor.js'),
  dev: () => import('./commands/dev.js'),
  demo: () => import('./commands/demo.js'),
  worker: () => import('./commands/worker.js'),
  serve: () => import('./commands/serve.js'),
  simulate: () => import('./commands/simulate.js'),
  'webhook-trigger': () => import('./commands/webhook-trigger.js'),
  apply: () => import('./commands/apply.js'),
  rotate: () => import('./commands/rotate.js'),
  status: () => import('./commands/status.js'),
  history: () => import('./commands/history.js'),
  pause: () => import('./commands/pause.js'),
  resume: () => import('./commands/resume.js'),
  rollback: () => import('./commands/rollback.js'),
  'arazzo-check': () => import('./commands/arazzo-check.js'),
  'arazzo-run': () => import('./commands/arazzo-run.js'),
  'arazzo-resolve': () => import('./commands/arazzo-resolve.js'),
  ack: () => import('./commands/ack.js'),
};

import type { Action } from '../run.js';
import { openHost, runServices, workerService } from '../services.js';

export const run: Action<'worker'> = async (context) => {
  const host = await openHost(context, await context.config());
  try {
    await runServices(context, [await workerService(host)]);
  } finally {
    await host.close();
  }
  return {};
};

import type { Action } from '../run.js';
import { openHost, runServices, serverService } from '../services.js';

export const run: Action<'serve'> = async (context) => {
  const host = await openHost(context, await context.config());
  try {
    await runServices(context, [await serverService(host)]);
  } finally {
    await host.close();
  }
  return {};
};

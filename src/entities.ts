/** Entities of the configuration that do not run are started: after a termination, and for a credential that is new. */
import type { KeyturnClient } from './client.js';
import type { Config } from './config.js';

const EVERY_MS = 5 * 60_000;

/** Starts what is missing now and every five minutes. Returns a function that ends it. */
export function keepEntitiesRunning(
  client: KeyturnClient,
  config: () => Promise<Config>,
  report: (credentialId: string, event: 'started' | 'not-started') => void,
): () => void {
  const round = async (): Promise<void> => {
    for (const credentialId of (await config()).credentials.keys()) {
      try {
        if (await client.ensureStarted(credentialId)) report(credentialId, 'started');
      } catch {
        // Temporal is out of reach for a moment: the next round tries again.
        report(credentialId, 'not-started');
      }
    }
  };
  void round();
  const timer = setInterval(() => void round(), EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

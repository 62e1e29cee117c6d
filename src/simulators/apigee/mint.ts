import { randomBase62 } from '../shared/random.js';
import type { Exchange } from './exchange.js';
import type { App, Association, Attribute, Key } from './organization.js';
import { refusals } from './refusals.js';
import type { Dialect } from './rules.js';
import type { World } from './world.js';

interface Made {
  readonly consumerKey: string;
  readonly consumerSecret: string;
  readonly lifeMs: number | null;
  readonly by: Key['by'];
  readonly request: number | null;
  readonly products?: readonly Association[];
  readonly scopes?: readonly string[];
  readonly attributes?: readonly Attribute[];
}

/** A new approved key, in no app yet. */
export function mintedKey({ clock, ledger }: Pick<World, 'clock' | 'ledger'>, made: Made): Key {
  const issuedAtMs = clock.now();
  return {
    serial: ledger.nextSerial(),
    consumerKey: made.consumerKey,
    consumerSecret: made.consumerSecret,
    status: 'approved',
    products: made.products ?? [],
    scopes: made.scopes ?? [],
    attributes: made.attributes ?? [],
    issuedAtMs,
    expiresAtMs: made.lifeMs === null ? null : issuedAtMs + made.lifeMs,
    by: made.by,
    createdByRequest: made.request,
  };
}

/** Values as Apigee generates them: 48 and 64 characters on X, 32 and 16 on Edge. */
export const generatedPair = (dialect: Dialect) => ({
  consumerKey: randomBase62(dialect === 'x' ? 48 : 32),
  consumerSecret: randomBase62(dialect === 'x' ? 64 : 16),
});

/** @throws Refusal when the app has as many keys as it may */
export function requireRoom({ world: { rules } }: Exchange, app: App): void {
  if (rules.keysPerApp !== null && app.keys.length >= rules.keysPerApp) throw refusals.tooManyKeys(app.name);
}

import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from '../shared/answer.js';
import { isObject, mediaType, parsedBody } from '../shared/body.js';
import { Refusal } from './answers.js';
import { type App, findApp, findDeveloper, type Key, type Organization, type Owner } from './organization.js';
import { refusals } from './refusals.js';
import type { RequestEntry, WriteKind } from './request-log.js';
import type { Dialect } from './rules.js';
import type { World } from './world.js';

/** An authenticated management request. */
export interface Exchange {
  readonly world: World;
  readonly dialect: Dialect;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: Buffer;
  readonly entry: RequestEntry;
  /** The organization as the management plane shows it now; behind by the consistency delay. */
  readonly view: Organization;
}

export interface Route {
  readonly method: string;
  /** Path below /v1, with `{name}` for one segment. */
  readonly template: string;
  /** The dialects that have it. */
  readonly dialects: readonly Dialect[];
  /** IAM permission that it takes. */
  readonly permission: string;
  handle(exchange: Exchange): Answer;
}

export const bothDialects: readonly Dialect[] = ['x', 'edge'];

/** Whose apps the path is about. @throws Refusal 404 */
export function ownerOf({ view, params }: Exchange): Owner {
  const { developer, group } = params;
  if (group !== undefined) {
    if (!view.appGroups.includes(group)) throw refusals.noAppGroup(group);
    return { kind: 'appgroup', name: group };
  }
  const found = findDeveloper(view, developer ?? '');
  if (found === undefined) throw refusals.noDeveloper(developer ?? '', view.name);
  return { kind: 'developer', name: found.email };
}

/** The app of the path: visible in the delayed view, and as it is now. @throws Refusal 404 */
export function appOf(exchange: Exchange): { seen: App; now: App } {
  const { view, world, params } = exchange;
  const name = params['app'] ?? '';
  const owner = ownerOf(exchange);
  const seen = findApp(view, owner, name);
  const now = findApp(world.ledger.latest(), owner, name);
  if (seen === undefined || now === undefined) throw refusals.noApp(name, owner.name);
  return { seen, now };
}

/** The key of the path: `seen` for reads, `now` for writes. @throws Refusal 404 */
export function keyOf(exchange: Exchange): { app: App; seen: Key; now: Key } {
  const app = appOf(exchange);
  const consumerKey = exchange.params['key'] ?? '';
  const named = (one: App): Key | undefined => one.keys.find((key) => key.consumerKey === consumerKey);
  const seen = named(app.seen);
  const now = named(app.now);
  if (seen === undefined) throw refusals.noKey(consumerKey);
  if (now !== undefined) return { app: app.now, seen, now };
  if (exchange.entry.method !== 'GET') throw refusals.noKey(consumerKey);
  return { app: app.now, seen, now: seen };
}

/** The JSON object in the body, with no names but these (X) or with any (Edge). @throws Refusal 400, or 415 on Edge */
export function jsonBody({ headers, rawBody, dialect }: Exchange, names: readonly string[]): Record<string, unknown> {
  if (mediaType(headers) !== 'application/json') {
    throw new Refusal({ x: 400, edge: 415 }, 'InvalidContentType', 'The body must be application/json');
  }
  const body = parsedBody(rawBody, () => refusals.badInput('Invalid JSON payload received. Unexpected token.'));
  if (!isObject(body)) throw refusals.badInput('Invalid JSON payload received.');
  const unknown = Object.keys(body).find((name) => !names.includes(name));
  if (unknown !== undefined && dialect === 'x') {
    throw refusals.badInput(`Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`);
  }
  return body;
}

/** `approve` or `revoke` in the query; undefined where there is none. @throws Refusal 400 */
export function actionOf({ query, headers, rawBody, world }: Exchange): 'approve' | 'revoke' | undefined {
  const action = query.get('action');
  if (action === null) return undefined;
  if (action !== 'approve' && action !== 'revoke') throw refusals.badInput(`Invalid action ${action}`);
  if (world.rules.actionContentType === 'any') return action;
  if (mediaType(headers) !== 'application/octet-stream' || rawBody.length > 0) {
    throw refusals.badInput('An action takes Content-Type application/octet-stream and an empty body');
  }
  return action;
}

/** Makes the change and records it. */
export function commit(
  { world, entry }: Exchange,
  write: { kind: WriteKind; app: App; serials: number[] },
  next: (organization: Organization) => Organization,
): void {
  world.ledger.change(next);
  world.log.commit(entry, { kind: write.kind, app: write.app.name, serials: write.serials });
}

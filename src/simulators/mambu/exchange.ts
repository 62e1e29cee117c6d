import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from '../shared/answer.js';
import { isObject, mediaType, parsedBody } from '../shared/body.js';
import { Refusal } from './answers.js';
import type { Principal, Scheme } from './auth.js';
import type { Consumer, Permission } from './consumers.js';
import type { RequestEntry, WriteKind } from './request-log.js';
import type { World } from './world.js';

/** An authenticated request on its way through the tenant. */
export interface Exchange {
  readonly world: World;
  readonly principal: Principal;
  readonly headers: IncomingHttpHeaders;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly rawBody: Buffer;
  readonly entry: RequestEntry;
}

export interface Route {
  readonly method: string;
  /** Path below /api, with `{name}` for one segment. */
  readonly template: string;
  readonly scheme: Scheme;
  readonly idempotent: boolean;
  /** It belongs to the Early Access feature "API consumers". */
  readonly consumersFeature: boolean;
  handle(exchange: Exchange): Answer;
}

/** @throws Refusal 403 INVALID_PERMISSIONS */
export function requirePermission({ principal }: Exchange, permission: Permission): void {
  if (!principal.permissions.includes(permission)) throw new Refusal(403, 'INVALID_PERMISSIONS');
}

/** @throws Refusal READ_ONLY_MODE while "generation of new API Consumers / API Keys / Secret keys" is disabled */
export function requireNoMaintenance({ world: { rules } }: Exchange): void {
  if (rules.maintenance) throw new Refusal(rules.maintenanceStatus, 'READ_ONLY_MODE');
}

/** The consumer that the path names by id or encoded key. @throws Refusal 404 */
export function consumerOf({ world, params }: Exchange): Consumer {
  const consumer = world.directory.find(params['id'] ?? '');
  if (consumer === undefined) throw new Refusal(404, 'INVALID_API_CONSUMER_ID');
  return consumer;
}

/** The JSON object in the body; an absent body is an empty object where `optional`. @throws Refusal 400 */
export function jsonBody({ headers, rawBody }: Exchange, presence: 'required' | 'optional'): Record<string, unknown> {
  if (rawBody.length === 0 && presence === 'optional') return {};
  if (mediaType(headers) !== 'application/json') throw new Refusal(400, 'INVALID_PARAMETERS', 'Content-Type');
  const body = parsedBody(rawBody, () => new Refusal(400, 'INVALID_JSON_SYNTAX'));
  if (!isObject(body)) throw new Refusal(400, 'INVALID_JSON_SYNTAX');
  return body;
}

/** @throws Refusal 400 for anything but a string */
export function textField(body: Record<string, unknown>, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || value === '') throw new Refusal(400, 'INVALID_PARAMETERS', name);
  return value;
}

/** `expirationTime` in seconds, int32 0 ≤ n ≤ 100000000 (schema ApiKey); null: never. @throws Refusal 400 */
export function expirationSeconds({ world }: Exchange, body: Record<string, unknown>): number | null {
  const value = body['expirationTime'];
  if (value === undefined || value === null) return null;
  const wrong = new Refusal(400, 'INVALID_PARAMETERS', 'expirationTime');
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 100_000_000) throw wrong;
  if (value > 0 || world.rules.zeroExpiration === 'immediately') return value;
  if (world.rules.zeroExpiration === 'reject') throw wrong;
  return null;
}

/** Records a change, and that the calling consumer has now performed an activity. */
export function commit(exchange: Exchange, kind: WriteKind, consumer: Consumer, serials: number[]): void {
  const { world, principal, entry } = exchange;
  world.log.commit(entry, { kind, consumerId: consumer.id, serials });
  if (principal.consumer !== null) principal.consumer.performedActivity = true;
}

/** A page of a list by `offset` and `limit`. @throws Refusal 400 */
export function page<T>({ query }: Exchange, all: readonly T[]): { rows: T[]; headers: Record<string, string> } {
  const offset = whole(query.get('offset') ?? '0', 'offset');
  const limit = whole(query.get('limit') ?? '50', 'limit');
  const details = { 'items-offset': String(offset), 'items-limit': String(limit), 'items-total': String(all.length) };
  const isDetailed = query.get('paginationDetails') === 'ON';
  return { rows: all.slice(offset, offset + limit), headers: isDetailed ? details : {} };
}

function whole(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Refusal(400, 'INVALID_PARAMETERS', name);
  return Number(text);
}

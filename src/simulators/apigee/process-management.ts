import type { Answer } from '../shared/answer.js';
import { matchRoute, type Matched } from '../shared/routing.js';
import { notFoundPage, PermissionDenied, Refusal, refuse } from './answers.js';
import { authenticate } from './auth.js';
import type { Exchange, Route } from './exchange.js';
import { refusals } from './refusals.js';
import { appRoutes } from './routes-apps.js';
import { DEVELOPER_APP, keyRoutes } from './routes-keys.js';
import { keyProductRoutes } from './routes-products.js';
import type { ApigeeRules } from './rules.js';

const routes: readonly Route[] = [...keyRoutes, ...keyProductRoutes, ...appRoutes];

/** The route of a management path below /v1; `/o/` is `/organizations/` on Edge. */
export function matchManagement({ dialect }: ApigeeRules, method: string, path: string): Matched<Route> {
  const full = dialect === 'edge' ? path.replace(/^\/o\//, '/organizations/') : path;
  const known = routes.filter(({ dialects }) => dialects.includes(dialect));
  return matchRoute(known, method, full);
}

/** Decides one management request. */
export function processManagement(
  matched: Matched<Route>,
  exchange: Omit<Exchange, 'params' | 'dialect' | 'view'>,
): Answer {
  const { world, entry } = exchange;
  const { rules, ledger, clock } = world;
  const view = ledger.at(clock.now() - rules.consistencyDelayMs);
  try {
    return decide(matched, { ...exchange, params: matched.params, dialect: rules.dialect, view });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    entry.code = error.code;
    return refuse(error, rules);
  }
}

function decide({ route, template }: Matched<Route>, exchange: Exchange): Answer {
  const { world, headers, entry, params, view } = exchange;
  authenticate(world, headers, entry);
  if (!world.quota.take()) throw refusals.quota(world.rules);
  if (route === null) return notFoundPage;
  const isBareCreate = entry.method === 'POST' && template === `${DEVELOPER_APP}/keys`;
  if (isBareCreate && world.rules.dialect === 'edge' && !world.rules.edgeBareKeysCreate) return notFoundPage;
  const resource = `//apigee.googleapis.com${resourceOf(template, params)}`;
  const isPermitted = world.permissions === null || world.permissions.includes(route.permission);
  if (params['org'] !== view.name || !isPermitted) throw new PermissionDenied(route.permission, resource);
  return route.handle(exchange);
}

const resourceOf = (template: string, params: Readonly<Record<string, string>>): string =>
  template.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '');

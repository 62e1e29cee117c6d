import type { Answer } from '../shared/answer.js';
import { fault, json } from './answers.js';
import type { Exchange } from './exchange.js';
import type { ApigeeRules } from './rules.js';
import { type Proxy, unresolvedKey } from './verify.js';

/** The proxy of a runtime path and what follows its base path; the longest base path wins. */
function matchProxy(proxies: readonly Proxy[], path: string): { proxy: Proxy; suffix: string } | undefined {
  const hits = proxies.filter(({ basePath }) => path === basePath || path.startsWith(`${basePath}/`));
  const [proxy] = hits.toSorted((a, b) => b.basePath.length - a.basePath.length);
  return proxy === undefined ? undefined : { proxy, suffix: path.slice(proxy.basePath.length) };
}

/** Decides one request of the runtime plane: VerifyAPIKey in front of a backend that always answers 200. */
export function processRuntime({ world, entry, headers, query }: RuntimeExchange, path: string): Answer {
  const { rules } = world;
  const matched = matchProxy(world.proxies, path);
  if (matched === undefined) {
    entry.code = 'messaging.adaptors.http.flow.ApplicationNotFound';
    return fault(404, entry.code, `Unable to identify proxy for host: default and url: ${path}`);
  }
  const consumerKey = keyOfRequest(rules, headers, query);
  if (consumerKey === undefined) {
    const { status, errorcode, faultstring } = unresolvedKey(rules.apiKeyHeader);
    entry.code = errorcode;
    return fault(status, errorcode, faultstring);
  }
  const { processor, fault: found } = world.runtime.verify(consumerKey, matched.proxy, matched.suffix);
  entry.processor = processor;
  entry.credential.outcome = found === null ? 'accepted' : 'refused';
  entry.code = found?.errorcode ?? null;
  if (found !== null) return fault(found.status, found.errorcode, found.faultstring);
  return json(200, { proxy: matched.proxy.name, environment: matched.proxy.environment }, rules.dialect);
}

type RuntimeExchange = Pick<Exchange, 'world' | 'entry' | 'headers' | 'query'>;

/** The key of a runtime request: the header, or else the query parameter. */
export function keyOfRequest(
  { apiKeyHeader, apiKeyQuery }: ApigeeRules,
  headers: Exchange['headers'],
  query: URLSearchParams,
): string | undefined {
  const value = headers[apiKeyHeader]?.toString() ?? query.get(apiKeyQuery) ?? '';
  return value === '' ? undefined : value;
}

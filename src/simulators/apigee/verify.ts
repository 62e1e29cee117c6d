import {
  type Association,
  findDeveloper,
  findKey,
  findProduct,
  type Organization,
  type Product,
} from './organization.js';
import type { ApigeeRules } from './rules.js';

/** A deployed API proxy. */
export interface Proxy {
  readonly name: string;
  readonly environment: string;
  readonly basePath: string;
}

export interface KeyFault {
  readonly status: number;
  readonly errorcode: string;
  readonly faultstring: string;
}

const keyFault = (errorcode: string, faultstring: string, status = 401): KeyFault => ({
  status,
  errorcode,
  faultstring,
});

const notForResource = keyFault('oauth.v2.InvalidApiKeyForGivenResource', 'Invalid ApiKey for given resource');
const invalidKey = keyFault('oauth.v2.InvalidApiKey', 'Invalid ApiKey');

/** The fault for a request without any key. */
export const unresolvedKey = (header: string): KeyFault =>
  keyFault('steps.oauth.v2.FailedToResolveAPIKey', `Failed to resolve API Key variable request.header.${header}`);

/**
 * What VerifyAPIKey says of a key for one proxy, with `organization` as the message processor knows it; null: it passes.
 * The order of the checks is that of Google's own open-source verifier (apid/apidVerifyApiKey): key, its status and expiry,
 * app, developer, product, path, proxy, environment. `suffix` is what follows the base path; null: any path that a product allows.
 */
export function keyFaultOf(
  organization: Organization,
  consumerKey: string,
  proxy: Proxy,
  suffix: string | null,
  { atMs, rules }: { atMs: number; rules: ApigeeRules },
): KeyFault | null {
  const found = findKey(organization, consumerKey);
  if (found === undefined) return invalidKey;
  const { app, key } = found;
  if (key.products.length === 0 && rules.keyWithoutProducts === 'invalid-key') return invalidKey;
  if (key.status !== 'approved') return keyFault('oauth.v2.ApiKeyNotApproved', 'ApiKey not approved');
  if (key.expiresAtMs !== null && atMs >= key.expiresAtMs) {
    return keyFault('keymanagement.service.consumer_key_expired', 'Key Expired', rules.expiredKeyStatus);
  }
  if (app.status !== 'approved') {
    return keyFault('keymanagement.service.invalid_client-app_not_approved', 'Invalid Client: App not approved');
  }
  if (app.owner.kind === 'developer' && findDeveloper(organization, app.owner.name)?.status !== 'active') {
    return keyFault('keymanagement.service.DeveloperStatusNotActive', 'Developer Status is not Active');
  }
  if (key.products.length === 0) {
    const code = 'keymanagement.service.consumer_key_missing_api_product_association';
    return keyFault(code, 'Consumer key is not associated with an API product');
  }
  return key.products.some((one) => opens(organization, one, proxy, suffix)) ? null : notForResource;
}

function opens(
  organization: Organization,
  { apiproduct, status }: Association,
  proxy: Proxy,
  suffix: string | null,
): boolean {
  const product = findProduct(organization, apiproduct);
  if (status !== 'approved' || product === undefined) return false;
  return (
    isPathOf(product, suffix) && holds(product.proxies, proxy.name) && holds(product.environments, proxy.environment)
  );
}

const holds = (names: readonly string[], name: string): boolean => names.length === 0 || names.includes(name);

/** `/` and `/**` are every path; `/x/**` everything below /x; `*` one segment (ApiProduct.apiResources). */
function isPathOf({ paths }: Product, suffix: string | null): boolean {
  if (suffix === null || paths.length === 0 || paths.includes('/')) return true;
  return paths.some((path) => patternOf(path).test(suffix === '' ? '/' : suffix));
}

function patternOf(path: string): RegExp {
  const segments = path.split('/').map((segment) => {
    if (segment === '**') return '.*';
    return segment === '*' ? '[^/]+' : segment.replaceAll(/[^A-Za-z0-9_-]/g, String.raw`\$&`);
  });
  return new RegExp(`^${segments.join('/')}$`);
}

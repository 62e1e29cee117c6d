import { Refusal } from './answers.js';
import type { ApigeeRules } from './rules.js';

/**
 * The refusals of the key store, with the texts that live tests of published clients assert. No primary source shows a body for
 * wrong input, unknown products or scopes: those codes are invented, and a client must go by the status.
 */
export const refusals = {
  noDeveloper: (developer: string, organization: string) =>
    new Refusal(
      404,
      'developer.service.DeveloperDoesNotExist',
      `DeveloperId ${developer} does not exist in organization ${organization}`,
      developer,
    ),
  noAppGroup: (group: string) =>
    new Refusal(404, 'appgroup.service.AppGroupDoesNotExist', `AppGroup ${group} does not exist`, group),
  noApp: (app: string, owner: string) =>
    new Refusal(404, 'developer.service.AppDoesNotExist', `App named ${app} does not exist under ${owner}`, app),
  noKey: (consumerKey: string) =>
    new Refusal(
      404,
      'keymanagement.service.InvalidClientIdForGivenApp',
      'Invalid consumer key for Given App',
      consumerKey,
    ),
  /** The status 409 is ABORTED on X, which elsewhere at Google means "retry": here it does not. */
  keyExists: (consumerKey: string) =>
    new Refusal(409, 'keymanagement.service.ConsumerKeyAlreadyExists', 'ConsumerKey already exists', consumerKey),
  /** On Edge a 500 that is not transient. */
  notAssociated: (product: string) =>
    new Refusal(
      { x: 400, edge: 500 },
      'keymanagement.service.ProductNotAssociatedWithKey',
      'APIProduct is not associated with consumer key',
      product,
    ),
  noProduct: (product: string, { unknownProductStatus }: ApigeeRules) =>
    new Refusal(
      unknownProductStatus,
      'keymanagement.service.apiproduct_doesnot_exist',
      `ApiProduct [${product}] does not exist`,
      product,
    ),
  badScope: (scope: string) =>
    new Refusal(400, 'keymanagement.service.InvalidScopes', `Scope ${scope} is not defined by an API product`, scope),
  badExpiry: (name: string) =>
    new Refusal(400, 'keymanagement.service.InvalidValueForExpiresIn', `Invalid value for ${name}`, name),
  tooManyKeys: (app: string) => new Refusal(400, 'keymanagement.service.KeyLimitReached', 'Too many keys', app),
  badInput: (message: string, subject = '') => new Refusal(400, 'InvalidArgument', message, subject),
  unauthenticated: () =>
    new Refusal(
      401,
      'Unauthorized',
      'Request had invalid authentication credentials. Expected OAuth 2 access token.',
      '',
      {
        'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
      },
    ),
  quota: ({ edgeQuotaStatus, quotaRetryAfterSeconds }: ApigeeRules) =>
    new Refusal(
      { x: 429, edge: edgeQuotaStatus },
      'QuotaExceeded',
      "Quota exceeded for quota metric 'Apigee API calls' and limit 'Apigee API calls per minute'",
      '',
      quotaRetryAfterSeconds === null ? {} : { 'retry-after': String(quotaRetryAfterSeconds) },
    ),
} as const;

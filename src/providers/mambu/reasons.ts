import { z } from 'zod';
import { parseJson, vendorReason } from '../answers.js';
import type { ProviderAnswer } from '../provider.js';

/** Mambu's numbers (API response error codes; ReturnCode of its Java models), for answers whose reason is missing or unreadable. */
const reasonOfNumber: ReadonlyMap<string, string> = new Map([
  ['2', 'INVALID_CREDENTIALS'],
  ['7', 'API_NOT_AUTHORIZED'],
  ['15', 'INVALID_PERMISSIONS'],
  ['16', 'INVALID_IP_ADDRESS'],
  ['17', 'INACTIVE_USER'],
  ['18', 'NO_API_ACCESS'],
  ['19', 'FEATURE_DISABLED'],
  ['24', 'EXCESSIVE_INVALID_REQUESTS'],
  ['32', 'READ_ONLY_MODE'],
  ['60', 'BLOCKING_OPERATION_IN_PROGRESS'],
]);

/** What 404 is about when it is not about the key that the path names. */
const consumerReasons = new Set(['INVALID_API_CONSUMER_ID', 'INVALID_CLIENT_ID']);

const oneError = z.object({
  errorCode: z.union([z.number(), z.string()]).nullish(),
  errorReason: z.unknown().optional(),
});
const v1Error = z.object({ returnCode: z.union([z.number(), z.string()]), returnStatus: z.unknown().optional() });
const errorBody = z.union([
  z.object({ errors: z.array(oneError).min(1) }).transform(({ errors }) => errors),
  v1Error.transform(({ returnCode, returnStatus }) => [{ errorCode: returnCode, errorReason: returnStatus }]),
  oneError.transform((error) => [error]),
]);

/**
 * Mambu's reasons for a refusal. Reads the documented envelope `{errors: [...]}`, the bare object that one page shows, and
 * `returnCode`/`returnStatus` of v1, with numbers or strings; empty for anything else (gateways answer in HTML).
 */
export function reasonsOf(answer: ProviderAnswer): readonly string[] {
  const body = errorBody.safeParse(parseJson(answer.text));
  return (body.data ?? []).flatMap(({ errorCode, errorReason }) => {
    const reason = vendorReason(errorReason) ?? reasonOfNumber.get(String(errorCode));
    return reason === undefined ? [] : [reason];
  });
}

export const isSuccess = (answer: ProviderAnswer): boolean => answer.status >= 200 && answer.status < 300;

export const isAboutConsumer = (reasons: readonly string[]): boolean => reasons.some((one) => consumerReasons.has(one));

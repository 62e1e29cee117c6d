import { z } from 'zod';
import { parseJson } from '../answers.js';
import type { ProviderAnswer } from '../provider.js';

/** What the body of a refusal says, by allow-list: vendors' texts quote consumer keys, and not one word of them is passed on. */
export interface Envelope {
  /** Whether it has a form of Apigee at all; a gateway in between answers otherwise. */
  readonly isApigee: boolean;
  /** One of `knownCodes`. */
  readonly code: KnownCode | null;
  /** The IAM permission that Google names as missing. */
  readonly permission: string | null;
}

/** Apigee's own codes on which anything depends. X has them as type of a violation, or not at all: then by the text. */
const codes = {
  'keymanagement.service.ConsumerKeyAlreadyExists': /^ConsumerKey already exists$/,
  'keymanagement.service.InvalidClientIdForGivenApp': /^Invalid consumer key for Given App$/,
  'keymanagement.service.ProductNotAssociatedWithKey': /^APIProduct is not associated with consumer key$/,
  'keymanagement.service.InvalidValueForExpiresIn': null,
  'keymanagement.service.apiproduct_doesnot_exist': null,
  'developer.service.AppDoesNotExist': /^App named .* does not exist under /,
  'developer.service.DeveloperDoesNotExist': /^DeveloperId .* does not exist in organization /,
  'appgroup.service.AppGroupDoesNotExist': /^AppGroup .* does not exist/,
  QuotaExceeded: /^Quota exceeded /,
} as const satisfies Readonly<Record<string, RegExp | null>>;

export type KnownCode = keyof typeof codes;

const knownCode = (code: string | undefined): KnownCode | null =>
  code !== undefined && Object.hasOwn(codes, code) ? (code as KnownCode) : null;

function codeOfText(text: string | undefined): KnownCode | null {
  const hit = Object.entries(codes).find(([, pattern]) => text !== undefined && pattern?.test(text));
  return knownCode(hit?.[0]);
}

const text = z.string().optional().catch(undefined);

const detail = z.object({
  violations: z
    .array(z.object({ type: text }))
    .optional()
    .catch(undefined),
  metadata: z.object({ permission: text }).optional().catch(undefined),
});

/** Apigee X: google.rpc.Status, with the code of Edge as type of a violation. */
const googleSchema = z.object({
  error: z.object({ code: z.number(), message: text, details: z.array(detail).optional().catch(undefined) }),
});

/** Classic Edge. */
const edgeSchema = z.object({ code: z.string(), message: text });

/** Edge sometimes, the runtime always. */
const faultSchema = z.object({
  fault: z.object({ faultstring: text, detail: z.object({ errorcode: text }).optional().catch(undefined) }),
});

const none: Envelope = { isApigee: false, code: null, permission: null };

const ofParts = (code: string | undefined, message: string | undefined): Envelope => ({
  isApigee: true,
  code: knownCode(code) ?? codeOfText(message),
  permission: null,
});

/** Reads the envelopes of X, of Edge, `fault{}` and Edge's XML. */
export function envelopeOf(answer: ProviderAnswer): Envelope {
  const body = parseJson(answer.text);
  if (body === undefined) return xmlEnvelope(answer.text);
  const google = googleSchema.safeParse(body).data;
  if (google !== undefined) {
    const { message, details = [] } = google.error;
    const types = details.flatMap(({ violations = [] }) => violations.map(({ type }) => knownCode(type)));
    const permissions = details.map(({ metadata }) => metadata?.permission ?? '');
    return {
      isApigee: true,
      code: types.find((type) => type !== null) ?? codeOfText(message),
      permission: permissions.find((name) => /^apigee\.[a-z]{1,40}\.[a-z]{1,40}$/i.test(name)) ?? null,
    };
  }
  const edge = edgeSchema.safeParse(body).data;
  if (edge !== undefined) return ofParts(edge.code, edge.message);
  const fault = faultSchema.safeParse(body).data?.fault;
  return fault === undefined ? none : ofParts(fault.detail?.errorcode, fault.faultstring);
}

function xmlEnvelope(xml: string): Envelope {
  if (!/^\s*(?:<\?xml[^>]{0,100}\?>\s*)?<(?:Error|fault)>/.test(xml)) return none;
  const element = (name: string): string | undefined =>
    new RegExp(`<${name}>([^<]{0,500})</${name}>`, 'i').exec(xml)?.[1];
  return ofParts(element('Code') ?? element('errorcode'), element('Message') ?? element('faultstring'));
}

/** The error code of a runtime fault; null where the answer is none. It is compared only, never shown. */
export function faultCodeOf(answer: ProviderAnswer): string | null {
  return faultSchema.safeParse(parseJson(answer.text)).data?.fault.detail?.errorcode ?? null;
}

/** How a webhook is refused: what the sender is told, and what the log says. */
import type { ErrorCode } from '../domain/errors.js';
import type { Logger } from '../telemetry/log.js';
import { type WebhookReason, webhookReasons } from '../telemetry/metrics.js';
import type { Failure } from './envelope.js';
import { createBucket, type TokenBucket } from './rate.js';
import { cleaned } from './webhook-request.js';

export type RefusalReason = Exclude<WebhookReason, 'accepted' | 'internal'>;

const sendAgain = 'Send it again: one delivery causes one rotation, however often it comes.';

export const refusals: Readonly<Record<RefusalReason, Failure>> = {
  'consumer-missing': {
    code: 'KT-INPUT',
    message: 'the header apiConsumerId is missing',
    hint: 'Add the custom request header apiConsumerId in Mambu, or use the path /webhooks/mambu/CREDENTIAL.',
  },
  'body-unread': { code: 'KT-INPUT', message: 'the body could not be read', hint: sendAgain },
  'auth-not-configured': {
    code: 'KT-FORBIDDEN',
    message: 'webhooks are refused: webhooks.mambu.auth is not configured',
    hint: 'Configure `webhooks.mambu.auth` in keyturn.yaml and the same header or Basic authorization in Mambu.',
  },
  unauthenticated: {
    code: 'KT-FORBIDDEN',
    message: 'the webhook does not carry what webhooks.mambu.auth asks for',
    hint: 'Compare the custom request headers or the authorization of the webhook in Mambu with keyturn.yaml.',
  },
  'unknown-consumer': {
    code: 'KT-UNKNOWN-CREDENTIAL',
    message: 'no credential of this route has this consumer',
    hint: 'Compare the header apiConsumerId with `consumerId`, `consumerIdAliases` and `webhook` in keyturn.yaml.',
  },
  'method-not-allowed': { code: 'KT-INPUT', message: 'webhooks are sent by POST', hint: 'Choose POST in Mambu.' },
  'too-large': {
    code: 'KT-INPUT',
    message: 'the body is larger than 64 KiB',
    hint: 'Shorten the template in Mambu: keyturn only needs the bodies of two events to differ.',
  },
  'unsupported-type': {
    code: 'KT-INPUT',
    message: 'the content type is neither JSON, text nor XML',
    hint: 'Choose application/json, text/plain or application/xml in Mambu.',
  },
  'rate-limited': { code: 'KT-CONFLICT', message: 'too many webhooks at once', hint: sendAgain },
  'rate-limited-unauthenticated': {
    code: 'KT-CONFLICT',
    message: 'too many unauthenticated webhooks at once',
    hint: 'Mend the authentication: authenticated webhooks are still accepted.',
  },
  'foreign-workflow': {
    code: 'KT-STORE-FOREIGN',
    message: 'the workflow of this credential belongs to another installation',
    hint: 'Check `store` and `temporal` in the keyturn.yaml of this server: two installations share a namespace.',
  },
  backlog: {
    code: 'KT-NO-WORKER',
    message: 'hundreds of requests for this credential wait for a worker already',
    hint: 'Start a worker: those that wait give one rotation. Then send it again, if it is still wanted.',
  },
  'temporal-unreachable': {
    code: 'KT-TEMPORAL-UNREACHABLE',
    message: 'Temporal has not accepted the request',
    hint: sendAgain,
  },
};

const authNotConfigured =
  'Mambu\'s own recipe says "No authorization", so anybody could ask for a rotation: set a custom request header ' +
  '(or Basic authorization) for the webhook in Mambu, put the same value into MAMBU_WEBHOOK_SECRET, and write in keyturn.yaml: ' +
  'webhooks: { mambu: { auth: { kind: header, name: x-keyturn-secret, value: "${env:MAMBU_WEBHOOK_SECRET}" } } }';

export interface RefusalFacts {
  readonly consumerId: string | null;
  readonly from: string | null;
  /** Of the error behind it, if there is one. */
  readonly code: ErrorCode | undefined;
}

/** Per reason ten lines at once, then one in ten seconds that says how many were left out: a flood must not fill the disk. */
export function refusalLog(log: Logger): (reason: RefusalReason, facts: RefusalFacts) => void {
  const reasons = new Map<RefusalReason, { readonly bucket: TokenBucket; left: number }>();
  return (reason, { consumerId, from, code }) => {
    const known = reasons.get(reason) ?? { bucket: createBucket({ burst: 10, perSecond: 0.1 }), left: 0 };
    reasons.set(reason, known);
    if (known.bucket.take() > 0) {
      known.left += 1;
      return;
    }
    const facts = {
      reason,
      answer: webhookReasons[reason],
      ...(consumerId === null ? {} : { apiConsumerId: cleaned(consumerId) }),
      ...(from === null ? {} : { from }),
      ...(code === undefined ? {} : { code }),
      ...(known.left === 0 ? {} : { notLogged: known.left }),
    };
    known.left = 0;
    const why = reason === 'auth-not-configured' ? authNotConfigured : refusals[reason].hint;
    log.warn(facts, `webhook refused: ${refusals[reason].message}. ${why}`);
  };
}

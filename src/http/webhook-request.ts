/** What is read of a webhook: its body is only hashed, its text is foreign. */
import { createHash } from 'node:crypto';
import type { CredentialConfig } from '../config.js';

export const MAX_BODY_BYTES = 64 * 1024;

/** Mambu sends JSON, text or XML as the template says, and nothing forces a type on a test by hand (Mambu docs, webhook notifications). */
export function isAcceptedType(contentType: string | null): boolean {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return type === '' || /^(?:text\/[\w.+-]+|application\/(?:[\w.-]+\+)?(?:json|xml))$/.test(type);
}

export type Body = { readonly bytes: Uint8Array } | 'too-large' | 'body-unread';

/** Stops reading as soon as the limit is passed, whatever the request says about its length. */
export async function readBody(request: Request): Promise<Body> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) return 'too-large';
  if (request.body === null) return { bytes: new Uint8Array() };
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { bytes: Buffer.concat(chunks) };
      size += value.length;
      if (size > MAX_BODY_BYTES) return 'too-large';
      chunks.push(value);
    }
  } catch {
    return 'body-unread'; // the sender has gone, or its framing was wrong
  }
}

/**
 * One delivery, one id. Mambu's own key is the same for every automatic retry and new for a manual resend; it is there only where the
 * tenant has that feature (Mambu docs, webhook notifications). Without it the body stands for the delivery.
 */
export function requestIdFor(
  { webhook }: CredentialConfig,
  idempotencyKey: string | null,
  { bytes }: { readonly bytes: Uint8Array },
): string {
  if (idempotencyKey !== null && /^[A-Za-z0-9._:-]{1,128}$/.test(idempotencyKey)) return `mambu-id/${idempotencyKey}`;
  const [configuredId = ''] = webhook.consumerIds;
  return `mambu/${createHash('sha256').update(`${configuredId}\n`).update(bytes).digest('hex')}`;
}

/** Fit for a log line: printable ASCII, short. */
export function cleaned(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7E]/g, '?');
  return printable.length > 64 ? `${printable.slice(0, 64)}…` : printable;
}

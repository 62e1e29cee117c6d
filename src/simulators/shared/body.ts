import type { IncomingHttpHeaders } from 'node:http';

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The media type of the body, without parameters; undefined where none is named. */
export const mediaType = (headers: IncomingHttpHeaders): string | undefined =>
  headers['content-type']?.split(';')[0]?.trim().toLowerCase();

/** The parsed body; throws what `refusal` makes where it is no JSON. */
export function parsedBody(rawBody: Buffer, refusal: () => Error): unknown {
  try {
    return JSON.parse(rawBody.toString('utf8'));
  } catch {
    throw refusal();
  }
}

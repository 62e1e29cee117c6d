import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.js';
import type { Spoiler } from './faults.js';

/** How an answer goes out on the wire. */
export type Delivery =
  { readonly kind: 'whole' | 'half'; readonly answer: Answer } | { readonly kind: 'reset' | 'drop' };

/** What the faults need to know of the system that they spoil. */
export interface Flavour {
  /** Where a redirect points unless the fault says. */
  readonly redirectTo: string;
  /** The body of `garbage` unless the fault says. */
  readonly garbage: string;
  /** The fields that `answer-for-another` replaces unless the fault says. */
  readonly anotherFields: readonly string[];
  /** A value that could stand in that field, of somebody else. */
  fresh(field: string): string;
}

const whole = (answer: Answer): Delivery => ({ kind: 'whole', answer });

const GATEWAY_ERROR = '<html><body><h1>upstream</h1></body></html>';

/** What a fault does without the system ever seeing the request; null when the system has to process it. */
export function insteadOfProcessing(fault: Spoiler | null, flavour: Flavour): Delivery | null {
  switch (fault?.action) {
    case 'fail-before':
      return fault.reset ? { kind: 'reset' } : replacement(fault, flavour);
    case 'status':
    case 'redirect':
      return fault.commit ? null : replacement(fault, flavour);
    default:
      return null;
  }
}

/** What a fault makes of an answer. */
export function afterProcessing(fault: Spoiler | null, answer: Answer, flavour: Flavour): Delivery {
  switch (fault?.action) {
    case undefined:
      return whole(answer);
    case 'drop-after-commit':
      return { kind: 'drop' };
    case 'truncate':
      return { kind: 'half', answer };
    case 'garbage':
      return whole({ ...answer, body: fault.body ?? flavour.garbage });
    case 'answer-for-another':
      return whole(aboutAnother(answer, fault.fields ?? flavour.anotherFields, flavour));
    case 'fail-before':
    case 'status':
    case 'redirect':
      return replacement(fault, flavour);
    default:
      return fault satisfies never;
  }
}

function replacement(
  fault: Extract<Spoiler, { action: 'fail-before' | 'status' | 'redirect' }>,
  flavour: Flavour,
): Delivery {
  if (fault.action === 'redirect') {
    return whole({ status: fault.status, headers: { location: fault.location ?? flavour.redirectTo }, body: '' });
  }
  const headers = { 'content-type': 'text/html', ...fault.headers };
  return whole({ status: fault.status, headers, body: fault.body ?? GATEWAY_ERROR });
}

/** The same answer with fresh random values in `fields`, wherever they stand: right in shape, about another key. */
function aboutAnother(answer: Answer, fields: readonly string[], flavour: Flavour): Answer {
  if (!answer.headers['content-type']?.includes('json')) return answer;
  const body: unknown = JSON.parse(answer.body, (field: string, value: unknown) =>
    fields.includes(field) && typeof value === 'string' ? flavour.fresh(field).slice(0, value.length) : value,
  );
  return { ...answer, body: JSON.stringify(body) };
}

/** Sends it. Resolves with the status that went out, or null when none did. */
export async function deliver(response: ServerResponse, delivery: Delivery): Promise<number | null> {
  const { socket } = response;
  switch (delivery.kind) {
    case 'reset':
      socket?.resetAndDestroy();
      return null;
    case 'drop':
      socket?.destroy();
      return null;
    case 'whole':
    case 'half': {
      const { status, headers, body } = delivery.answer;
      if (socket?.writable !== true) return null;
      const bytes = Buffer.from(body);
      response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': String(bytes.length) });
      if (delivery.kind === 'whole') {
        response.end(bytes);
        return status;
      }
      await new Promise<void>((sent) => response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => sent()));
      socket.destroy();
      return status;
    }
    default:
      return delivery satisfies never;
  }
}

import type { Answer } from '../shared/answer.js';
import { Refusal } from './answers.js';
import type { VirtualClock } from '../shared/clock.js';
import type { TenantRules } from './rules.js';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

interface Remembered {
  readonly fingerprint: string;
  readonly sinceMs: number;
  readonly settled: Promise<Answer>;
  answer: Answer | null;
}

type Turn =
  | { readonly kind: 'first'; finish(answer: Answer): void }
  | { readonly kind: 'replay'; readonly answer: Answer }
  | { readonly kind: 'in-progress'; readonly settled: Promise<Answer> };

/** Mambu's idempotency (Mambu docs, API v2, Idempotency): v4 UUIDs, status and body kept for six hours, 400 never kept. */
export interface IdempotencyMemory {
  /** @throws Refusal 400 for a key that is no v4 UUID, and for another request under a known key where the rules say so */
  begin(key: string, fingerprint: string): Turn;
}

export function createIdempotencyMemory(rules: TenantRules, clock: VirtualClock): IdempotencyMemory {
  const memory = new Map<string, Remembered>();

  function first(key: string, fingerprint: string): Turn {
    let settle: (answer: Answer) => void = () => undefined;
    const settled = new Promise<Answer>((resolve) => (settle = resolve));
    const entry: Remembered = { fingerprint, sinceMs: clock.now(), settled, answer: null };
    memory.set(key, entry);
    return {
      kind: 'first',
      finish(answer) {
        entry.answer = answer;
        settle(answer);
        const isRemembered = answer.status !== 400 && (answer.status < 300 || rules.idempotencyRemembersErrors);
        if (!isRemembered && memory.get(key) === entry) memory.delete(key);
      },
    };
  }

  return {
    begin(key, fingerprint) {
      if (!UUID_V4.test(key)) throw new Refusal(400, 'INVALID_PARAMETERS', 'Idempotency-Key');
      const known = memory.get(key);
      if (known === undefined || clock.now() - known.sinceMs >= rules.idempotencyWindowMs) {
        return first(key, fingerprint);
      }
      if (known.fingerprint !== fingerprint && rules.idempotencyDifferentBody === 'reject') {
        throw new Refusal(400, 'INVALID_PARAMETERS', 'Idempotency-Key');
      }
      if (known.answer === null) return { kind: 'in-progress', settled: known.settled };
      return { kind: 'replay', answer: shown(known.answer, rules) };
    },
  };
}

/** The remembered answer, without its secrets where the tenant does not keep them. */
function shown(answer: Answer, rules: TenantRules): Answer {
  if (rules.idempotencyReplaysSecrets || answer.status >= 300 || answer.body === '') return answer;
  const { apiKey, secretKey: _forgotten, ...rest }: Record<string, unknown> = JSON.parse(answer.body);
  const body = typeof apiKey === 'string' ? { ...rest, apiKey: apiKey.slice(0, 6) } : rest;
  return { ...answer, body: JSON.stringify(body) };
}

/**
 * The provider's truth: a small state machine of keys and secret keys, with its life of every value. It answers requests, and it is the oracle:
 * it knows at which instants a value was accepted.
 */
export interface Key {
  readonly serial: number;
  readonly id: string;
  readonly value: string;
  readonly by: 'ours' | 'others';
  readonly bornAtMs: number;
  /** Grace of a rotation in place, or the key's own lifetime. */
  endsAtMs: number | null;
  deletedAtMs: number | null;
  readonly ttlMs: number | null;
  suspensions: { readonly fromMs: number; toMs: number | null }[];
  scope: readonly string[];
  /** An outsider has deleted it. */
  byOutsider: boolean;
}

export interface SecretKey {
  readonly value: string;
  endsAtMs: number | null;
  /** An outsider has made another one. */
  byOutsider: boolean;
}

export interface SystemRules {
  /** Of a rotation in place; null: there is none. */
  readonly graceMs: number | null;
  readonly rotationKeepsId: boolean;
  readonly replayWindowMs: number;
  readonly ttlMs: number | null;
  /** Who may not: `create-key` is refused with 403. */
  readonly denies: readonly string[];
}

export interface Call {
  readonly kind: string;
  /** Value presented. */
  readonly value: string;
  readonly idempotencyKey: string | null;
  readonly body: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Serials of the keys that the call has made, removed, suspended or restored. */
  readonly touched: readonly number[];
}

const refused: Answer = { status: 401, body: null, touched: [] };
const absent: Answer = { status: 404, body: null, touched: [] };

export class System {
  keys: Key[] = [];
  secrets: SecretKey[] = [];
  replays: { readonly key: string; readonly atMs: number; readonly answer: Answer }[] = [];
  strikes = 0;
  #serial = 0;

  constructor(readonly rules: SystemRules) {}

  add(nowMs: number, by: Key['by'], chosen: Partial<Pick<Key, 'id' | 'value' | 'scope'>> = {}): Key {
    const serial = ++this.#serial;
    const { ttlMs } = this.rules;
    const fresh: Key = {
      serial,
      id: `key-${serial}`,
      value: `value-of-key-${serial}`,
      by,
      bornAtMs: nowMs,
      endsAtMs: ttlMs === null || by === 'others' ? null : nowMs + ttlMs,
      deletedAtMs: null,
      ttlMs: by === 'others' ? null : ttlMs,
      suspensions: [],
      scope: ['orders'],
      byOutsider: false,
      ...chosen,
    };
    this.keys.push(fresh);
    return fresh;
  }

  addSecret(): SecretKey {
    const secret = { value: `secret-${++this.#serial}`, endsAtMs: null, byOutsider: false };
    this.secrets.push(secret);
    return secret;
  }

  /** There is one for an account: the one before ends at once. */
  replaceSecret(nowMs: number, byOutsider = false): SecretKey {
    for (const s of this.secrets.filter(({ endsAtMs }) => endsAtMs === null || endsAtMs > nowMs))
      Object.assign(s, { endsAtMs: nowMs, byOutsider });
    return this.addSecret();
  }

  keyOf(value: string): Key | undefined {
    return this.keys.find((k) => k.value === value);
  }

  accepts(value: string, nowMs: number): boolean {
    const key = this.keyOf(value);
    return key !== undefined && isAccepted(key, nowMs);
  }

  acceptsSecret(value: string, nowMs: number): boolean {
    return this.secrets.some((s) => s.value === value && (s.endsAtMs === null || nowMs < s.endsAtMs));
  }

  listed(nowMs: number): readonly Key[] {
    return this.keys.filter((k) => k.deletedAtMs === null && (k.endsAtMs === null || nowMs < k.endsAtMs));
  }

  /** @param lagging fresh values are not accepted yet */
  handle(call: Call, nowMs: number, lagging = false): Answer {
    const isSecret = call.kind === 'rotate';
    const known = isSecret ? this.acceptsSecret(call.value, nowMs) : this.accepts(call.value, nowMs) && !lagging;
    if (!known) {
      this.strikes += 1;
      return refused;
    }
    const replay = this.replays.find(
      (r) => r.key === call.idempotencyKey && nowMs < r.atMs + this.rules.replayWindowMs,
    );
    if (replay) return { ...replay.answer, touched: [] };
    if (this.rules.denies.includes(call.kind)) return { status: 403, body: null, touched: [] };
    const answer = this.#perform(call, nowMs);
    if (call.idempotencyKey !== null && call.kind !== 'rotate' && this.rules.replayWindowMs > 0)
      this.replays.push({ key: call.idempotencyKey, atMs: nowMs, answer });
    return answer;
  }

  #perform({ kind, body }: Call, nowMs: number): Answer {
    switch (kind) {
      case 'list':
        return { status: 200, body: this.listed(nowMs), touched: [] };
      case 'create-key':
        return created(this.add(nowMs, 'ours'));
      case 'create-chosen': {
        if (this.listed(nowMs).some((k) => k.id === body['id'])) return { status: 409, body: null, touched: [] };
        // A key of its own choosing may do nothing yet.
        const chosen = { id: body['id'] ?? '', value: body['value'] ?? '', scope: [] };
        return created(this.add(nowMs, 'ours', chosen));
      }
      case 'find': {
        const found = this.listed(nowMs).find((k) => k.id === body['id']);
        return found ? { status: 200, body: found, touched: [] } : absent;
      }
      case 'rotate':
        return this.#rotate(body['value'] ?? '', nowMs);
      case 'create-secret':
        return { status: 201, body: this.replaceSecret(nowMs), touched: [] };
      case 'equip': {
        for (const k of this.listed(nowMs)) if (k.id === body['id']) k.scope = (body['scope'] ?? '').split(' ');
        return { status: 200, body: null, touched: [] };
      }
      case 'delete':
      case 'suspend':
      case 'restore':
        return this.#end(kind, body['id'] ?? '', nowMs);
      default:
        throw new Error(`the model knows no ${kind}`);
    }
  }

  #rotate(value: string, nowMs: number): Answer {
    const old = this.keyOf(value);
    if (!old || !isAccepted(old, nowMs)) return refused;
    const endsAtMs = nowMs + (this.rules.graceMs ?? 0);
    for (const s of this.secrets) s.endsAtMs = Math.min(s.endsAtMs ?? endsAtMs, endsAtMs);
    old.endsAtMs = Math.min(old.endsAtMs ?? endsAtMs, endsAtMs);
    const key = this.add(nowMs, 'ours', { scope: old.scope, ...(this.rules.rotationKeepsId ? { id: old.id } : {}) });
    const secretKey = this.addSecret().value;
    return { status: 200, body: { ...key, secretKey }, touched: [key.serial] };
  }

  /** By id: every living value that has it. */
  #end(kind: 'delete' | 'suspend' | 'restore', id: string, nowMs: number): Answer {
    const named = this.listed(nowMs).filter((k) => k.id === id);
    if (named.length === 0) return absent;
    for (const key of named) {
      const open = key.suspensions.find((s) => s.toMs === null);
      if (kind === 'delete') key.deletedAtMs = nowMs;
      else if (kind === 'suspend' && !open) key.suspensions.push({ fromMs: nowMs, toMs: null });
      else if (kind === 'restore' && open) open.toMs = nowMs;
    }
    return { status: 204, body: null, touched: named.map((k) => k.serial) };
  }
}

function created(key: Key): Answer {
  return { status: 201, body: { ...key }, touched: [key.serial] };
}

export function isAccepted(key: Key, atMs: number): boolean {
  return firstRefusalMs(key, atMs, atMs + 1) === null;
}

/** The first instant in [from, to) at which the key is not accepted; null: it always is. */
export function firstRefusalMs(key: Key, fromMs: number, toMs: number): number | null {
  const times = [
    fromMs < key.bornAtMs ? fromMs : Infinity,
    Math.max(key.endsAtMs ?? Infinity, fromMs),
    Math.max(key.deletedAtMs ?? Infinity, fromMs),
    ...key.suspensions.filter((s) => s.toMs === null || s.toMs > fromMs).map((s) => Math.max(s.fromMs, fromMs)),
  ];
  const first = Math.min(...times);
  return first < toMs ? first : null;
}

/** One attempt of a step on some worker, and what the environment does to it at the store and on the wire. */
import type { Opened } from '../../src/custody/custody.js';
import { ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import type { HttpClient } from '../../src/providers/http.js';
import type { ProviderAnswer, ProviderRequest } from '../../src/providers/provider.js';
import { minute, second } from './scenario.js';
import { storeDown, type Gate } from './store.js';
import type { Answer, Call } from './system.js';

/** A worker that sleeps through its heartbeats: the workflow counts it as lost, and it wakes up all the same. */
export const LONG_SLEEP_MS = 10 * minute;
const SHORT_SLEEP_MS = 4 * second;
/** A provider may take a fresh key for unknown as long as its caches live. */
const LAG_MS = 5 * minute;

export interface Surroundings {
  choose<T extends string>(point: string, options: readonly [T, ...T[]]): T;
  now(): number;
  later(inMs: number, what: string, run: () => void): void;
  /** The worker is gone, or counts as gone: its result reaches nobody. `dead`: it does nothing any more either. */
  lose(dead: boolean): void;
  /** A request leaves the worker; `arrive` is when it reaches the provider. */
  depart(call: Call): Departure;
  arrive(departure: Departure, lagging: boolean): Answer;
  readonly faults: boolean;
  readonly httpTimeoutMs: number;
  bornAtMs(value: string): number | null;
  /** The value that a call asks for becomes somebody else's. */
  take(call: Call): void;
}

/** A request on the wire, and the record as it was when it left. */
export interface Departure {
  readonly call: Call;
  readonly atMs: number;
  readonly under: Opened | null;
  readonly order: number;
  /** The attempt that sent it. */
  readonly by: string;
}

const forever = (): Promise<never> => new Promise(() => undefined);

export class AttemptGate implements Gate {
  #reads = 0;
  #writes = 0;
  #sends = 0;
  /** How far the attempt has come, for the state's text. */
  readonly log: string[] = [];

  constructor(
    private readonly name: string,
    private readonly s: Surroundings,
  ) {}

  async read(): Promise<void> {
    this.#reads += 1;
    if (!this.s.faults) return;
    const what = this.s.choose(`${this.name} read ${this.#reads}`, ['ok', 'down', 'sleeps', 'naps']);
    this.log.push(what);
    if (what === 'down') throw storeDown();
    if (what !== 'ok') await this.#sleep(what);
  }

  async write<T>(apply: () => T): Promise<T> {
    this.#writes += 1;
    if (!this.s.faults) return apply();
    const options = [
      'ok',
      'down',
      'written, answer lost',
      'dies before',
      'dies after',
      'sleeps before',
      'sleeps after',
    ] as const;
    const what = this.s.choose(`${this.name} write ${this.#writes}`, options);
    this.log.push(what);
    switch (what) {
      case 'ok':
        return apply();
      case 'down':
        throw storeDown();
      case 'written, answer lost':
        apply();
        throw storeDown();
      case 'dies before':
        this.s.lose(true);
        return forever();
      case 'dies after':
        apply();
        this.s.lose(true);
        return forever();
      case 'sleeps before':
        await this.#sleep('sleeps');
        return apply();
      case 'sleeps after': {
        const applied = apply();
        await this.#sleep('sleeps');
        return applied;
      }
      default:
        return what satisfies never;
    }
  }

  #sleep(how: 'sleeps' | 'naps'): Promise<void> {
    const ms = how === 'sleeps' ? LONG_SLEEP_MS : SHORT_SLEEP_MS;
    if (how === 'sleeps') this.s.lose(false);
    return new Promise((resolve) => this.s.later(ms, `${this.name} wakes up`, () => resolve()));
  }

  readonly http: HttpClient = {
    send: async (_, request) => {
      const call = callOf(request);
      this.#sends += 1;
      const point = `${this.name} ${call.kind} ${this.#sends}`;
      const answer = await (request.effect === 'read' ? this.#readFrom(point, call) : this.#writeTo(point, call));
      return answered(answer);
    },
  };

  async #readFrom(point: string, call: Call): Promise<Answer> {
    const { s } = this;
    const departs = (): Departure => s.depart(call);
    if (!s.faults) return s.arrive(departs(), false);
    const bornAtMs = s.bornAtMs(call.value);
    const fresh = bornAtMs !== null && s.now() < bornAtMs + LAG_MS;
    const usual = ['ok', 'outage', 'sleeps after'] as const;
    const what = s.choose(point, fresh ? [...usual, 'not accepted yet', 'not accepted yet, sleeps after'] : usual);
    this.log.push(what);
    if (what === 'outage') throw failure('outage', 'KT-PROVIDER-UNREACHABLE');
    const answer = s.arrive(departs(), what.startsWith('not accepted yet'));
    if (what.endsWith('sleeps after')) await this.#sleep('sleeps');
    return answer;
  }

  async #writeTo(point: string, call: Call): Promise<Answer> {
    const { s } = this;
    if (!s.faults) return s.arrive(s.depart(call), false);
    const what = s.choose(point, optionsOf(call));
    this.log.push(what);
    const delayMs = s.httpTimeoutMs - second;
    switch (what) {
      case 'ok':
        return s.arrive(s.depart(call), false);
      case 'not sent':
        throw failure('not-sent', 'KT-PROVIDER-UNREACHABLE');
      case 'request lost':
        s.depart(call);
        throw failure('unknown', 'KT-OUTCOME-UNKNOWN');
      case 'answer lost':
        s.arrive(s.depart(call), false);
        throw failure('unknown', 'KT-OUTCOME-UNKNOWN');
      case 'busy':
        throw failure('busy', 'KT-PROVIDER-BUSY');
      case 'taken':
        s.take(call);
        return s.arrive(s.depart(call), false);
      case 'arrives late': {
        const departure = s.depart(call);
        s.later(delayMs, `${point} arrives`, () => void s.arrive(departure, false));
        await new Promise<void>((resolve) => s.later(s.httpTimeoutMs, `${point} times out`, resolve));
        throw failure('unknown', 'KT-OUTCOME-UNKNOWN');
      }
      case 'dies, arrives late': {
        const departure = s.depart(call);
        s.later(delayMs, `${point} arrives`, () => void s.arrive(departure, false));
        s.lose(true);
        return forever();
      }
      case 'dies before':
        s.lose(true);
        return forever();
      case 'dies after':
        s.arrive(s.depart(call), false);
        s.lose(true);
        return forever();
      case 'answers late': {
        const answer = s.arrive(s.depart(call), false);
        s.lose(false);
        await new Promise<void>((resolve) => s.later(delayMs, `${point} is answered`, resolve));
        return answer;
      }
      default:
        return what satisfies never;
    }
  }
}

const makes: ReadonlySet<string> = new Set(['create-key', 'create-chosen', 'create-secret', 'rotate']);

export const isMaking = (kind: string): boolean => makes.has(kind);

type Wire =
  | 'ok'
  | 'not sent'
  | 'request lost'
  | 'answer lost'
  | 'busy'
  | 'taken'
  | 'arrives late'
  | 'answers late'
  | 'dies, arrives late'
  | 'dies before'
  | 'dies after';

function optionsOf({ kind }: Call): readonly [Wire, ...Wire[]] {
  if (!isMaking(kind)) return ['ok', 'request lost', 'answer lost', 'dies after'];
  const all: readonly [Wire, ...Wire[]] = [
    'ok',
    'not sent',
    'request lost',
    'answer lost',
    'busy',
    'arrives late',
    'answers late',
    'dies, arrives late',
    'dies before',
    'dies after',
  ];
  return kind === 'create-chosen' ? [...all, 'taken'] : all;
}

function failure(failureClass: ProviderFailure['class'], code: string): ProviderFailure {
  return new ProviderFailure({ class: failureClass, code, message: failureClass });
}

function callOf({ path, auth, headers, body }: ProviderRequest): Call {
  return {
    kind: path.slice(1),
    value: auth.kind === 'header' ? auth.value.reveal() : '',
    idempotencyKey: headers?.['idempotency-key'] ?? null,
    body: body === undefined ? {} : (JSON.parse(body.reveal()) as Record<string, string>),
  };
}

function answered({ status, body }: Answer): ProviderAnswer {
  return { status, headers: {}, text: JSON.stringify(body) };
}

/** Values as a rotten store keeps them. */
export function spoilt(next: Opened): Opened {
  const { record, shelf } = next;
  const pending = record.versions.find((v) => v.stage === 'pending');
  const values = shelf.versions[String(pending?.version)];
  if (!pending || !values) return next;
  const fields = { ...values.fields, apiKey: new Secret('rotten') };
  return { record, shelf: { ...shelf, versions: { ...shelf.versions, [pending.version]: { ...values, fields } } } };
}

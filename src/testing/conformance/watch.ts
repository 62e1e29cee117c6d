/** Watches a provider at work: which of its methods makes which request, what it throws, which secrets it has seen. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { errorTable } from '../../domain/errors.js';
import { failureClasses, ProviderFailure } from '../../domain/failure.js';
import type { Secret } from '../../domain/secret.js';
import type { HttpClient } from '../../providers/http.js';
import type { Created, CredentialValues, PreparedIntent, Provider, ProviderContext } from '../../providers/provider.js';
import type { Call, Fault, FaultProxy, Harm } from './faults.js';

/** One request of the provider, as it went out. */
export interface Sent {
  readonly n: number;
  /** Which rotation of this test it belongs to, from 1 on. */
  readonly rotation: number;
  readonly call: Call;
  readonly effect: 'read' | 'write';
  readonly atMs: number;
  readonly harm: Harm | null;
  /** Of a `create`: what it is to make, and whether two of them are the same bytes. */
  readonly kind: PreparedIntent['kind'] | null;
  readonly sameBytes: string;
}

interface Running {
  readonly call: Call;
  readonly kind: PreparedIntent['kind'] | null;
  requests: number;
  writes: number;
}

const calls: readonly string[] = [
  'inventory',
  'create',
  'find',
  'equip',
  'verify',
  'retire',
  'restore',
  'call',
] satisfies Call[];
const isCall = (name: string | symbol): name is Call => typeof name === 'string' && calls.includes(name);
/** Calls that only look. */
const readers: readonly Call[] = ['inventory', 'find', 'verify'];

/** Shorter values would be found by chance. */
const MIN_CANARY_CHARS = 8;

export class Watch {
  readonly sent: Sent[] = [];
  /** Breaches of the provider's contract, in words. */
  readonly breaches: string[] = [];
  /** Texts that came out of keyturn: results, failures, log lines. No secret may be in them. */
  readonly texts: string[] = [];
  /** Counted by whoever starts them. */
  rotations = 0;
  /** Requests to the vendor's API since whoever runs activities has set this to 0. */
  calls = 0;
  readonly #faults: { fault: Fault; left: number }[] = [];
  readonly #secrets = new Set<string>();
  readonly #running = new AsyncLocalStorage<Running>();

  constructor(private readonly now: () => number) {}

  add(fault: Fault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 });
  }

  /** Faults that have hit nothing. */
  unused(): readonly Fault[] {
    return this.#faults.filter(({ fault, left }) => left === (fault.times ?? 1)).map(({ fault }) => fault);
  }

  clearFaults(): void {
    this.#faults.splice(0);
  }

  learn(fields: CredentialValues['fields']): void {
    for (const value of Object.values(fields)) this.#learnOne(value);
  }

  #learnOne(value: Secret): void {
    if (value.reveal().length >= MIN_CANARY_CHARS) this.#secrets.add(value.reveal());
  }

  /** Secrets found in what came out, without showing them. */
  leaks(): readonly string[] {
    return this.texts.flatMap((text) => this.#secretsIn(text).map((form) => `${form} in: ${text.slice(0, 60)}…`));
  }

  #secretsIn(text: string): readonly string[] {
    const forms = [...this.#secrets].flatMap((value) => [
      ['a secret', value] as const,
      ['a secret in base64', Buffer.from(value).toString('base64').replace(/=+$/, '')] as const,
      ['a secret for a URL', encodeURIComponent(value)] as const,
    ]);
    return forms.filter(([, form]) => text.includes(form)).map(([name]) => name);
  }

  /** The same provider; every call is watched. */
  provider<S>(provider: Provider<S>): Provider<S> {
    const watched = {} as Provider<S>;
    return new Proxy(watched, {
      has: (_, name) => Reflect.has(provider, name),
      get: (_, name) => {
        const value: unknown = Reflect.get(provider, name);
        if (typeof value !== 'function') return value;
        if (!isCall(name)) return (...given: unknown[]) => Reflect.apply(value, provider, given);
        return (...given: unknown[]) => this.#watched(name, given, () => Reflect.apply(value, provider, given));
      },
    });
  }

  async #watched(call: Call, given: readonly unknown[], run: () => Promise<unknown>): Promise<unknown> {
    const kind = call === 'create' ? (given[1] as PreparedIntent).kind : null;
    const running: Running = { call, kind, requests: 0, writes: 0 };
    const { credential } = given[0] as ProviderContext<unknown>;
    if (call === 'retire' && given[1] === credential.keyId)
      this.breaches.push('retire was asked to end the key it is called with');
    try {
      const result = await this.#running.run(running, run);
      if (call === 'create' || call === 'find') this.learn((result as Created | null)?.fields ?? {});
      return result;
    } catch (error) {
      this.#judge(call, error);
      throw error;
    } finally {
      if (call === 'create' && running.writes > 1)
        this.breaches.push(`create has sent ${running.writes} writes, not one`);
      if (readers.includes(call) && running.writes > 0) this.breaches.push(`${call} has sent a write`);
    }
  }

  #judge(call: Call, error: unknown): void {
    if (!(error instanceof ProviderFailure)) {
      const name = error instanceof Error ? error.name : typeof error;
      this.breaches.push(`${call} has thrown ${name}, which is no ProviderFailure`);
      return;
    }
    const { class: failureClass, code } = error.facts;
    if (!Object.hasOwn(failureClasses, failureClass))
      this.breaches.push(`${call} has thrown the unknown class ${failureClass}`);
    if (!Object.hasOwn(errorTable, code)) this.breaches.push(`${call} has thrown the unknown code ${code}`);
    this.texts.push(`${call} threw: ${error.message} ${JSON.stringify(error.facts)} ${error.stack ?? ''}`);
  }

  /** The client that keyturn has, with the proxy in between. */
  http(client: HttpClient, proxy: FaultProxy): HttpClient {
    return {
      send: (baseUrl, request, options) => {
        const running = this.#running.getStore();
        if (!running) throw new Error('a request was sent by nobody');
        const { call, kind } = running;
        const { method, path, route, headers = {}, body, effect } = request;
        const harm = this.#harmOf(running);
        running.requests += 1;
        if (request.baseUrl === undefined) this.calls += 1;
        if (effect === 'write') running.writes += 1;
        this.texts.push(`route: ${route}`, `headers: ${JSON.stringify(headers)}`);
        const bytes = [method, path, JSON.stringify(headers), body?.reveal() ?? ''].join('\n');
        const sameBytes = createHash('sha256').update(bytes).digest('hex');
        this.sent.push({
          n: this.sent.length,
          rotation: this.rotations,
          call,
          effect,
          kind,
          harm,
          sameBytes,
          atMs: this.now(),
        });
        const planned = proxy.plan(baseUrl, harm);
        return client.send(planned.baseUrl, { ...request, headers: { ...headers, ...planned.headers } }, options);
      },
    };
  }

  #harmOf({ call, requests }: Running): Harm | null {
    const next = this.#faults.find(({ fault, left }) => fault.on === call && left > 0);
    if (!next || requests > 0) return null;
    next.left -= 1;
    return next.fault.harm;
  }
}

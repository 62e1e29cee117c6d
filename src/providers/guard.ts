/** Calls to a provider behind the budget of invalid-credential calls. Steps of a rotation and commands send through it, and nothing else does. */
import type { Secret } from '../domain/secret.js';
import type { HttpClient } from './http.js';
import type { Provider, ProviderAnswer, ProviderRequest, RequestAuth } from './provider.js';

/** Whose invalid-credential calls count together. */
interface Scope {
  readonly baseUrl: string;
  readonly egress: string;
}

export interface Guard {
  readonly provider: Provider;
  readonly settings: unknown;
  readonly http: HttpClient;
  readonly httpTimeoutMs: number;
  now(): number;
  readonly scope: Scope;
  /** Operation that an unproven credential's reservation is made for: a retry of it reuses the reservation. */
  readonly operationId: string;
  fingerprint(value: Secret): Promise<string>;
  /** The budget. @throws ProviderFailure `blocked` from `admit`: nothing may be sent */
  readonly lockout: {
    admit(scope: Scope, fingerprint: string, operationId: string): Promise<void>;
    proved(scope: Scope, fingerprint: string): Promise<void>;
    struck(scope: Scope, fingerprint: string, operationId: string, sentAtMs: number): Promise<void>;
  };
  /** Aborts reads at any time, a write only as long as nothing of it was sent. */
  readonly signal?: AbortSignal;
  /** Runs right before the bytes of a write go out: its fence. */
  beforeWrite?(): Promise<void>;
  /** Told when the budget could not be written after the call. */
  onBookFailure(error: unknown): void;
}

/**
 * Sends one request. A credential that was never accepted reserves a strike first; the answer books what became of it. An answer in hand is
 * worth more than the books: a store that is down leaves the reservation standing, which counts as much as a strike.
 * @throws ProviderFailure as `HttpClient.send`, and `blocked` when the budget is spent
 */
export async function sendGuarded(guard: Guard, request: ProviderRequest): Promise<ProviderAnswer> {
  const { provider, settings, http, httpTimeoutMs, scope, operationId, signal } = guard;
  const presented = presentedBy(request.auth);
  const counted = presented !== null && provider.capability(settings).strikeLimit !== undefined;
  const fingerprint = counted ? await guard.fingerprint(presented) : null;
  if (fingerprint !== null) await guard.lockout.admit(scope, fingerprint, operationId);
  if (request.effect === 'write') await guard.beforeWrite?.();
  const sentAtMs = guard.now();
  const answer = await http.send(request.baseUrl ?? scope.baseUrl, request, {
    httpTimeoutMs,
    ...(signal ? { signal } : {}),
  });
  if (fingerprint !== null)
    await book(guard, answer, fingerprint, sentAtMs).catch((error) => guard.onBookFailure(error));
  return answer;
}

function presentedBy(auth: RequestAuth): Secret | null {
  switch (auth.kind) {
    case 'header':
      return auth.value;
    case 'basic':
      return auth.password;
    case 'none':
      return null;
    default:
      return auth satisfies never;
  }
}

async function book(
  { provider, lockout, scope, operationId }: Guard,
  answer: ProviderAnswer,
  fingerprint: string,
  sentAtMs: number,
): Promise<void> {
  const verdict = provider.credentialVerdict(answer);
  switch (verdict) {
    case 'accepted':
      return lockout.proved(scope, fingerprint);
    case 'refused':
      return lockout.struck(scope, fingerprint, operationId, sentAtMs);
    case 'unclear':
      return;
    default:
      return verdict satisfies never;
  }
}

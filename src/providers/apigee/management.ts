import { ProviderFailure } from '../../domain/failure.js';
import type { Secret } from '../../domain/secret.js';
import type { Authorizer } from '../authorization.js';
import type { ProviderAnswer, ProviderContext, RequestAuth } from '../provider.js';
import { type ApigeeApp, readApp, readKey } from './answers.js';
import { hasNoSuchKey, isSuccess, putBack, refusalOf, unusable } from './errors.js';
import type { ApigeeKey } from './keys.js';
import { getApp, getKey, type Operation } from './requests.js';
import type { ApigeeSettings } from './settings.js';

export type Context = ProviderContext<ApigeeSettings>;

/** The management API, as whoever `auth` names. */
export interface Management {
  /**
   * A 401 has no effect: the token is renewed once, and where that gives another one the request is sent once more.
   * @throws ProviderFailure KT-MANAGEMENT-AUTH (`not-sent`; `outage` for a read) when it is refused all the same
   */
  send(context: Context, operation: Operation): Promise<ProviderAnswer>;
  /** @throws ProviderFailure for anything but a 2xx */
  succeed(context: Context, operation: Operation): Promise<ProviderAnswer>;
  /** @throws ProviderFailure `absent` KT-CONSUMER-GONE when organization, owner or app do not exist */
  app(context: Context): Promise<ApigeeApp>;
  /** Null: the app has no such key. */
  key(context: Context, consumerKey: string): Promise<ApigeeKey | null>;
}

export function managementBy(authorizer: Authorizer): Management {
  async function header({ auth, dialect, isRebuilt }: ApigeeSettings, renew: boolean): Promise<Secret | null> {
    if (isRebuilt && dialect === 'edge') throw withoutAuth(`how to authenticate is not known any more: ${putBack}`);
    try {
      return await authorizer.header(auth, { renew });
    } catch (error) {
      if (!isRebuilt || !(error instanceof ProviderFailure)) throw error;
      throw withoutAuth(`${error.message}; ${putBack}`);
    }
  }

  async function send(context: Context, operation: Operation): Promise<ProviderAnswer> {
    const { permission: _, ...request } = operation;
    const first = await header(context.settings, false);
    const answer = await context.send({ ...request, auth: authBy(first) });
    if (answer.status !== 401) return answer;
    const second = await header(context.settings, true);
    const again =
      second === null || second.reveal() === first?.reveal()
        ? answer
        : await context.send({ ...request, auth: authBy(second) });
    if (again.status === 401) throw refusalOf(again, operation, context.settings, context.now());
    return again;
  }

  async function succeed(context: Context, operation: Operation): Promise<ProviderAnswer> {
    const answer = await send(context, operation);
    if (isSuccess(answer)) return answer;
    throw refusalOf(answer, operation, context.settings, context.now());
  }

  return {
    send,
    succeed,
    async app(context) {
      const operation = getApp(context.settings);
      const answer = await succeed(context, operation);
      const app = readApp(answer);
      if (app !== undefined) return app;
      throw unusable(answer, operation, 'the answer is no app: check `baseUrl` (it ends in /v1)');
    },
    async key(context, consumerKey) {
      const operation = getKey(context.settings, consumerKey);
      const answer = await send(context, operation);
      if (hasNoSuchKey(answer)) return null;
      if (!isSuccess(answer)) throw refusalOf(answer, operation, context.settings, context.now());
      const key = readKey(answer);
      if (key?.consumerKey === consumerKey) return key;
      throw unusable(answer, operation, 'the answer is not that key');
    },
  };
}

const withoutAuth = (message: string): ProviderFailure =>
  new ProviderFailure({ class: 'not-sent', code: 'KT-MANAGEMENT-AUTH', message });

const authBy = (value: Secret | null): RequestAuth =>
  value === null ? { kind: 'none' } : { kind: 'header', name: 'authorization', value };

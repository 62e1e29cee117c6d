import { ProviderFailure } from '../../domain/failure.js';
import { isSuccess, hasNoSuchKey, refusalOf, routeOf } from './errors.js';
import type { Context, Management } from './management.js';
import { deleteKey, type Operation, setKeyStatus } from './requests.js';
import { consumerKeyOf } from './values.js';

/** Two phases: `?action=revoke` can be undone, DELETE cannot. */
export async function retire(
  management: Management,
  context: Context,
  consumerKey: string,
  phase: 'suspend' | 'destroy',
): Promise<'done' | 'absent'> {
  const { settings } = context;
  if (consumerKey === consumerKeyOf(context.credential)) {
    const message = `refused to ${phase} the key that is in use`;
    throw new ProviderFailure({ class: 'rejected', code: 'KT-INTERNAL', message });
  }
  const operation =
    phase === 'suspend' ? setKeyStatus(settings, consumerKey, 'revoke') : deleteKey(settings, consumerKey);
  const answer = await management.send(context, operation);
  if (isSuccess(answer)) return 'done';
  if (answer.status !== 404) throw refusalOf(answer, operation, settings, context.now());
  if (!hasNoSuchKey(answer)) await confirmAbsent(management, context, consumerKey, operation);
  return 'absent';
}

/** A 404 may also come from a gateway, or be about the app: only the listing tells. */
async function confirmAbsent(
  management: Management,
  context: Context,
  consumerKey: string,
  operation: Operation,
): Promise<void> {
  const { keys } = await management.app(context);
  if (!keys.some((key) => key.consumerKey === consumerKey)) return;
  const message = `Apigee answered 404 to ${routeOf(operation)}, but the app still lists the key`;
  throw new ProviderFailure({ class: 'rejected', code: 'KT-PROVIDER-ANSWER', message, status: 404 });
}

/** Undoes `suspend`. @throws ProviderFailure `absent` when the key was deleted meanwhile */
export async function restore(management: Management, context: Context, consumerKey: string): Promise<void> {
  await management.succeed(context, setKeyStatus(context.settings, consumerKey, 'approve'));
}

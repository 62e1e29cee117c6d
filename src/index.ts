/**
 * For those who extend keyturn: the contracts of a provider and of a store, and what both throw.
 * To use keyturn from a program import `keyturn/contract`, `keyturn/client` or `keyturn/consumer`.
 */
export type * from './providers/provider.js';
export type { IntentKind, LifetimeReading, ProviderIdentity } from './domain/record.js';
export { failureClasses, ProviderFailure, type FailureClass, type FailureFacts } from './domain/failure.js';
export { errorTable, KeyturnError, type ErrorCode } from './domain/errors.js';
export { Secret } from './domain/secret.js';
export type { SecretRef } from './domain/secret-ref.js';
export { resolveSecret } from './config/secrets.js';
export { parseJson, retryAfterMs } from './providers/answers.js';
export { refusal } from './providers/refusal.js';
export { baseUrlSchema, durationSchema, secretRefSchema, strictShape } from './providers/schemas.js';
export { StoreFailure, type Store, type StoredObject, type StoreFailureKind } from './stores/store.js';

/**
 * For those who extend keyturn: the contracts of a provider and of a store, and what both throw.
 * To use keyturn from a program import `keyturn/contract`, `keyturn/client` or `keyturn/consumer`.
 */
export type * from './providers/provider.js';
export type { IntentKind, LifetimeReading, ProviderIdentity } from './domain/record.js';
export { failureClasses, ProviderFailure, type FailureClass, type FailureFacts } from './domain/failure.js';
export { errorTable, KeyturnError, type ErrorCode } from './domain/errors.js';
export { Secret } from './domain/secret.js';
export { StoreFailure, type Store, type StoredObject, type StoreFailureKind } from './stores/store.js';

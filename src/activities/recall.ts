import { storedOutcome, type StoredOutcome } from '../domain/storedOutcome.js';
import type { Believed } from './api.js';
import type { Engine } from './engine.js';

/** How a request of before has ended, as far as the record remembers; writes nothing. */
export async function recall(
  engine: Engine,
  input: Believed & { readonly requestId: string },
): Promise<StoredOutcome | null> {
  const opened = await engine.read(input);
  return opened ? storedOutcome(opened.record, input.requestId, engine.now()) : null;
}

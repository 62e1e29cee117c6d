import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../src/domain/errors.js';
import { ProviderFailure } from '../../../src/domain/failure.js';

describe('an error', () => {
  const facts = { class: 'busy', code: 'KT-PROVIDER-BUSY', message: 'slow down', status: 429 } as const;

  test('of a provider is known as one, also when a plug-in’s own copy of keyturn has thrown it', () => {
    const own = new ProviderFailure(facts);
    expect([own.facts, String(own)]).toEqual([facts, 'ProviderFailure: slow down']);
    expect(own.class).toBe('busy');
    const foreign = Object.assign(new Error('x'), { [Symbol.for('keyturn.ProviderFailure')]: true });
    expect([own, foreign].map((one) => one instanceof ProviderFailure)).toEqual([true, true]);
    for (const other of [new Error('x'), {}, null, undefined, 'x', 7]) {
      expect(other instanceof ProviderFailure).toBe(false);
    }
  });

  test('of keyturn says its name, and the mend of its code unless the place knows a better one', () => {
    expect(String(new KeyturnError('KT-PAUSED', 'not now'))).toBe('KeyturnError: not now');
    expect(new KeyturnError('KT-PAUSED', 'x').hint).toBe('`keyturn resume ID`.');
    expect(new KeyturnError('KT-PAUSED', 'x', { hint: 'y' }).hint).toBe('y');
  });
});

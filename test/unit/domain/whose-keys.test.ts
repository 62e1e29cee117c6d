import { describe, expect, test } from 'vitest';
import { newDebt } from '../../../src/domain/transitions.js';
import { deleteRefusal, whoseAreThey } from '../../../src/domain/whose-keys.js';
import { identity, previousFacts, recordOf, t0, versionFacts } from './facts.js';

const debts = [
  newDebt('orphan', 'lost', identity, t0, 3),
  newDebt('suspected-orphan', 'suspect', identity, t0),
  newDebt('mirror', 'mirrored', identity, t0),
];
const record = recordOf({
  versions: [previousFacts(1), versionFacts(2), versionFacts(3, { stage: 'pending' })],
  debts,
});

describe('a key at the provider', () => {
  test('is one of ours, listed or not, or a foreign one; a revoked one is not listed', () => {
    const listing = [{ keyId: 'key-2' }, { keyId: 'suspect' }, { keyId: 'x' }, { keyId: 'key-1', revoked: true }];
    expect(whoseAreThey(record, [...listing, { keyId: 'y', revoked: true }])).toEqual([
      { keyId: 'key-1', is: 'previous', version: 1, listed: false },
      { keyId: 'key-2', is: 'current', version: 2, listed: true },
      { keyId: 'key-3', is: 'pending', version: 3, listed: false },
      { keyId: 'lost', is: 'orphan', version: 3, listed: false },
      { keyId: 'suspect', is: 'suspected-orphan', version: null, listed: true },
      { keyId: 'x', is: 'foreign', version: null, listed: true },
    ]);
  });

  test('is deleted on an operator’s word only where it is a debt that nobody needs', () => {
    expect(deleteRefusal(record, 'suspect')).toBeNull();
    expect(deleteRefusal(record, 'lost')).toBeNull();
    expect(deleteRefusal(record, 'key-2')).toMatch(/version 2, which is current/);
    expect(deleteRefusal(record, 'key-3')).toMatch(/version 3, which is pending/);
    expect(deleteRefusal(record, 'mirrored')).toMatch(/no suspect/);
    expect(deleteRefusal(record, 'x')).toMatch(/no suspect/);
    const shared = { ...record, debts: [newDebt('orphan', 'key-2', identity, t0)] };
    expect(deleteRefusal(shared, 'key-2')).toMatch(/current/);
  });
});

import { expect, test } from 'vitest';
import { repointing } from '../../../src/domain/identity.js';
import { identity, recordOf } from './facts.js';

test('a key belongs to one account at one address: another one is named in words', () => {
  const record = recordOf();
  expect(repointing(record, identity)).toBeNull();
  expect(repointing(record, { ...identity, strategy: 'rotation' })).toBeNull();
  expect(repointing(recordOf({ versions: [] }), { ...identity, account: 'c-2' })).toBeNull();
  expect(repointing(record, { ...identity, account: 'c-2' })).toMatch(/belongs to c-1 .* now names c-2/);
  expect(repointing(record, { ...identity, baseUrl: 'https://x.example' })).toMatch(/acme\.mambu\.com.*x\.example/);
});

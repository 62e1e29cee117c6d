import { expect, test } from 'vitest';
import { searchAttributes } from '../../src/contract.js';
import { ensureSearchAttributes, type OperatorConnection } from '../../src/search-attributes.js';

const keyword = 2;
const text = 1;
const all = Object.keys(searchAttributes);

/** A namespace with these attributes; `mayAdd: false` refuses as Temporal does without permission. */
function namespace(
  existing: Record<string, number>,
  mayAdd = true,
): OperatorConnection & { readonly existing: object } {
  return {
    existing,
    operatorService: {
      listSearchAttributes: async () => ({ customAttributes: existing }),
      addSearchAttributes: async ({ searchAttributes: added }) => {
        if (!mayAdd) throw new Error('7 PERMISSION_DENIED');
        Object.assign(existing, added);
      },
    },
  };
}

const ensure = (connection: OperatorConnection, mode: 'auto' | 'off' = 'auto') =>
  ensureSearchAttributes(connection, 'default', mode, () => undefined);

test('registers what is missing, and leaves what is there', async () => {
  const there = namespace({ KeyturnCredential: keyword, Foreign: text });
  expect(await ensure(there)).toEqual({ known: all, missing: [], why: null });
  expect(there.existing).toEqual({
    Foreign: text,
    KeyturnCredential: 2,
    KeyturnProvider: 2,
    KeyturnStatus: 2,
    KeyturnVersion: 3,
    KeyturnNextRotation: 6,
    KeyturnExpires: 6,
  });
});

test('uses those that exist where it may not register the others, and says how somebody may', async () => {
  const report = await ensure(namespace({ KeyturnCredential: keyword }, false));
  expect(report).toMatchObject({ known: ['KeyturnCredential'], missing: all.filter((n) => n !== 'KeyturnCredential') });
  expect(report.why).toContain('temporal operator search-attribute create --name KeyturnProvider --type Keyword');
});

test('does not use one that has another type: it would block the workflow', async () => {
  const report = await ensure(namespace({ KeyturnVersion: keyword }));
  expect(report).toMatchObject({ missing: ['KeyturnVersion'], why: expect.stringContaining('another type') });
});

test('touches nothing where the configuration says off', async () => {
  const there = namespace({});
  expect(await ensure(there, 'off')).toMatchObject({ known: [], missing: all });
  expect(there.existing).toEqual({});
});

test('uses none where they cannot be listed', async () => {
  const refuse = async (): Promise<never> => Promise.reject(new Error('7 PERMISSION_DENIED'));
  const report = await ensure({ operatorService: { listSearchAttributes: refuse, addSearchAttributes: refuse } });
  expect(report).toMatchObject({ known: [], missing: all });
});

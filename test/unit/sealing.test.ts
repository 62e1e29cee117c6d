import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seal, unseal, type Label } from '../../src/custody/sealing.js';
import { newKeys } from '../support/custody.js';

const label: Label = { purpose: 'record', store: 'inst-1', name: 'credential/core-prod', seq: 7 };
const keys = newKeys('k-a');
const plaintext = Buffer.from('a canary in the coal mine');
const corrupt = expect.objectContaining({ code: 'KT-STORE-CORRUPT' });
/** A key id with another letter is one that no key file has. */
const refused = expect.objectContaining({ code: expect.stringMatching(/^KT-(STORE-CORRUPT|KEY-FILE)$/) });

/** The envelope with other fields, in canonical form. */
function altered(sealed: Buffer, change: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify({ ...(JSON.parse(sealed.toString()) as object), ...change }));
}

describe('sealing', () => {
  test('opens to what was sealed, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        const opened = unseal(keys, label, seal(keys, label, bytes));
        expect(opened.label).toEqual(label);
        expect(opened.plaintext.equals(bytes)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('shows its header in clear and nothing of the plaintext', () => {
    const sealed = seal(keys, label, plaintext).toString();
    expect(JSON.parse(sealed)).toMatchObject({ format: 'keyturn-sealed/1', ...label, kid: 'k-a' });
    expect(sealed).not.toContain('canary');
    expect(sealed).not.toContain(plaintext.toString('base64').slice(0, 20));
  });

  test('no two sealings are alike', () => {
    expect(seal(keys, label, plaintext).equals(seal(keys, label, plaintext))).toBe(false);
  });

  test('refuses it after a change of any byte', () => {
    const sealed = seal(keys, label, plaintext);
    for (let at = 0; at < sealed.length; at++) {
      for (const flip of [0x01, 0x02, 0x20, 0x80]) {
        const tampered = Buffer.from(sealed);
        tampered[at] = (tampered[at] ?? 0) ^ flip;
        expect(() => unseal(keys, label, tampered), `byte ${at}`).toThrow(refused);
      }
    }
  });

  test('refuses it cut, extended, in another form, or empty', () => {
    const sealed = seal(keys, label, plaintext);
    const other = [
      Buffer.alloc(0),
      sealed.subarray(0, -1),
      Buffer.concat([sealed, Buffer.from(' ')]),
      Buffer.from('null'),
    ];
    for (const bytes of [...other, altered(sealed, { extra: 1 }), altered(sealed, { body: '' })]) {
      expect(() => unseal(keys, label, bytes)).toThrow(corrupt);
    }
  });

  test.each([
    ['name', { name: 'credential/other' }],
    ['purpose', { purpose: 'late' as const }],
  ])('refuses to open as another %s', (_, other) => {
    const sealed = seal(keys, label, plaintext);
    expect(() => unseal(keys, { ...label, ...other }, sealed)).toThrow(corrupt);
    expect(() => unseal(keys, { ...label, ...other }, altered(sealed, other))).toThrow(corrupt);
  });

  test.each([
    ['sequence number', { seq: 8 }],
    ['store', { store: 'inst-2' }],
  ])('refuses an object whose header was given another %s', (_, other) => {
    expect(() => unseal(keys, label, altered(seal(keys, label, plaintext), other))).toThrow(corrupt);
  });

  test('refuses parts of two sealings put together', () => {
    const [a, b] = [seal(keys, label, plaintext), seal(keys, label, plaintext)].map(
      (sealed) => JSON.parse(sealed.toString()) as { key: string; body: string },
    );
    expect(() => unseal(keys, label, Buffer.from(JSON.stringify({ ...a, body: b?.body })))).toThrow(corrupt);
    expect(() => unseal(keys, label, Buffer.from(JSON.stringify({ ...a, body: a?.key, key: a?.body })))).toThrow(
      corrupt,
    );
  });

  test('with another key file it names both key ids', () => {
    const sealed = seal(keys, label, plaintext);
    expect(() => unseal(newKeys('k-b'), label, sealed)).toThrow(
      expect.objectContaining({
        code: 'KT-KEY-FILE',
        message: 'the object credential/core-prod was sealed with key id k-a, this key file has k-b',
      }),
    );
  });

  test('another key under the same id is refused', () => {
    expect(() => unseal(newKeys('k-a'), label, seal(keys, label, plaintext))).toThrow(corrupt);
  });

  test('after a change of the current key the old one still opens, the new one seals', () => {
    const both = newKeys('k-b', 'k-a');
    const old = { ...both, currentKid: 'k-a' };
    expect(unseal(both, label, seal(old, label, plaintext)).plaintext).toEqual(plaintext);
    expect(JSON.parse(seal(both, label, plaintext).toString())).toMatchObject({ kid: 'k-b' });
  });

  test('keys cannot be printed', () => {
    const [key] = keys.byKid.values();
    const material = key?.export();
    for (const printed of [inspect(keys, { depth: 9, showHidden: true }), JSON.stringify([...keys.byKid])]) {
      expect(printed).not.toContain(material?.toString('hex'));
      expect(printed).not.toContain(material?.toString('base64'));
    }
  });
});

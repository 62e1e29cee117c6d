import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createScrubber } from '../../src/custody/scrub.js';
import { Secret } from '../../src/domain/secret.js';

const value = 'pA/s+ "wörd\\9';

describe('scrubber', () => {
  test.each([
    ['as it is', value],
    ['JSON-escaped', JSON.stringify({ value })],
    ['URL-encoded', encodeURIComponent(value)],
    ['URL-encoded in lower case', encodeURIComponent(value).replace(/%../g, (e) => e.toLowerCase())],
    ['form-encoded', new URLSearchParams({ value }).toString()],
    ['hex', Buffer.from(value).toString('hex')],
    ['HEX', Buffer.from(value).toString('hex').toUpperCase()],
    ['base64', Buffer.from(value).toString('base64')],
    ['base64url', Buffer.from(value).toString('base64url')],
    ['Basic authorization as password', Buffer.from(`user:${value}`).toString('base64')],
    ['Basic authorization as user', Buffer.from(`${value}:`).toString('base64')],
    ['Basic authorization, third offset', Buffer.from(`users:${value}`).toString('base64')],
  ])('%s', (_, text) => {
    const scrubber = createScrubber();
    scrubber.add(new Secret(value));
    const line = `before ${text} after ${text}`;
    const clean = scrubber.scrub(line);
    expect(clean).not.toContain(text);
    expect(clean.match(/\[secret\]/g)).toHaveLength(2);
    expect(clean).toMatch(/^before .* after /);
  });

  test('leaves any other text as it is', () => {
    const scrubber = createScrubber();
    scrubber.add(new Secret('S3CRET-VALUE-OF-A-KEY'));
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(scrubber.scrub(text)).toBe(text);
      }),
    );
  });

  test('no registered secret survives, wherever it stands', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/=_-]{12,40}$/);
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 8 }), fc.string(), (secrets, text) => {
        const scrubber = createScrubber();
        for (const one of secrets) scrubber.add(new Secret(one));
        const clean = scrubber.scrub(secrets.join(text));
        for (const one of secrets) expect(clean).not.toContain(one);
      }),
    );
  });

  test('keeps the newest thousand', () => {
    const scrubber = createScrubber();
    const nth = (n: number): string => `value-number-${String(n).padStart(5, '0')}`;
    for (let n = 0; n < 1_100; n++) {
      scrubber.add(new Secret(nth(0)));
      scrubber.add(new Secret(nth(n)));
    }
    expect(scrubber.scrub(`${nth(0)} ${nth(1_099)}`)).toBe('[secret] [secret]');
    expect(scrubber.scrub(nth(1))).toBe(nth(1));
  });

  test('is no way to read the secrets', () => {
    const scrubber = createScrubber();
    scrubber.add(new Secret(value));
    expect(inspect(scrubber, { depth: 9, showHidden: true }) + JSON.stringify(scrubber)).not.toContain(value);
  });
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isRefusedHost } from '../../src/domain/addresses.js';
import { guardedLookup } from '../../src/providers/guarded-lookup.js';
import { createHttpClient } from '../../src/providers/http.js';

describe('addresses that are never called', () => {
  test.each([
    ...[
      '169.254.0.1',
      '169.254.169.254',
      'fe80::1',
      '[fe80::1]',
      'febf:ffff::',
      'fe80:1:2:3:4:5:6:7',
      'fe80::1%eth0',
      '::ffff:169.254.169.254',
    ],
    ...[
      '::ffff:a9fe:a9fe',
      '::a9fe:101',
      '64:ff9b::a9fe:a9fe',
      '2002:a9fe:a9fe::1',
      'fd00:ec2::254',
      '100.100.100.200',
    ],
    ...['metadata.google.internal', 'METADATA.google.internal.', 'metadata'],
  ])('%s', (host) => {
    expect(isRefusedHost(host)).toBe(true);
  });

  test.each([
    '169.253.1.1',
    '10.0.0.1',
    '127.0.0.1',
    '::1',
    'fec0::1',
    '2001:db8::1',
    'api.example',
    'fe80.example',
    '169.254.example',
    '10.169.254.1',
    '169.254.1.1.example',
    '2001:db8:1:2:3:4:5:6',
    '2001:db8::a9fe:a9fe',
    '2001:a9fe:a9fe::1',
    '64:ff9a::a9fe:a9fe',
    '65:ff9b::a9fe:a9fe',
    '::1:a9fe:a9fe',
    '::1:ffff:a9fe:a9fe',
    'no:address',
  ])('but %s is', (host) => {
    expect(isRefusedHost(host)).toBe(false);
  });
});

describe('the name that a connection is made to', () => {
  const answering = (...addresses: readonly string[]): Parameters<typeof guardedLookup>[0] =>
    ((_: string, __: object, callback: (error: null, found: object[]) => void) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )) as never;

  async function sentTo(...addresses: readonly string[]): Promise<string> {
    const server = createServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const http = createHttpClient({ httpTimeoutMs: 2_000, lookup: guardedLookup(answering(...addresses)) });
    const request = { method: 'POST', path: '/', route: '/', auth: { kind: 'none' }, effect: 'write' } as const;
    const sending = http.send(`http://innocent.example:${port}`, request);
    return sending.then(({ text }) => text).catch((error: Error) => error.message);
  }

  test('is refused where DNS answers with such an address, and nothing is sent', async () => {
    expect(await sentTo('169.254.169.254')).toMatch(/was not sent: KT_ADDRESS_REFUSED$/);
    expect(await sentTo('127.0.0.1', 'fe80::1')).toMatch(/was not sent: KT_ADDRESS_REFUSED$/);
  });

  test('is called where DNS answers with another', async () => {
    expect(await sentTo('127.0.0.1')).toBe('hello');
  });
});

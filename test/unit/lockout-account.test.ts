import { describe, expect, test } from 'vitest';
import { admit, emptyAccount, forgive, prove, reset, strike, type Account } from '../../src/custody/lockout-account.js';
import { nowMs } from '../support/custody.js';

const call = (fingerprint: string, operationId = 'op', atMs = nowMs) => ({ fingerprint, operationId, atMs });
const account = (over: Partial<Account> = {}): Account => ({ ...emptyAccount, ...over });

describe('an account of invalid-credential calls', () => {
  test('tells a credential that was refused from a budget that is spent', () => {
    expect(admit(account({ refused: ['a'] }), 4, call('a'))).toEqual({ admitted: false, because: 'refused-before' });
    expect(admit(account({ used: 4 }), 4, call('a'))).toEqual({ admitted: false, because: 'spent' });
    const last = admit(account({ used: 2, reservations: [call('x')] }), 4, call('a'));
    expect(last).toEqual({ admitted: true, account: account({ used: 2, reservations: [call('x'), call('a')] }) });
  });

  test('admits what is proven, or reserved already, though the budget is spent', () => {
    const spent = account({ used: 4, proven: ['good'], reservations: [call('a', 'op-1')] });
    for (const wanted of [call('good'), call('a', 'op-1')]) {
      expect(admit(spent, 4, wanted)).toEqual({ admitted: true, account: spent });
    }
    for (const other of [call('a', 'op-2'), call('b', 'op-1')]) expect(admit(spent, 4, other).admitted).toBe(false);
  });

  test('frees by a proof what was reserved for that credential only, once', () => {
    const before = account({
      proven: ['x'],
      refused: ['a', 'b'],
      reservations: [call('a', 'op-1'), call('a'), call('b')],
    });
    const proven = prove(before, 'a');
    expect(proven).toEqual(account({ proven: ['x', 'a'], refused: ['b'], reservations: [call('b')] }));
    expect(prove(proven, 'a')).toBe(proven);
    expect(prove(account({ proven: ['a'], refused: ['a'] }), 'a').refused).toEqual([]);
    expect(prove(account({ proven: ['a'], reservations: [call('a')] }), 'a').reservations).toEqual([]);
  });

  test('turns by a strike that one reservation into a used one, and the credential into a refused one', () => {
    const before = account({
      used: 1,
      proven: ['a', 'x'],
      refused: ['a', 'y'],
      reservations: [call('a'), call('a', 'op-2')],
    });
    expect(strike(before, call('a'), nowMs)).toEqual({
      used: 2,
      proven: ['x'],
      refused: ['y', 'a'],
      reservations: [call('a', 'op-2')],
      strikes: [call('a')],
      resets: [],
    });
  });

  test('counts a strike that is told late, and shuts nobody out: the next call tells, if there is room for it', () => {
    const before = account({ used: 1, proven: ['a'] });
    const told = (afterMs: number): Account => strike(before, call('a'), nowMs - afterMs);
    expect(told(5_001)).toEqual(account({ used: 2, strikes: [call('a')] }));
    expect(told(5_000).refused).toEqual(['a']);
    expect(strike(told(5_001), call('a'), nowMs - 5_001).refused).toEqual([]);
    expect(admit(told(5_001), 4, call('a'))).toMatchObject({ admitted: true, account: { reservations: [call('a')] } });
    expect(admit(told(5_001), 2, call('a'))).toEqual({ admitted: false, because: 'spent' });
  });

  test('forgives one credential, and knows when there is nothing to forgive', () => {
    const before = account({ refused: ['a', 'b'] });
    expect(forgive(before, 'a').refused).toEqual(['b']);
    expect(forgive(before, 'c')).toBe(before);
  });

  test('keeps by a reset what was reserved within the hour, and the beginning of the reason', () => {
    const hourMs = 3_600_000;
    const young = call('young', 'op', nowMs - hourMs + 1);
    const before = account({
      used: 3,
      refused: ['a'],
      proven: ['p'],
      reservations: [call('old', 'op', nowMs - hourMs), young],
    });
    expect(reset(before, 'r'.repeat(300), nowMs)).toEqual(
      account({ proven: ['p'], reservations: [young], resets: [{ atMs: nowMs, reason: 'r'.repeat(200) }] }),
    );
  });

  test('forgets the oldest of each kind first', () => {
    let full = emptyAccount;
    for (let n = 0; n < 500; n++) full = prove(full, `p-${n}`);
    for (let n = 0; n < 150; n++) full = strike(full, call(`s-${n}`), nowMs);
    for (let n = 0; n < 30; n++) full = reset(full, `r-${n}`, nowMs);
    expect([full.proven.length, full.proven[0], full.proven.at(-1)]).toEqual([400, 'p-100', 'p-499']);
    expect([full.strikes.length, full.strikes[0], full.strikes.at(-1)]).toEqual([20, call('s-130'), call('s-149')]);
    expect([full.resets.length, full.resets[0]?.reason]).toEqual([20, 'r-10']);
    let refused = emptyAccount;
    for (let n = 0; n < 150; n++) refused = strike(refused, call(`s-${n}`), nowMs);
    expect([refused.refused.length, refused.refused[0]]).toEqual([100, 's-50']);
  });
});

import { expect, it } from 'vitest';
import { installation } from '../support/installation.js';

it.each(['create-and-delete', 'rotation'] as const)(
  '%s: a request gives a new verified key, and the old one dies after its grace',
  async (strategy) => {
    const i = await installation({ strategy });
    await i.worker();
    await i.request('r-1');
    const rotated = await i.until('version 2 is current', (s) => s.current?.version === 2);
    expect(rotated.current).toMatchObject({ verified: true, secretKey: 'ok' });
    expect(rotated.previous).toMatchObject([{ version: 1, retirement: 'in-grace' }]);
    const idle = await i.until('version 1 is gone', (s) => s.previous.length === 0);
    expect(idle.debts).toEqual([]);
    expect(idle.attention).toEqual([]);
    expect(idle.lastRotation).toMatchObject({ outcome: 'rotated', version: 2, requestId: 'r-1' });
    expect(idle.lastRotation?.steps.map((s) => s.step)).toEqual(['plan', 'rotate', 'persist', 'verify', 'publish']);
    const { keys, strikes } = i.simulator.oracle();
    expect(strikes.total).toBe(0);
    const alive = keys.filter((k) => k.deletedAt === null && (k.diesAt === null || k.diesAt > i.simulator.clock.now()));
    expect(alive.map((k) => k.id)).toContain(idle.current?.keyId);
  },
);

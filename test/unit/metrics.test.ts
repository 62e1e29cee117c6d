import type { MetricMeter, MetricTags } from '@temporalio/common';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CredentialRecord, DebtFacts, VersionFacts } from '../../src/domain/record.js';
import { createServerMetrics, startCredentialGauges } from '../../src/telemetry/metrics.js';
import { createRegistry } from '../../src/telemetry/prometheus.js';

describe('the metrics of the server', () => {
  test('count webhooks by answer and reason, and are there before the first one', () => {
    const metrics = createServerMetrics();
    expect(metrics.text()).toContain('keyturn_webhook_requests_total{answer="202",reason="accepted"} 0\n');
    metrics.webhook('accepted', 0.004);
    metrics.webhook('unauthenticated', 0.02);
    metrics.webhook('unauthenticated', 9);
    const text = metrics.text();
    expect(text).toContain('keyturn_webhook_requests_total{answer="202",reason="accepted"} 1\n');
    expect(text).toContain('keyturn_webhook_requests_total{answer="401",reason="unauthenticated"} 2\n');
    expect(text).toContain('keyturn_webhook_seconds_bucket{le="0.005"} 1\n');
    expect(text).toContain('keyturn_webhook_seconds_bucket{le="0.5"} 2\n');
    expect(text).toContain('keyturn_webhook_seconds_bucket{le="+Inf"} 3\n');
    expect(text).toContain('keyturn_webhook_seconds_sum 9.024\n');
    expect(text).toContain('keyturn_webhook_seconds_count 3\n');
  });

  test('are valid Prometheus text: each series follows its HELP and TYPE', () => {
    const lines = createServerMetrics().text().split('\n');
    expect(lines.pop()).toBe('');
    let family = '';
    for (const line of lines) {
      const [, kind, name = ''] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? [];
      if (kind === 'HELP') family = name;
      else if (kind === 'TYPE') expect(line).toMatch(new RegExp(`^# TYPE ${family} (counter|gauge|histogram)$`));
      else
        expect(line).toMatch(
          new RegExp(`^${family}(_bucket|_sum|_count)?(\\{[a-z]+="[^"\\n]*"(,[a-z]+="[^"\\n]*")*\\})? [\\d.e+]+$`),
        );
    }
  });

  test('escape what stands in labels and help', () => {
    const registry = createRegistry();
    registry.gauge('g', 'a\nb\\c').set({ l: 'a"b\\c\nd' }, 1);
    expect(registry.text()).toBe('# HELP g a\\nb\\\\c\n# TYPE g gauge\ng{l="a\\"b\\\\c\\nd"} 1\n');
  });
});

/** Remembers the last value of each series; like Temporal's own meter it refuses negative values. */
function meter() {
  const values = new Map<string, number>();
  const key = (name: string, tags: MetricTags = {}) => `${name} ${Object.values(tags).join(' ')}`;
  const take = (value: number): number => {
    if (value < 0) throw new Error('must be non-negative');
    return value;
  };
  const gauge = (name: string) => ({
    set: (value: number, tags?: MetricTags) => void values.set(key(name, tags), take(value)),
  });
  const counter = (name: string) => ({
    add: (value: number, tags?: MetricTags) =>
      void values.set(key(name, tags), (values.get(key(name, tags)) ?? 0) + take(value)),
  });
  const fake = { createGauge: gauge, createCounter: counter } as unknown as Pick<
    MetricMeter,
    'createGauge' | 'createCounter'
  >;
  return { fake, values };
}

const current = {
  version: 2,
  stage: 'current',
  expiresAtMs: null,
  providerDiesAtMs: null,
  retirement: null,
} as unknown as VersionFacts;
const record = (more: Partial<CredentialRecord> = {}) =>
  ({ credentialId: 'a', versions: [current], debts: [], ...more }) as unknown as CredentialRecord;
const lockout = { used: 1, reserved: 1, limit: 4, asOfMs: 0 };

async function gauges(...given: CredentialRecord[]) {
  const { fake, values } = meter();
  const list = () => Promise.resolve(given.map((one) => ({ record: one, lockout, attention: 2 })));
  const running = startCredentialGauges({ list, intervalMs: 3_600_000, meter: fake });
  await running.close();
  return values;
}

describe('the gauges of a credential', () => {
  test('say at once what needs a look, what expires, and what is left of the budget', async () => {
    const values = await gauges(record({ versions: [{ ...current, expiresAtMs: Date.now() + 90_000 }] }));
    expect(values.get('keyturn_attention a')).toBe(2);
    expect(values.get('keyturn_lockout_left a')).toBe(2);
    expect(values.get('keyturn_debt_age_seconds a')).toBe(0);
    expect(values.get('keyturn_current_expires_seconds a')).toBeCloseTo(90, 0);
  });

  test('are infinite for a key that does not expire and 0 for one that has', async () => {
    expect((await gauges(record())).get('keyturn_current_expires_seconds a')).toBe(Infinity);
    const dead = record({ versions: [{ ...current, expiresAtMs: Date.now() - 90_000 }] });
    expect((await gauges(dead)).get('keyturn_current_expires_seconds a')).toBe(0);
  });

  test('show the age of the oldest debt, whether a stranger or an old version', async () => {
    const debt = { kind: 'orphan', sinceMs: Date.now() - 60_000 } as unknown as DebtFacts;
    const old = {
      ...{ version: 1, stage: 'previous' },
      retirement: { state: 'debt', killNow: true, supersededAtMs: Date.now() - 600_000, consumers: [] },
    } as unknown as VersionFacts;
    expect((await gauges(record({ debts: [debt] }))).get('keyturn_debt_age_seconds a')).toBeCloseTo(60, 0);
    const both = record({ debts: [debt], versions: [old, current] });
    expect((await gauges(both)).get('keyturn_debt_age_seconds a')).toBeCloseTo(600, 0);
  });

  test('raise no alarm any more for a credential that is gone, and keep their values when reading fails', async () => {
    const { fake, values } = meter();
    const dying = record({ versions: [{ ...current, expiresAtMs: Date.now() + 1_000 }] });
    const readings = [
      () => Promise.resolve([{ record: dying, lockout: null, attention: 1 }]),
      () => Promise.reject(new Error('the store is away')),
      () => Promise.resolve([]),
    ];
    const errors: unknown[] = [];
    const snapshots: (number | undefined)[] = [];
    const done = new Promise<void>((resolve) => {
      const list = () => {
        snapshots.push(values.get('keyturn_attention a'));
        if (readings.length === 0) resolve();
        return (readings.shift() ?? (() => Promise.resolve([])))();
      };
      const running = startCredentialGauges({
        list,
        intervalMs: 5,
        meter: fake,
        onError: (error) => errors.push(error),
      });
      onTestFinished(() => running.close());
    });
    await done;
    expect(snapshots).toEqual([undefined, 1, 1, 0]);
    expect(errors).toHaveLength(1);
    expect(values.get('keyturn_current_expires_seconds a')).toBe(Infinity);
  });
});

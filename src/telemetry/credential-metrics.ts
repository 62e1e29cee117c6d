/** Metrics of the worker: they go through Temporal's meter and so stand at the endpoint of its Prometheus exporter. */
import type { MetricMeter } from '@temporalio/common';
import { type CredentialRecord, currentOf, type LockoutView, previousOf } from '../domain/record.js';
import { revokeAtMs } from '../domain/retirement.js';

type Meter = Pick<MetricMeter, 'createGauge'>;

export interface GaugedCredential {
  readonly record: CredentialRecord;
  readonly lockout: LockoutView | null;
  /** How many things an operator has to look at. */
  readonly attention: number;
}

interface CredentialGauges {
  /** Stops; resolves when no reading is under way any more. */
  close(): Promise<void>;
}

/**
 * Sets per credential, at once and then every `intervalMs`:
 * `keyturn_attention`, the number of things to look at ·
 * `keyturn_current_expires_seconds` until the provider ends the current key, infinite where it never does, 0 when it has ·
 * `keyturn_debt_age_seconds` of the oldest key that could not be removed yet, 0 without debt ·
 * `keyturn_lockout_left`, invalid-credential calls that may still be risked, where the provider counts them.
 * When `list` fails, the values stay and `onError` is told.
 */
export function startCredentialGauges(options: {
  readonly list: () => Promise<Iterable<GaugedCredential>>;
  readonly intervalMs: number;
  readonly meter: Meter;
  readonly onError?: (error: unknown) => void;
}): CredentialGauges {
  const { list, intervalMs, meter, onError } = options;
  const gauge = (name: string, help: string) => meter.createGauge(name, 'float', '', help);
  const attention = gauge('keyturn_attention', 'Things an operator has to look at.');
  const expires = gauge('keyturn_current_expires_seconds', 'Seconds until the provider ends the current key.');
  const debtAge = gauge('keyturn_debt_age_seconds', 'Age of the oldest key that could not be removed yet.');
  const lockoutLeft = gauge('keyturn_lockout_left', 'Invalid-credential calls that may still be risked.');
  let known: ReadonlySet<string> = new Set();

  async function read(): Promise<void> {
    const nowMs = Date.now();
    const seen = new Set<string>();
    for (const { record, lockout, attention: count } of await list()) {
      const credential = record.credentialId;
      seen.add(credential);
      attention.set(count, { credential });
      expires.set(secondsUntil(endOfCurrentMs(record), nowMs), { credential });
      debtAge.set(secondsUntil(nowMs, oldestDebtMs(record) ?? nowMs), { credential });
      if (lockout) lockoutLeft.set(Math.max(0, lockout.limit - lockout.used - lockout.reserved), { credential });
    }
    for (const credential of known) {
      if (seen.has(credential)) continue;
      // A series cannot be taken back: a credential that is gone must at least not raise an alarm.
      attention.set(0, { credential });
      expires.set(Infinity, { credential });
      debtAge.set(0, { credential });
    }
    known = seen;
  }

  let reading: Promise<void> | null = null;
  function next(): void {
    reading ??= read()
      .catch((error: unknown) => onError?.(error))
      .finally(() => (reading = null));
  }
  next();
  const timer = setInterval(next, intervalMs);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await reading;
    },
  };
}

function endOfCurrentMs(record: CredentialRecord): number {
  const current = currentOf(record);
  return Math.min(current?.expiresAtMs ?? Infinity, current?.providerDiesAtMs ?? Infinity);
}

function oldestDebtMs(record: CredentialRecord): number | undefined {
  const retirements = previousOf(record).flatMap(({ retirement }) =>
    retirement?.state === 'debt' ? [retirement] : [],
  );
  const since = [...record.debts.map((debt) => debt.sinceMs), ...retirements.map(revokeAtMs)];
  return since.length === 0 ? undefined : Math.min(...since);
}

/** Never negative: Temporal's meter refuses that. */
const secondsUntil = (atMs: number, nowMs: number): number => Math.max(0, (atMs - nowMs) / 1_000);

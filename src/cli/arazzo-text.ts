import type { ArazzoStepReport, ArazzoValues } from '../contract.js';
import { table } from './table.js';

/** Values for people: a secret by its fingerprint. */
export const shownValues = (values: ArazzoValues): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fingerprintOf(value) ?? value]));

function fingerprintOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('sealed' in value) || !('fingerprint' in value))
    return undefined;
  return typeof value.fingerprint === 'string' ? value.fingerprint : undefined;
}

export const stepTable = (steps: readonly ArazzoStepReport[]): string =>
  table(
    ['STEP', 'OUTCOME', 'ANSWER', 'REQUEST'],
    steps.map(({ stepId, outcome, status, request }) => [
      stepId,
      outcome,
      status === null ? 'none' : String(status),
      request,
    ]),
  );

export const outputLines = (outputs: ArazzoValues): readonly string[] =>
  Object.entries(shownValues(outputs)).map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );

/** The fault matrix as data: every call and store operation × every fault × every circumstance, with the reason where that cannot be. */
import { strategies, surfaceOf, type Call, type Path, type Strategy } from './surface.js';

export const faultNames = [
  'refused',
  'rejected',
  'expired',
  'forbidden',
  'conflict',
  'busy',
  'busy-retry-after',
  'failed',
  'failed-retry-after',
  'lost',
  'truncated',
  'garbage',
  'slow',
  'another',
] as const;
export type FaultName = (typeof faultNames)[number];

export const circumstances = [
  'alone',
  'killed',
  'frozen',
  'restarted',
  'continued',
  'second-trigger',
  'store-down',
] as const;
export type Circumstance = (typeof circumstances)[number];

/** What is spoilt: a call or an operation of the store, of a rotation as it should be or of one that recovers from a lost answer. */
export type Target = { readonly path: Path } & (
  { readonly kind: 'call'; readonly call: Call } | { readonly kind: 'store'; readonly operation: string }
);

export interface Cell {
  /** `mambu-rotation/POST-apikey.rotation-1/lost/killed`, of two faults with `+` between them. */
  readonly id: string;
  readonly strategy: Strategy;
  readonly target: Target;
  readonly fault: FaultName;
  readonly circumstance: Circumstance;
  /** A second fault, on a call. */
  readonly and: { readonly call: Call; readonly fault: FaultName } | null;
  /** Why there is nothing to run; null: it is run. */
  readonly notApplicable: string | null;
}

export const callName = ({ method, route, nth }: Call): string =>
  `${method}-${route.split('/').slice(-2).join('.').replaceAll(/[{}]/g, '')}-${nth}`;

const targetName = (target: Target): string =>
  `${target.path === 'recovery' ? 'recovery.' : ''}${target.kind === 'call' ? callName(target.call) : target.operation}`;

export function targetsOf(strategy: Strategy): readonly Target[] {
  return (['clean', 'recovery'] as const).flatMap((path) => {
    const { calls, operations } = surfaceOf(strategy, path);
    return [
      ...calls.map((call): Target => ({ path, kind: 'call', call })),
      ...operations.map((operation): Target => ({ path, kind: 'store', operation })),
    ];
  });
}

/** The whole product of one fault. */
export function allCells(): readonly Cell[] {
  return strategies.flatMap((strategy) =>
    targetsOf(strategy).flatMap((target) =>
      faultNames.flatMap((fault) => circumstances.map((circumstance) => cellOf(strategy, target, fault, circumstance))),
    ),
  );
}

function cellOf(strategy: Strategy, target: Target, fault: FaultName, circumstance: Circumstance): Cell {
  const id = `${strategy}/${targetName(target)}/${fault}/${circumstance}`;
  const notApplicable = target.kind === 'call' ? callCannot(target.call, fault) : storeCannot(target.operation, fault);
  return { id, strategy, target, fault, circumstance, and: null, notApplicable };
}

const spoilsBody: ReadonlySet<FaultName> = new Set(['truncated', 'garbage', 'another']);
const isStatus: ReadonlySet<FaultName> = new Set([
  'rejected',
  'expired',
  'forbidden',
  'busy',
  'busy-retry-after',
  'failed',
  'failed-retry-after',
]);

function callCannot({ method, route }: Call, fault: FaultName): string | null {
  if (method === 'DELETE' && route.startsWith('/consumers/') && spoilsBody.has(fault)) return 'a 204 has no body';
  if (route === '/oauth/token' && fault === 'another') return 'a token names no consumer';
  return null;
}

/**
 * Mambu answers with a secret key and says of whom in no field, and only the next rotation in place uses it: a wrong one shows there, and that
 * rotation has to mend it.
 */
export const isFoundOutLater = ({ target, fault }: Cell): boolean =>
  target.kind === 'call' && fault === 'another' && target.call.route.endsWith('/secretkeys');

function storeCannot(operation: string, fault: FaultName): string | null {
  const access = operation.split(/[.-]/)[1] ?? '';
  if (isStatus.has(fault)) return 'a store answers without a status';
  if (access !== 'read' && spoilsBody.has(fault)) return 'only a read brings bytes back';
  if ((access === 'read' || access === 'list') && fault === 'lost') return 'a read has no effect: refused is the same';
  if (access !== 'write' && fault === 'conflict') return 'only a write can come second';
  return null;
}

/**
 * A fault on each of two calls, alone: every call with every other, and each fault once at either. Whichever comes first in the rotation may keep the
 * other from being met.
 */
export function pairCells(): readonly Cell[] {
  return strategies.flatMap((strategy) => {
    const calls = surfaceOf(strategy, 'clean').calls;
    const usable = faultNames.filter((fault) => fault !== 'refused');
    return calls.flatMap((first, a) =>
      calls.slice(a).flatMap((second, distance) =>
        usable.flatMap((fault, n): Cell[] => {
          const other = usable[(n + a + distance) % usable.length];
          if (other === undefined) return [];
          const later = distance === 0 ? { ...second, nth: second.nth + 1 } : second;
          const cannot = callCannot(first, fault) ?? callCannot(later, other);
          const target: Target = { path: 'clean', kind: 'call', call: first };
          const id = `${strategy}/${callName(first)}+${callName(later)}/${fault}+${other}/alone`;
          const and = { call: later, fault: other };
          return [{ id, strategy, target, fault, circumstance: 'alone', and, notApplicable: cannot }];
        }),
      ),
    );
  });
}

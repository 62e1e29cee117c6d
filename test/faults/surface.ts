/** Everything a rotation does to the outside, strategy by strategy: its calls and its operations on the store, as a test records them. */
export const strategies = ['mambu-create-and-delete', 'mambu-rotation', 'apigee-x', 'apigee-edge'] as const;
export type Strategy = (typeof strategies)[number];

/** The `nth` call of this method and route, counted from the beginning of the rotation. */
export interface Call {
  readonly method: string;
  readonly route: string;
  readonly nth: number;
}

export interface Surface {
  readonly calls: readonly Call[];
  /** `rotate.write-credential-2`: the second write of a record by the activity `rotate`. */
  readonly operations: readonly string[];
}

/** How often each was made, by `METHOD route` and by `activity.access-object`. */
export interface Counts {
  readonly calls: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, number>>;
}

export type Path = 'clean' | 'recovery';

const APP = '/organizations/{org}/developers/{developer}/apps/{app}';

/** The call whose lost answer makes the engine recover. */
export function lossOf(strategy: Strategy): Call {
  switch (strategy) {
    case 'mambu-create-and-delete':
      return { method: 'POST', route: '/consumers/{id}/apikeys', nth: 1 };
    case 'mambu-rotation':
      return { method: 'POST', route: '/apikey/rotation', nth: 1 };
    case 'apigee-x':
      return { method: 'POST', route: `${APP}/keys`, nth: 1 };
    case 'apigee-edge':
      return { method: 'POST', route: `${APP}/keys/create`, nth: 1 };
    default:
      return strategy satisfies never;
  }
}

interface Recorded {
  readonly clean: Counts;
  readonly recovery: Counts;
}

/** @param create route that makes a key; @param before calls that only this dialect makes */
const apigee = (create: string, before: Counts['calls'] = {}): Recorded => ({
  clean: {
    calls: {
      ...before,
      [`GET ${APP}`]: 5,
      [`POST ${create}`]: 1,
      [`POST ${APP}/keys/{key}`]: 2,
      [`POST ${APP}/keys/{key}/apiproducts/{product}`]: 1,
      [`GET ${APP}/keys/{key}`]: 1,
      [`DELETE ${APP}/keys/{key}`]: 1,
    },
    operations: {
      'load.read-credential': 1,
      'plan.read-credential': 3,
      'plan.check-store': 1,
      'plan.write-credential': 2,
      'rotate.read-credential': 4,
      'rotate.list-late': 2,
      'rotate.write-credential': 2,
      'persist.read-credential': 1,
      'equip.read-credential': 3,
      'verify.read-credential': 2,
      'verify.write-credential': 1,
      'publish.read-credential': 2,
      'publish.list-late': 1,
      'publish.write-credential': 1,
      'retire.read-credential': 8,
      'retire.write-credential': 4,
    },
  },
  recovery: {
    calls: { [`GET ${APP}/keys/{key}`]: 2 },
    operations: { 'rotate.read-credential': 7, 'rotate.list-late': 4, 'rotate.write-credential': 3 },
  },
});

/** What a rotation and the retirement of its old key do; of `recovery`, which loses the answer to `lossOf`, only what is done more often. */
export const recorded: Readonly<Record<Strategy, Recorded>> = {
  'mambu-create-and-delete': {
    clean: {
      calls: {
        'GET /consumers/{id}/keys': 4,
        'POST /consumers/{id}/apikeys': 1,
        'DELETE /consumers/{id}/apikeys/{keyId}': 1,
      },
      operations: {
        'load.read-credential': 1,
        'load.read-installation': 1,
        'load.read-lockout': 1,
        'plan.read-credential': 3,
        'plan.check-store': 1,
        'plan.write-credential': 2,
        'plan.read-lockout': 3,
        'plan.write-lockout': 2,
        'rotate.read-credential': 4,
        'rotate.list-late': 2,
        'rotate.read-lockout': 5,
        'rotate.write-credential': 2,
        'persist.read-credential': 1,
        'persist.read-lockout': 1,
        'verify.read-credential': 2,
        'verify.read-lockout': 3,
        'verify.write-lockout': 2,
        'verify.write-credential': 1,
        'publish.read-credential': 2,
        'publish.list-late': 1,
        'publish.write-credential': 1,
        'publish.read-lockout': 1,
        'retire.read-credential': 4,
        'retire.write-credential': 2,
        'retire.read-lockout': 5,
      },
    },
    recovery: {
      calls: { 'POST /consumers/{id}/apikeys': 2 },
      operations: {
        'rotate.read-credential': 8,
        'rotate.list-late': 3,
        'rotate.read-lockout': 7,
        'rotate.write-credential': 4,
      },
    },
  },
  'mambu-rotation': {
    clean: {
      calls: { 'GET /consumers/{id}/keys': 4, 'POST /apikey/rotation': 1, 'DELETE /consumers/{id}/apikeys/{keyId}': 1 },
      operations: {
        'load.read-credential': 1,
        'load.read-installation': 1,
        'load.read-lockout': 1,
        'plan.read-credential': 3,
        'plan.check-store': 1,
        'plan.write-credential': 2,
        'plan.read-lockout': 3,
        'plan.write-lockout': 2,
        'rotate.read-credential': 4,
        'rotate.list-late': 2,
        'rotate.read-lockout': 5,
        'rotate.write-credential': 2,
        'rotate.write-lockout': 2,
        'persist.read-credential': 1,
        'persist.read-lockout': 1,
        'verify.read-credential': 2,
        'verify.read-lockout': 3,
        'verify.write-lockout': 2,
        'verify.write-credential': 1,
        'publish.read-credential': 2,
        'publish.list-late': 1,
        'publish.write-credential': 1,
        'publish.read-lockout': 1,
        'retire.read-credential': 4,
        'retire.write-credential': 2,
        'retire.read-lockout': 5,
      },
    },
    recovery: {
      calls: { 'GET /consumers/{id}/keys': 6, 'POST /consumers/{id}/apikeys': 1, 'POST /consumers/{id}/secretkeys': 1 },
      operations: {
        'rotate.read-credential': 13,
        'rotate.list-late': 5,
        'rotate.read-lockout': 14,
        'rotate.write-credential': 7,
        'settleDebt.read-credential': 3,
        'settleDebt.read-lockout': 3,
        'settleDebt.write-credential': 1,
        'publish.read-credential': 3,
        'publish.list-late': 2,
        'publish.read-lockout': 3,
      },
    },
  },
  'apigee-x': apigee(`${APP}/keys`),
  'apigee-edge': apigee(`${APP}/keys/create`, { 'POST /oauth/token': 1 }),
};

/** One entry for each call and operation; of `recovery` those that the clean rotation does not have. */
export function surfaceOf(strategy: Strategy, path: Path): Surface {
  const { clean, recovery } = recorded[strategy];
  const numbered = (of: keyof Counts): [string, number][] =>
    Object.entries((path === 'clean' ? clean : recovery)[of]).flatMap(([name, count]) => {
      const before = path === 'clean' ? 0 : (clean[of][name] ?? 0);
      return Array.from({ length: count - before }, (_, n): [string, number] => [name, before + n + 1]);
    });
  return {
    calls: numbered('calls').map(([name, nth]) => {
      const [method = '', route = ''] = name.split(' ');
      return { method, route, nth };
    }),
    operations: numbered('operations').map(([name, n]) => `${name}-${n}`),
  };
}

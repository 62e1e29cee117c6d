import { createClock } from '../shared/clock.js';
import { createFaults, type Fault } from '../shared/faults.js';
import { createPorts } from '../shared/http.js';
import { type AdminActions, createAdmin } from './admin.js';
import { apigeeControlHandler } from './control.js';
import { type Oracle, oracleData, oracleOf } from './oracle.js';
import { type ApigeeRules, apigeeRulesSchema } from './rules.js';
import { type ApigeeSeed, type SeededApp, seedOrganization } from './seed.js';
import { managementHandler, metadataHandler, runtimeHandler, TOKEN_ROUTE } from './server.js';
import { createWorld, type World } from './world.js';

export interface ApigeeSimulatorOptions {
  /** Of the management API. 0 or absent: any free port. */
  port?: number | undefined;
  controlPort?: number | undefined;
  runtimePort?: number | undefined;
  metadataPort?: number | undefined;
  rules?: Partial<ApigeeRules> | undefined;
  seed?: ApigeeSeed | undefined;
}

export interface ApigeeSimulator extends AdminActions {
  /** `http://127.0.0.1:PORT/v1` */
  readonly managementUrl: string;
  /** `http://127.0.0.1:PORT`; the proxies are below it. */
  readonly runtimeUrl: string;
  /** `http://127.0.0.1:PORT/oauth/token` */
  readonly tokenUrl: string;
  /**
   * `http://127.0.0.1:PORT`: the metadata server of a machine at Google, whose tokens the management API accepts. What
   * follows `http://` is a value for GCE_METADATA_HOST.
   */
  readonly metadataUrl: string;
  readonly controlUrl: string;
  /** What it started with, or what the last reset made, with the secrets. */
  readonly seeded: SeededApp;
  /** What the organization really did and would do. `values`: with the plain keys, for canary tests. */
  oracle(options?: { values?: boolean }): Oracle;
  /**
   * One list for all planes; routes are templates below /v1, `/oauth/token`, `/{proxy}` for the runtime, and of the metadata
   * server for example `/computeMetadata/v1/instance/service-accounts/{account}/token`.
   */
  readonly faults: { add(fault: Fault): void; clear(): void };
  readonly clock: { now(): number; advance(ms: number): void };
  /** The knobs; a change counts from the next request on. */
  readonly rules: ApigeeRules;
  /** Forgets everything: new seed, rules and clock as at the start, no faults. */
  reset(): SeededApp;
  close(): Promise<void>;
}

/** Starts a strict simulation of one Apigee organization on the loopback address. @throws ZodError for a wrong rule */
export async function startApigeeSimulator(options: ApigeeSimulatorOptions = {}): Promise<ApigeeSimulator> {
  const rules = apigeeRulesSchema.parse(options.rules ?? {});
  const clock = createClock();
  const faults = createFaults();
  let { world, seeded } = populated();

  function populated(): { world: World; seeded: SeededApp } {
    const made = seedOrganization(options.seed ?? {}, { dialect: rules.dialect, nowMs: clock.now() });
    const fresh = createWorld({ rules, clock }, made);
    return { world: fresh, seeded: { ...made.app, accessToken: fresh.tokens.issue().accessToken } };
  }

  const ports = createPorts();
  const management = await ports.open(
    managementHandler(() => world, faults),
    options.port,
  );
  const runtimeUrl = await ports.open(
    runtimeHandler(() => world, faults),
    options.runtimePort,
  );
  const metadataUrl = await ports.open(
    metadataHandler(() => world, faults),
    options.metadataPort,
  );
  const controlUrl = await ports.open(
    apigeeControlHandler(() => simulator),
    options.controlPort,
  );

  const simulator: ApigeeSimulator = {
    ...createAdmin(() => world),
    managementUrl: `${management}/v1`,
    runtimeUrl,
    tokenUrl: management + TOKEN_ROUTE,
    metadataUrl,
    controlUrl,
    get seeded() {
      return seeded;
    },
    oracle: ({ values = false } = {}) => oracleOf(oracleData(world, values)),
    faults,
    clock,
    rules,
    reset() {
      faults.clear();
      clock.reset();
      Object.assign(rules, apigeeRulesSchema.parse(options.rules ?? {}));
      ({ world, seeded } = populated());
      return seeded;
    },
    close: () => ports.close(),
  };
  return simulator;
}

import { type AdminActions, copyConsumers, createAdmin } from './admin.js';
import { createClock } from '../shared/clock.js';
import { mambuControlHandler } from './control.js';
import { createFaults, type Fault } from '../shared/faults.js';
import { createPorts } from '../shared/http.js';
import { type Oracle, oracleData, oracleOf } from './oracle.js';
import { type TenantRules, tenantRulesSchema } from './rules.js';
import { tenantHandler } from './tenant-server.js';
import { createWorld, type SeedConsumer, type SeededConsumer, seedConsumer, type World } from './world.js';

export interface MambuSimulatorOptions {
  /** 0 or absent: any free port. */
  port?: number | undefined;
  controlPort?: number | undefined;
  tenant?: Partial<TenantRules> | undefined;
  /** Default: one consumer with every permission. */
  seed?: readonly SeedConsumer[] | undefined;
}

export interface MambuSimulator extends AdminActions {
  /** `http://127.0.0.1:PORT/api` */
  readonly baseUrl: string;
  readonly controlUrl: string;
  /** The consumers that it started with, or that the last reset made, with their secrets. */
  readonly seeded: readonly SeededConsumer[];
  /** What the tenant really did and would do. `values`: with the plain key values, for canary tests. */
  oracle(options?: { values?: boolean }): Oracle;
  readonly faults: { add(fault: Fault): void; clear(): void };
  readonly clock: { now(): number; advance(ms: number): void };
  /** The knobs; a change counts from the next request on. */
  readonly rules: TenantRules;
  /** Forgets everything: new seeds, rules and clock as at the start, no faults. */
  reset(): readonly SeededConsumer[];
  /** Another simulated tenant with this one's consumers and rules, and none of its keys. It ends with this one. */
  cloneSandbox(): Promise<MambuSimulator>;
  close(): Promise<void>;
}

/** Starts a strict simulation of one Mambu tenant on the loopback address. @throws ZodError for a wrong rule */
export function startMambuSimulator(options: MambuSimulatorOptions = {}): Promise<MambuSimulator> {
  return start(options, (world) => (options.seed ?? [{ id: 'rotator' }]).map((seed) => seedConsumer(world, seed)));
}

async function start(
  options: MambuSimulatorOptions,
  populate: (world: World) => readonly SeededConsumer[],
): Promise<MambuSimulator> {
  const { tenant = {} } = options;
  const rules = tenantRulesSchema.parse(tenant);
  const clock = createClock();
  const faults = createFaults();
  const clones: MambuSimulator[] = [];
  let world = createWorld(rules, clock);
  let seeded = populate(world);

  function reset(): readonly SeededConsumer[] {
    faults.clear();
    clock.reset();
    Object.assign(rules, tenantRulesSchema.parse(tenant));
    world = createWorld(rules, clock);
    seeded = populate(world);
    return seeded;
  }

  async function cloneSandbox(): Promise<MambuSimulator> {
    const production = world;
    const clone = await start({ tenant: { ...rules } }, (sandbox) => {
      copyConsumers(production, sandbox);
      return [];
    });
    clones.push(clone);
    return clone;
  }

  const ports = createPorts();
  const tenantOrigin = await ports.open(
    tenantHandler(() => world, faults),
    options.port,
  );
  const controlUrl = await ports.open(
    mambuControlHandler(() => simulator),
    options.controlPort,
  );

  const simulator: MambuSimulator = {
    ...createAdmin(() => world),
    baseUrl: `${tenantOrigin}/api`,
    controlUrl,
    get seeded() {
      return seeded;
    },
    oracle: ({ values = false } = {}) => oracleOf(oracleData(world, values)),
    faults,
    clock,
    rules,
    reset,
    cloneSandbox,
    async close() {
      await Promise.all([ports.close(), ...clones.map((clone) => clone.close())]);
    },
  };
  return simulator;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const match = z.strictObject({
  method: z.string().optional(),
  /** Route template, for example `/consumers/{id}/apikeys`. */
  route: z.string().optional(),
  /** The first request to hit, counted from 1 among those that match method and route since the fault was added. */
  nth: z.int().min(1).default(1),
  /** How many requests it hits from there on. */
  times: z.union([z.int().min(1), z.literal('always')]).default(1),
});

const answerParts = {
  headers: z.record(z.string(), z.string()).optional(),
  body: z.string().optional(),
};

/** `commit`: the system processes the request first, and its own answer is lost. */
const commit = z.boolean().default(false);

const faultSchema = z.discriminatedUnion('action', [
  /** Nothing is processed: an answer of its own (503 unless a status is given), or the connection is reset. */
  z.strictObject({
    match,
    action: z.literal('fail-before'),
    reset: z.boolean().default(false),
    status: z.int().min(200).max(599).default(503),
    ...answerParts,
  }),
  z.strictObject({ match, action: z.literal('drop-after-commit') }),
  /** `before`: the request sits in the network, nobody knows it yet. `after`: it is processed, the answer sits. */
  z.strictObject({
    match,
    action: z.literal('delay'),
    ms: z.int().min(0),
    when: z.enum(['before', 'after']).default('before'),
  }),
  /** Processed; the full Content-Length is announced, half of the body is sent, then the connection ends. */
  z.strictObject({ match, action: z.literal('truncate') }),
  /** Processed; the right status with a body that is not what its type says. */
  z.strictObject({ match, action: z.literal('garbage'), body: z.string().optional() }),
  z.strictObject({
    match,
    action: z.literal('redirect'),
    status: z.int().min(300).max(399).default(307),
    /** Default: a path of the simulated system, so that a client that follows shows up in the oracle. */
    location: z.string().optional(),
    commit,
  }),
  z.strictObject({ match, action: z.literal('status'), status: z.int().min(200).max(599), ...answerParts, commit }),
  /** Processed; well-formed, but these fields belong to some other key. */
  z.strictObject({
    match,
    action: z.literal('answer-for-another'),
    fields: z.array(z.string().min(1)).optional(),
  }),
]);

export const faultActions: readonly string[] = faultSchema.options.map(({ shape }) => shape.action.value);

export type Fault = z.input<typeof faultSchema>;
type ArmedFault = z.output<typeof faultSchema>;
type Delay = Extract<ArmedFault, { action: 'delay' }>;
export type Spoiler = Exclude<ArmedFault, Delay>;

/** What happens to one request: all delays that fire, and the first other fault. */
export interface FaultPlan {
  readonly delays: readonly Delay[];
  readonly spoiler: Spoiler | null;
}

export interface Faults {
  /** @throws ZodError */
  add(fault: Fault): void;
  clear(): void;
  /** Counts the request and says what is to happen to it. */
  take(method: string, route: string): FaultPlan;
}

export function createFaults(): Faults {
  let armed: { fault: ArmedFault; seen: number }[] = [];
  return {
    add(fault) {
      armed.push({ fault: faultSchema.parse(fault), seen: 0 });
    },
    clear() {
      armed = [];
    },
    take(method, route) {
      const firing = armed.filter((one) => fires(one, method, route)).map(({ fault }) => fault);
      const delays = firing.filter((fault) => fault.action === 'delay');
      const spoiler = firing.find((fault) => fault.action !== 'delay') ?? null;
      return { delays, spoiler };
    },
  };
}

function fires(one: { fault: ArmedFault; seen: number }, method: string, route: string): boolean {
  const { match: wanted } = one.fault;
  if ((wanted.method ?? method) !== method || (wanted.route ?? route) !== route) return false;
  one.seen += 1;
  const past = one.seen - wanted.nth;
  return past >= 0 && (wanted.times === 'always' || past < wanted.times);
}

/** The fault or faults in a body of the control API. @throws ZodError */
export const parseFaults = (body: unknown): Fault[] =>
  z.union([z.array(faultSchema), faultSchema.transform((fault) => [fault])]).parse(body);

/** Waits as long as the plan's delays for this side of the processing say. */
export async function wait({ delays }: FaultPlan, when: Delay['when']): Promise<void> {
  const ms = delays.filter((delay) => delay.when === when).reduce((sum, delay) => sum + delay.ms, 0);
  if (ms > 0) await sleep(ms, undefined, { ref: false });
}

/** The plan's actions for the record, such as `delay+drop-after-commit`; null when nothing fires. */
export function nameOf({ delays, spoiler }: FaultPlan): string | null {
  const names = [...delays, ...(spoiler === null ? [] : [spoiler])].map(({ action }) => action);
  return names.length === 0 ? null : names.join('+');
}

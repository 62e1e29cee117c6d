import { z } from 'zod';

/** Knobs of a simulator. Each has a default, so that the empty object is a whole set of rules. */
export const flag = (byDefault: boolean) => z.boolean().default(byDefault);
export const durationMs = (byDefault: number) => z.int().min(0).default(byDefault);

/** One of these texts; a number among them may also come as one, as the command line reads it. */
export const choice = <const V extends readonly string[]>(values: V, byDefault: V[number]) =>
  z.preprocess((value) => (typeof value === 'number' ? String(value) : value), z.enum(values)).default(byDefault);

/** Overwrites some rules in place. @throws ZodError on an unknown knob or a value out of range; then nothing changes */
export function changeRules<R extends object>(schema: z.ZodType<R>, rules: R, changes: unknown): R {
  return Object.assign(rules, changedRules(schema, rules, changes));
}

/** The rules with some of them overwritten, in a copy. @throws ZodError on an unknown knob or a value out of range */
export function changedRules<R extends object>(schema: z.ZodType<R>, rules: R, changes: unknown): R {
  const asked = z.record(z.string(), z.unknown()).parse(changes);
  return schema.parse({ ...rules, ...asked });
}

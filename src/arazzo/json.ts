/** Plain data, as JSON can hold it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Keys and indexes from the document's root. */
export type Path = readonly (string | number)[];

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of a type that may be read-only: `Array.isArray` alone does not narrow it. */
export const isList = (value: unknown): value is readonly Json[] => Array.isArray(value);

/** A property of the object itself, never an inherited one. */
export const own = <T>(object: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

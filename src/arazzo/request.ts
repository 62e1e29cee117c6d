import type { Parameter, Step, Workflow } from './document.js';
import type { Scope } from './evaluate.js';
import { ArazzoError, quoted } from './failure.js';
import { isList, type Json, type JsonObject } from './json.js';
import type { Operation } from './openapi.js';
import { parametersOf, pathNames, refusalOf } from './parameters.js';
import { type Body, bodyOf, contentTypeOf } from './payload.js';
import { percentEncoded } from './percent.js';
import { asText, fill } from './template.js';

/** A call, ready to be sent to the source's base URL. */
export interface Request {
  readonly method: string;
  /** Percent-encoded, with its query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** The values before they were encoded, for `$request.path` and `$request.query`. */
  readonly values: {
    readonly path: Readonly<Record<string, string>>;
    readonly query: Readonly<Record<string, string>>;
  };
}

/** @throws ArazzoError unresolved, unsendable: then nothing may be sent */
export function buildRequest(workflow: Workflow, step: Step, operation: Operation, scope: Scope): Request {
  const path: [string, string][] = [];
  const query: [string, string][] = [];
  const headers: [string, string][] = [];
  const cookies: string[] = [];
  for (const parameter of parametersOf(workflow, step)) {
    const refusal = refusalOf(parameter);
    if (refusal !== undefined) throw unsendable(`${quoted(parameter.name)}: ${refusal}`);
    const value = fill(parameter.value, scope);
    const { name } = parameter;
    switch (parameter.in) {
      case 'path':
        path.push([name, segment(value, name)]);
        break;
      case 'query':
        query.push(...queryTexts(value, parameter, operation).map((text): [string, string] => [name, text]));
        break;
      case 'header':
        headers.push([name.toLowerCase(), headerText(value, name)]);
        break;
      case 'cookie':
        cookies.push(`${name}=${cookieText(value, name)}`);
        break;
      case undefined:
        throw unsendable(`${quoted(name)} says not where it belongs: add "in"`);
      default:
        parameter.in satisfies never;
    }
  }
  const contentType = step.body && contentTypeOf(step.body, operation);
  if (step.body?.payload !== undefined && contentType === undefined)
    throw unsendable('the payload has no type: add requestBody.contentType');
  const body = step.body && contentType !== undefined ? bodyOf(step.body, contentType, scope) : undefined;
  if (cookies.length > 0) headers.push(['cookie', cookies.join('; ')]);
  if (body !== undefined) headers.push(['content-type', body.contentType]);
  const values = { path: Object.fromEntries(path), query: Object.fromEntries(query) };
  const search = query.map((pair) => pair.map(percentEncoded).join('=')).join('&');
  return {
    method: operation.method,
    path: pathOf(operation.path, new Map(path)) + (search === '' ? '' : `?${search}`),
    headers: Object.fromEntries(headers),
    ...(body === undefined ? {} : { body }),
    values,
  };
}

/** The inputs that a step gives to the workflow that it calls. @throws ArazzoError unresolved */
export const buildInputs = (workflow: Workflow, step: Step, scope: Scope): JsonObject =>
  Object.fromEntries(parametersOf(workflow, step).map(({ name, value }) => [name, fill(value, scope)]));

/** A value that is empty or a dot segment would lead to another path. */
function segment(value: Json, name: string): string {
  const text = asText(value, name);
  if (text === '') throw unsendable(`the path value ${quoted(name)} is empty`);
  return text;
}

function pathOf(template: string, values: ReadonlyMap<string, string>): string {
  const missing = pathNames(template).find((name) => !values.has(name));
  if (missing !== undefined) throw new ArazzoError('unresolved', `the path value ${quoted(missing)} is missing`);
  const path = template.replaceAll(/\{([^{}]+)\}/g, (_, name: string) => percentEncoded(values.get(name) ?? ''));
  if (path.split('/').some((part) => /^(?:\.|%2e){1,2}$/i.test(part)))
    throw unsendable('a path value of "." or ".." would lead to another path');
  return path;
}

function queryTexts(value: Json, { name }: Parameter, operation: Operation): readonly string[] {
  if (!isList(value)) return [asText(value, name)];
  const declared = operation.parameters.find((one) => one.in === 'query' && one.name === name);
  if (declared?.isExploded === false)
    throw unsendable(`${quoted(name)} would hold a list in a style that is not supported`);
  return value.map((item) => asText(item, name));
}

function headerText(value: Json, name: string): string {
  const text = asText(value, name);
  if (/^[\t\u0020-\u007e]*$/.test(text)) return text;
  throw unsendable(`the header ${quoted(name)} would hold control or foreign characters`);
}

function cookieText(value: Json, name: string): string {
  const text = asText(value, name);
  if (/^[!#-+\--:<-[\]-~]*$/.test(text)) return text;
  throw unsendable(`the cookie ${quoted(name)} would hold characters that a cookie cannot hold`);
}

const unsendable = (message: string): ArazzoError => new ArazzoError('unsendable', message);

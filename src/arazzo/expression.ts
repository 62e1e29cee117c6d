import { quoted, syntaxError } from './failure.js';
import { limits } from './limits.js';
import { formatPointer, parsePointer } from './pointer.js';

/** A runtime expression (Arazzo 1.0.1, Runtime Expressions). */
export type Expression =
  | { readonly kind: 'url' }
  | { readonly kind: 'method' }
  | { readonly kind: 'statusCode' }
  | { readonly kind: 'header'; readonly of: Side; readonly name: string }
  | { readonly kind: 'query' | 'path'; readonly name: string }
  | { readonly kind: 'body'; readonly of: Side; readonly pointer: readonly string[] }
  | Named<'inputs'>
  | Named<'outputs'>
  | (Named<'steps'> & { readonly stepId: string })
  | (Named<'workflows'> & { readonly workflowId: string; readonly field: 'inputs' | 'outputs' })
  | { readonly kind: 'sourceDescriptions'; readonly source: string; readonly field: string }
  | { readonly kind: 'components'; readonly section: ComponentSection; readonly name: string };

export type Side = 'request' | 'response';

interface Named<Kind extends string> {
  readonly kind: Kind;
  readonly name: string;
  /** Into the named value: `#/…` after the name. */
  readonly pointer: readonly string[];
}

const sections = ['inputs', 'parameters', 'successActions', 'failureActions'] as const;
export type ComponentSection = (typeof sections)[number];

/** @throws ArazzoError syntax */
export function parseExpression(text: string): Expression {
  if (text.length > limits.expressionLength)
    throw syntaxError(`the expression is longer than ${limits.expressionLength} characters`);
  const parsed = parseWhole(text);
  if (parsed === undefined) {
    throw syntaxError(
      `${quoted(text)} is not a runtime expression: it must be such as $inputs.name or $response.body#/x`,
    );
  }
  return parsed;
}

/** `$sourceDescriptions.<source>.<reference>`: the reference is an operation, a workflow or a field. @throws ArazzoError syntax */
export function parseSourceReference(text: string): { readonly source: string; readonly reference: string } {
  const parsed = parseExpression(text);
  if (parsed.kind !== 'sourceDescriptions')
    throw syntaxError(`${quoted(text)} must be such as $sourceDescriptions.name.id`);
  return { source: parsed.source, reference: parsed.field };
}

function parseWhole(text: string): Expression | undefined {
  if (text === '$url') return { kind: 'url' };
  if (text === '$method') return { kind: 'method' };
  if (text === '$statusCode') return { kind: 'statusCode' };
  const [, root = '', rest = ''] = /^\$([A-Za-z]+)\.(.+)$/su.exec(text) ?? [];
  switch (root) {
    case 'request':
    case 'response':
      return message(root, rest);
    case 'inputs':
    case 'outputs': {
      const value = named(rest);
      return value && { kind: root, ...value };
    }
    case 'steps': {
      const [, stepId = '', name = ''] = /^([^.#]+)\.outputs\.(.+)$/su.exec(rest) ?? [];
      const value = named(name);
      return value && { kind: 'steps', stepId, ...value };
    }
    case 'workflows': {
      const [, workflowId = '', field, name = ''] = /^([^.#]+)\.(inputs|outputs)\.(.+)$/su.exec(rest) ?? [];
      const value = named(name);
      return value && { kind: 'workflows', workflowId, field: field === 'inputs' ? 'inputs' : 'outputs', ...value };
    }
    case 'sourceDescriptions': {
      const [, source, field] = /^([^.]+)\.(.+)$/su.exec(rest) ?? [];
      return source === undefined || field === undefined ? undefined : { kind: 'sourceDescriptions', source, field };
    }
    case 'components': {
      const [, section, name] = /^([^.]+)\.(.+)$/su.exec(rest) ?? [];
      const known = sections.find((one) => one === section);
      return known === undefined || name === undefined ? undefined : { kind: 'components', section: known, name };
    }
    default:
      return undefined;
  }
}

function message(of: Side, rest: string): Expression | undefined {
  if (rest === 'body') return { kind: 'body', of, pointer: [] };
  if (rest.startsWith('body#')) return { kind: 'body', of, pointer: parsePointer(rest.slice('body#'.length)) };
  const [, part, name] = /^(header|query|path)\.(.+)$/su.exec(rest) ?? [];
  if (part === undefined || name === undefined) return undefined;
  if (part === 'header') return /^[\w!#$%&'*+.^`|~-]+$/.test(name) ? { kind: 'header', of, name } : undefined;
  if (of === 'response') throw syntaxError(`a response has no ${part}: it has header and body`);
  return { kind: part === 'query' ? 'query' : 'path', name };
}

/** A name, then perhaps `#` and a JSON pointer into its value. */
function named(text: string): { readonly name: string; readonly pointer: readonly string[] } | undefined {
  const at = text.search(/#(\/|$)/);
  const name = at < 0 ? text : text.slice(0, at);
  return name === '' ? undefined : { name, pointer: at < 0 ? [] : parsePointer(text.slice(at + 1)) };
}

/** The expression as text. `parseExpression` of it gives the same again. */
export function formatExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'url':
    case 'method':
    case 'statusCode':
      return `$${expression.kind}`;
    case 'header':
      return `$${expression.of}.header.${expression.name}`;
    case 'query':
    case 'path':
      return `$request.${expression.kind}.${expression.name}`;
    case 'body':
      return `$${expression.of}.body${hash(expression.pointer)}`;
    case 'inputs':
    case 'outputs':
      return `$${expression.kind}.${expression.name}${hash(expression.pointer)}`;
    case 'steps':
      return `$steps.${expression.stepId}.outputs.${expression.name}${hash(expression.pointer)}`;
    case 'workflows':
      return `$workflows.${expression.workflowId}.${expression.field}.${expression.name}${hash(expression.pointer)}`;
    case 'sourceDescriptions':
      return `$sourceDescriptions.${expression.source}.${expression.field}`;
    case 'components':
      return `$components.${expression.section}.${expression.name}`;
    default:
      return expression satisfies never;
  }
}

const hash = (pointer: readonly string[]): string => (pointer.length === 0 ? '' : `#${formatPointer(pointer)}`);

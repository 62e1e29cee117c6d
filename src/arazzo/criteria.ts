import { holds } from './condition-value.js';
import type { Criterion } from './document.js';
import { find, type Scope } from './evaluate.js';
import type { Json } from './json.js';

/** The engines behind the criteria of other languages. Both must be bounded: a document is not trusted. */
export interface CriteriaEngines {
  /** Whether the pattern is found in the text, in linear time. @throws Error when the pattern is not valid */
  regex(pattern: string, text: string): boolean;
  /** How many nodes an RFC 9535 query selects. @throws Error when the query is not valid */
  jsonpath(query: string, value: Json): number;
}

/** Whether every criterion holds. None: true. @throws whatever an engine throws */
export const allHold = (criteria: readonly Criterion[], scope: Scope, engines: CriteriaEngines): boolean =>
  criteria.every((criterion) => isMet(criterion, scope, engines));

function isMet(criterion: Criterion, scope: Scope, engines: CriteriaEngines): boolean {
  if (criterion.type === 'simple') return holds(criterion.condition, scope);
  const context = find(criterion.context, scope);
  if (context === undefined) return false;
  if (criterion.type === 'jsonpath') return engines.jsonpath(criterion.condition, context) > 0;
  return context !== null && typeof context !== 'object' && engines.regex(criterion.condition, String(context));
}

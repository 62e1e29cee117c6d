import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Workflow } from './document.js';
import { compile } from './engines.js';
import { find, type Scope } from './evaluate.js';
import { formatExpression } from './expression.js';
import { ArazzoError, syntaxError } from './failure.js';
import { isObject, type Json, type JsonObject } from './json.js';
import { countOf } from './limits.js';
import { parametersOf } from './parameters.js';
import { expressionsIn } from './template.js';

/** Of all inputs of a run together. */
export const maxInputBytes = 64 * 1024;
const maxInputValues = 10_000;

/**
 * The inputs that the workflow declares, with their defaults, after they were held against its schema (JSON Schema 2020-12).
 * @throws ArazzoError syntax, with every place and no value
 */
export function validInputs(workflow: Workflow, given: JsonObject): JsonObject {
  if (Buffer.byteLength(JSON.stringify(given)) > maxInputBytes)
    throw syntaxError(`the inputs have more than ${maxInputBytes / 1024} KiB`);
  if (countOf(given) > maxInputValues) throw syntaxError(`the inputs hold more than ${maxInputValues} values`);
  const { schema = {}, properties = {} } = workflow.inputs ?? {};
  const inputs = structuredClone(given);
  const validate = compiled(schema);
  if (!validate(inputs)) {
    const wrong = (validate.errors ?? []).map(
      ({ instancePath, message = 'is not valid' }) => `inputs${instancePath} ${message}`,
    );
    throw syntaxError([...new Set(wrong)].slice(0, 20).join('\n'));
  }
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => Object.hasOwn(properties, name)));
}

/** Whether the schema itself is one. @throws ArazzoError syntax */
export const checkSchema = ({ inputs }: Workflow): void => void compiled(inputs?.schema ?? {});

function compiled(schema: Json) {
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    useDefaults: true,
    validateFormats: false,
    logger: false,
    code: { regExp: linear },
  });
  try {
    return ajv.compile<JsonObject>(isObject(schema) ? schema : {});
  } catch (error) {
    if (error instanceof ArazzoError) throw error;
    throw syntaxError('the schema of the inputs is not a JSON Schema 2020-12');
  }
}

/** Patterns of a schema come from the document, too. */
const linear = Object.assign(
  (pattern: string) => {
    const compiledPattern = compile(pattern);
    return {
      test: (text: string): boolean => compiledPattern.matcher(text).find(),
      exec: () => null,
      toString: () => pattern,
    };
  },
  { code: 'linear' },
);

/**
 * Inputs that a request of the workflow names and that are not there.
 * @throws ArazzoError syntax before anything is sent, instead of unresolved in the middle of a run
 */
export function requireInputs(workflow: Workflow, inputs: JsonObject): void {
  const scope: Scope = { inputs, steps: {}, workflows: {}, sources: {} };
  const values = workflow.steps.flatMap((step) => [
    ...parametersOf(workflow, step).map(({ value }) => value),
    ...(step.body?.payload === undefined ? [] : [step.body.payload]),
    ...(step.body?.replacements ?? []).map(({ value }) => value),
  ]);
  const missing = values
    .flatMap(expressionsIn)
    .filter((expression) => expression.kind === 'inputs' && find(expression, scope) === undefined)
    .map(formatExpression);
  if (missing.length > 0)
    throw syntaxError(
      `inputs that requests of ${workflow.workflowId} need are missing: ${[...new Set(missing)].join(', ')}`,
    );
}

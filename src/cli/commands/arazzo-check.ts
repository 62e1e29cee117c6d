import type { Step, Workflow } from '../../arazzo/document.js';
import { type LoadedArazzo, loadArazzo } from '../arazzo-document.js';
import type { Action } from '../run.js';
import { table } from '../table.js';

export const run: Action<'arazzo-check'> = async (_, [file], { source = [] }) => {
  const loaded = await loadArazzo(file, source);
  const { version, title, workflows } = loaded.document;
  return {
    data: { file, arazzo: version, title, workflows: workflows.map((workflow) => described(workflow, loaded)) },
    text: [`${file}: Arazzo ${version}, nothing wrong`, ...workflows.map((workflow) => shown(workflow, loaded))].join(
      '\n\n',
    ),
  };
};

function described({ workflowId, inputs, steps, outputs }: Workflow, loaded: LoadedArazzo) {
  return {
    workflowId,
    inputs: Object.keys(inputs?.properties ?? {}),
    required: inputs?.required ?? [],
    steps: steps.map((step) => ({ stepId: step.stepId, ...call(step, loaded) })),
    outputs: outputs.map(({ name }) => name),
  };
}

function shown(workflow: Workflow, loaded: LoadedArazzo): string {
  const { workflowId, inputs, required, steps, outputs } = described(workflow, loaded);
  const names = inputs.map((name) => (required.includes(name) ? name : `[${name}]`)).join(' ');
  const rows = steps.map(({ stepId, ...called }) => [
    stepId,
    'workflowId' in called ? `workflow ${called.workflowId}` : `${called.method} ${called.path}`,
    'source' in called ? called.source : '',
  ]);
  return [
    `workflow ${workflowId}`,
    `inputs   ${names === '' ? 'none' : names}`,
    `outputs  ${outputs.length === 0 ? 'none' : outputs.join(' ')}`,
    table(['STEP', 'CALLS', 'SOURCE'], rows),
  ].join('\n');
}

function call(step: Step, { operations }: LoadedArazzo) {
  const operation = operations.get(step);
  if (operation === undefined) return { workflowId: step.target.text };
  const { source, method, path } = operation;
  return { source, method, path };
}

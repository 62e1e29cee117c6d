import type { Action, ArazzoDocument, Workflow } from './document.js';
import { quoted } from './failure.js';
import type { Path } from './json.js';
import type { Reader } from './problems.js';
import { unknownWorkflow } from './unknown-workflow.js';

/** Every place that a workflow may go to or waits for exists. */
export function checkFlow(reader: Reader, document: ArazzoDocument, workflow: Workflow): void {
  const workflows = new Set(document.workflows.map(({ workflowId }) => workflowId));
  const steps = new Set(workflow.steps.map(({ stepId }) => stepId));
  for (const { text, at } of workflow.dependsOn) {
    if (!workflows.has(text)) reader.problem(at, unknownWorkflow(text));
    else checkHandedOver(reader, document, workflow, text, at);
  }
  for (const { to, at } of actionsIn(workflow)) {
    if (to?.kind === 'step' && !steps.has(to.id))
      reader.problem([...at, 'stepId'], `the workflow ${workflow.workflowId} has no step ${quoted(to.id)}`);
    if (to?.kind !== 'workflow') continue;
    if (!workflows.has(to.id)) reader.problem([...at, 'workflowId'], unknownWorkflow(to.id));
    else checkHandedOver(reader, document, workflow, to.id, [...at, 'workflowId']);
  }
}

/** A workflow that is awaited, or gone to, gets the inputs that it declares from those of the same names. */
function checkHandedOver(reader: Reader, document: ArazzoDocument, from: Workflow, id: string, at: Path): void {
  const required = document.workflows.find(({ workflowId }) => workflowId === id)?.inputs?.required ?? [];
  for (const name of required) {
    if (!Object.hasOwn(from.inputs?.properties ?? {}, name))
      reader.problem(at, `the workflow ${id} needs the input ${quoted(name)}, which ${from.workflowId} does not have`);
  }
}

/** Workflows that wait for each other, or call each other, without end. `goto` goes one way and is bounded when it runs. */
export function checkCycles(reader: Reader, document: ArazzoDocument): void {
  const needs = new Map(document.workflows.map((workflow) => [workflow.workflowId, needsOf(workflow)]));
  const finished = new Set<string>();
  const visit = (id: string, before: readonly string[]): void => {
    if (finished.has(id)) return;
    for (const { id: next, at } of needs.get(id) ?? []) {
      const path = [...before, id];
      if (path.includes(next)) {
        const cycle = [...path.slice(path.indexOf(next)), next].join(' → ');
        reader.problem(at, `workflows need each other without end: ${cycle}`);
      } else visit(next, path);
    }
    finished.add(id);
  };
  for (const id of needs.keys()) visit(id, []);
}

function needsOf(workflow: Workflow): readonly { readonly id: string; readonly at: Path }[] {
  return [
    ...workflow.dependsOn.map(({ text, at }) => ({ id: text, at })),
    ...workflow.steps.flatMap(({ target }) =>
      target.kind === 'workflowId' ? [{ id: target.text, at: target.at }] : [],
    ),
    ...actionsIn(workflow).flatMap(({ type, to, at }) =>
      type === 'retry' && to?.kind === 'workflow' ? [{ id: to.id, at: [...at, 'workflowId'] }] : [],
    ),
  ];
}

/** Every action of the workflow and of its steps. */
export const actionsIn = (workflow: Workflow): readonly Action[] => [
  ...workflow.successActions,
  ...workflow.failureActions,
  ...workflow.steps.flatMap(({ onSuccess, onFailure }) => [...onSuccess, ...onFailure]),
];

/** The workflow and all that it may come to: those that it awaits, calls or goes to. */
export function reachableFrom({ workflows }: ArazzoDocument, first: Workflow): readonly Workflow[] {
  const byId = new Map(workflows.map((workflow) => [workflow.workflowId, workflow]));
  const found = new Set([first]);
  for (const workflow of found) {
    const ids = [
      ...workflow.dependsOn.map(({ text }) => text),
      ...workflow.steps.flatMap(({ target }) => (target.kind === 'workflowId' ? [target.text] : [])),
      ...actionsIn(workflow).flatMap(({ to }) => (to?.kind === 'workflow' ? [to.id] : [])),
    ];
    for (const id of ids) {
      const next = byId.get(id);
      if (next !== undefined) found.add(next);
    }
  }
  return [...found];
}

/** The workflows as a later version might have them: the compiled ones with a change, bundled. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';
import { quietRuntime } from './quiet-runtime.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Change {
  /** In dist/workflows. */
  readonly file: string;
  /** Has to be there once. */
  readonly before: string;
  readonly insert: string;
}

/** What a later version might do more, at places that every entity passes again and again. */
const more = {
  'a step of the rotation': {
    file: 'rotation.js',
    before: 'const { usableAtMs } = await steps.persist();',
    insert: 'await steps.persist();',
  },
  'a timer in grace': {
    file: 'housekeepingLane.js',
    before: 'await entity.wait(() => entity.stopping() || changed(),',
    insert: 'await sleep(1);',
  },
} as const satisfies Record<string, Change>;

export const additions = Object.keys(more) as readonly (keyof typeof more)[];

/** @param guarded each by a `patched` of its own, named as the addition */
export function workflowsWith(names: typeof additions, guarded: boolean): Promise<WorkflowBundle> {
  return changedWorkflows(
    names.map((name) => {
      const { insert, ...place } = more[name];
      return { ...place, insert: guarded ? `if (patched('${name}')) ${insert}` : insert };
    }),
  );
}

async function changedWorkflows(changes: readonly Change[]): Promise<WorkflowBundle> {
  quietRuntime();
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-test-workflows-'));
  try {
    for (const part of ['package.json', 'dist/workflows', 'dist/domain', 'dist/contract.js'])
      await cp(join(root, part), join(directory, part), { recursive: true });
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    for (const { file, before, insert } of changes) {
      const path = join(directory, 'dist/workflows', file);
      const [first, second, ...more] = (await readFile(path, 'utf8')).split(before);
      if (first === undefined || second === undefined || more.length > 0)
        throw new Error(`${file} does not hold this once: ${before}`);
      const imports = `import { patched, sleep } from '@temporalio/workflow';\n`;
      await writeFile(path, `${imports}${first}${insert}\n${before}${second}`);
    }
    const workflowsPath = join(directory, 'dist/workflows/index.js');
    return await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

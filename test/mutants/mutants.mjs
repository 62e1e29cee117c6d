// Hand-written defects: `npm run mutants` puts each into a copy of the repository, and the test files that it names must turn red. `guarantee` is the
// number in docs/guarantees.md; `edits` replace texts that stand in `file` exactly once; `only` picks tests of those files by name, for speed.
import { custody } from './custody.mjs';
import { entity } from './entity.mjs';
import { lives } from './lives.mjs';
import { runs } from './runs.mjs';
import { writes } from './writes.mjs';

export const mutants = [...writes, ...lives, ...custody, ...entity, ...runs];

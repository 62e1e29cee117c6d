// What a mutant does to a text.

/** How mutants do not fit the code: each text that is replaced has to stand in its file exactly once. */
export function problemsOf(mutants, read) {
  return mutants.flatMap(({ name, file, edits }) => {
    const text = read(file);
    return edits.flatMap(({ from, to }) => {
      const found = text.split(from).length - 1;
      if (from === to) return [`${name}: changes nothing`];
      return found === 1 ? [] : [`${name}: ${JSON.stringify(from)} stands ${found} times in ${file}, not once`];
    });
  });
}

export function mutated(text, edits) {
  return edits.reduce((whole, { from, to }) => whole.replace(from, () => to), text);
}

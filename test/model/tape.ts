/**
 * Every decision of the environment is read from a tape: the same tape gives the same run. At each choice point the first option is what goes
 * well; everything else is a deviation. An exhaustive search writes the tapes, fast-check draws them, a regression holds one in words.
 */
export interface Choice {
  /** Where the decision was asked for, e.g. `rotate.3 network create-key`. */
  readonly point: string;
  readonly chosen: string;
}

export interface Chooser {
  /** @param state the whole state as text, asked for only by choosers that compare states */
  choose<T extends string>(point: string, options: readonly [T, ...T[]], state: () => string): T;
}

/** A deviation from what goes well: at the nth choice point the option with this ordinal. */
export interface Deviation {
  readonly at: number;
  readonly option: number;
}

/** The tape of the exhaustive search: a few deviations, all else goes well. */
export class SparseTape implements Chooser {
  readonly #byPoint: ReadonlyMap<number, number>;
  readonly #last: number;
  #position = 0;
  readonly taken: Choice[] = [];
  /** Ordinals of choice points after the last deviation, with the number of options; up to the first state that is known. */
  readonly open: Deviation[] = [];
  #known = false;

  /** @param isNew tells, once per state, whether it has not been seen before; null: nothing is to be continued from this run */
  constructor(
    deviations: readonly Deviation[],
    private readonly isNew: ((state: string) => boolean) | null,
  ) {
    this.#byPoint = new Map(deviations.map((d) => [d.at, d.option]));
    this.#last = deviations.at(-1)?.at ?? -1;
  }

  /** Choice points passed. */
  get length(): number {
    return this.#position;
  }

  choose<T extends string>(point: string, options: readonly [T, ...T[]], state: () => string): T {
    const at = this.#position++;
    const chosen = options[this.#byPoint.get(at) ?? 0] ?? options[0];
    if (chosen !== options[0]) this.taken.push({ point, chosen });
    if (at > this.#last && this.isNew && !this.#known) {
      if (this.isNew(`${point}\n${state()}`))
        for (let o = 1; o < options.length; o++) this.open.push({ at, option: o });
      else this.#known = true;
    }
    return chosen;
  }
}

/** Draws of fast-check: before each deviation so many choice points go well. */
export class DrawnTape implements Chooser {
  readonly taken: Choice[] = [];
  #draws: { skip: number; readonly option: number }[] = [];

  add(draws: readonly { readonly skip: number; readonly option: number }[]): void {
    this.#draws.push(...draws.map((d) => ({ ...d })));
  }

  clear(): void {
    this.#draws = [];
  }

  choose<T extends string>(point: string, options: readonly [T, ...T[]]): T {
    const [next] = this.#draws;
    if (!next || options.length === 1) return options[0];
    if (next.skip > 0) {
      next.skip -= 1;
      return options[0];
    }
    this.#draws.shift();
    const chosen = options[1 + (next.option % (options.length - 1))] ?? options[0];
    this.taken.push({ point, chosen });
    return chosen;
  }
}

/** A counter-example in words: each deviation is taken at the first choice point of that name after the one before. */
export class WrittenTape implements Chooser {
  #next = 0;
  constructor(private readonly deviations: readonly Choice[]) {}

  /** Deviations whose choice point never came: a regression that says nothing any more. */
  get left(): readonly Choice[] {
    return this.deviations.slice(this.#next);
  }

  choose<T extends string>(point: string, options: readonly [T, ...T[]]): T {
    const wanted = this.deviations[this.#next];
    if (!wanted || wanted.point !== point) return options[0];
    const chosen = options.find((o) => o === wanted.chosen);
    if (!chosen) return options[0];
    this.#next += 1;
    return chosen;
  }
}

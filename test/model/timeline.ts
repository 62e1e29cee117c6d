/** Virtual time: what is due when, and what waits for a condition. Nothing passes but by `settle` and by whoever takes the next item. */
export interface Item {
  readonly atMs: number;
  readonly order: number;
  readonly what: string;
  /** The workflow run that it belongs to; null: to a worker or to the wire. */
  readonly run: number | null;
  readonly act: () => void;
}

interface Waiting {
  readonly wake: () => boolean;
  readonly resolve: (woken: boolean) => void;
  readonly timer: Item | null;
}

export class Timeline {
  #items: readonly Item[] = [];
  #waiting: readonly Waiting[] = [];
  #order = 0;

  constructor(public nowMs: number) {}

  get items(): readonly Item[] {
    return this.#items;
  }

  add(inMs: number, what: string, run: number | null, act: () => void): Item {
    const item: Item = { atMs: this.nowMs + inMs, order: ++this.#order, what, run, act };
    this.#items = [...this.#items, item];
    return item;
  }

  /** The first that is due until then; of the same instant in the order in which they were added. */
  next(untilMs: number): Item | undefined {
    let first: Item | undefined;
    for (const item of this.#items) if (item.atMs <= untilMs && (!first || item.atMs < first.atMs)) first = item;
    return first;
  }

  remove(item: Item | null): void {
    this.#items = this.#items.filter((i) => i !== item);
  }

  condition(wake: () => boolean, timeoutMs: number | undefined, run: number): Promise<boolean> {
    return new Promise((resolve) => {
      const give = (): void => {
        this.#waiting = this.#waiting.filter((w) => w !== waiting);
        resolve(false);
      };
      const timer = timeoutMs === undefined ? null : this.add(timeoutMs, 'timer', run, give);
      const waiting: Waiting = { wake, resolve, timer };
      this.#waiting = [...this.#waiting, waiting];
    });
  }

  /** A run has ended: nothing of it happens any more. */
  endRuns(): void {
    this.#items = this.#items.filter((i) => i.run === null);
    this.#waiting = [];
  }

  clear(): void {
    this.#items = [];
    this.#waiting = [];
  }

  /** Until nothing more happens at this instant. */
  async settle(): Promise<void> {
    for (let woken = true; woken;) {
      await new Promise((resolve) => setImmediate(resolve));
      woken = false;
      for (const waiting of this.#waiting) {
        if (!this.#waiting.includes(waiting) || !waiting.wake()) continue;
        woken = true;
        this.#waiting = this.#waiting.filter((w) => w !== waiting);
        this.remove(waiting.timer);
        waiting.resolve(true);
      }
    }
  }
}

/** What a cell has to put away at its end; the last thing first. */
type Cleanup = () => void | Promise<void>;
export type AddCleanup = (cleanup: Cleanup) => void;

export class Cleanups {
  readonly #cleanups: Cleanup[] = [];

  readonly add = (cleanup: Cleanup): void => void this.#cleanups.push(cleanup);

  async run(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).toReversed()) await cleanup();
  }
}

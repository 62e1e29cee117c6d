/**
 * A box for a plaintext that cannot be printed by accident: every way of turning it into text gives `[secret]`.
 * Only `reveal()` opens it; a search for that word finds each place that handles plaintext.
 */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}

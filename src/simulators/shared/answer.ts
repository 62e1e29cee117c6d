/** A complete answer, before any fault spoils it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const noContent: Answer = { status: 204, headers: {}, body: '' };

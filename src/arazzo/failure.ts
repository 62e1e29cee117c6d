/**
 * - `syntax`: text that is not in the language it should be in; found by the check, before anything is sent.
 * - `unresolved`: a value that is not there. It is never sent as an empty or literal string.
 * - `unsendable`: a value that is there but cannot stand in this place of a request.
 */
export type ArazzoErrorKind = 'syntax' | 'unresolved' | 'unsendable';

/** The only error that parsing and evaluation throw. Its message quotes the document, never a value. */
export class ArazzoError extends Error {
  override readonly name = 'ArazzoError';
  readonly kind: ArazzoErrorKind;

  constructor(kind: ArazzoErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export const syntaxError = (message: string): ArazzoError => new ArazzoError('syntax', message);

/** Text of the document, short enough to stand in a message. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}…` : text;
  return JSON.stringify(shown);
}

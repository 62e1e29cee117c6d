/**
 * Text that others have written, on its way to a terminal, a log, a page or a shell. Some characters act instead of being shown: control
 * characters move the cursor and end lines, marks of direction turn what follows, marks without width hide differences.
 */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const actingButLines = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** One line of at most `maxChars`: what would act is a question mark. */
export function plainLine(text: string, maxChars = Number.POSITIVE_INFINITY): string {
  const short = text.length > maxChars ? `${text.slice(0, maxChars - 1)}…` : text;
  return short.replaceAll(acting, '?');
}

/** The same for every text in a value of plain JSON. */
export function plainLines<T>(value: T): T {
  return eachText(value, (text) => plainLine(text)) as T;
}

/** As `plainLines`, and nothing in it begins or ends a code, cell, tag, link or image of Markdown. */
export function plainMarkdown<T>(value: T): T {
  return eachText(value, (text) => plainLine(text).replaceAll(/[`|<>[\]]/g, '?')) as T;
}

function eachText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => eachText(item, change));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, eachText(item, change)]));
}

/** JSON that means the same and shows what would act as `\uXXXX`; line breaks between its tokens stay. */
export function plainJson(json: string): string {
  return json.replaceAll(actingButLines, (one) =>
    one
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** One word of a command line that is shown to be copied: `$(…)`, quotes and spaces in it do nothing. */
export function shellWord(text: string): string {
  const word = plainLine(text);
  return /^[A-Za-z0-9_./:=@%+,][A-Za-z0-9_./:=@%+,-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

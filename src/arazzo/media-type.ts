import { percentEncoded } from './percent.js';

/** How a body is written: as JSON, as a form, or as text that the document gives. */
export type BodyFormat = 'json' | 'form' | 'xml' | 'text';

/** Undefined for what keyturn does not write. */
export function formatOf(contentType: string): BodyFormat | undefined {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type)) return undefined;
  if (type === 'application/json' || type.endsWith('+json')) return 'json';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (type === 'application/xml' || type === 'text/xml' || type.endsWith('+xml')) return 'xml';
  return type.startsWith('text/') ? 'text' : undefined;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Makes a value safe within text of the format, so that it cannot add fields of its own. */
export const escapes: Readonly<Record<BodyFormat, (text: string) => string>> = {
  json: (text) => JSON.stringify(text).slice(1, -1),
  form: (text) => percentEncoded(text),
  xml: (text) => text.replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign),
  text: (text) => text,
};

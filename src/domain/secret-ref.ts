/** Where a secret stands that keyturn.yaml refers to. The config never holds the secret itself. */
export type SecretRef =
  | { readonly from: 'env'; readonly name: string }
  /** Relative to the folder of keyturn.yaml. */
  | { readonly from: 'file'; readonly path: string };

export const secretRefPattern = /^\$\{(?:env:([A-Za-z_][A-Za-z0-9_]*)|file:([^{}\p{Cc}]+))\}$/u;

/** Reads `${env:NAME}` or `${file:path}`; undefined for anything else, such as a literal secret. */
export function parseSecretRef(text: string): SecretRef | undefined {
  const [, name, path] = secretRefPattern.exec(text) ?? [];
  if (name !== undefined) return { from: 'env', name };
  if (path !== undefined) return { from: 'file', path };
  return undefined;
}

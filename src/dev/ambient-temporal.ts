/**
 * The environment without Temporal's own variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, …): what keyturn starts for
 * the demo and for tests must never be led to a real cluster by the shell it runs in.
 */
export function withoutAmbientTemporal(env: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.toUpperCase().startsWith('TEMPORAL_')));
}

/** Webhooks: is anyone let in, and what has `serve` refused, as its own counters say. */
import { type Config, resolveSecret } from '../../config.js';
import { type Check, ok, warn } from './check.js';

const ANSWER_WITHIN_MS = 2_000;
/** Of /metrics of `serve`. */
const refusedLine =
  /^keyturn_webhook_requests_total\{(?=[^}]*answer="[45]\d\d")[^}]*reason="([a-z-]+)"[^}]*\} (\d+)$/gm;

export async function checkWebhooks(config: Config): Promise<readonly Check[]> {
  return [...checkAuth(config), ...(await checkRefused(config))];
}

function checkAuth({ credentials, webhooks }: Config): readonly Check[] {
  if ([...credentials.values()].every(({ webhook }) => webhook.mode === 'off')) return [];
  const auth = webhooks.mambu;
  if (auth === null) {
    const mend = 'Configure `webhooks.mambu.auth`, or write `webhook: false` at credentials that have none.';
    return [warn('webhooks', 'they are refused: `webhooks.mambu.auth` is not configured', mend)];
  }
  if (auth.kind !== 'none') return [ok('webhooks', `authenticated by ${auth.kind}`)];
  const mend = 'Use `{ kind: header, … }`: Mambu can send a custom request header.';
  return [warn('webhooks', 'anybody who reaches the route may ask for a rotation: `kind: none`', mend)];
}

async function checkRefused(config: Config): Promise<readonly Check[]> {
  const text = await metricsOf(config);
  if (text === null)
    return [ok('webhooks', 'no `keyturn serve` answers here, so that refused deliveries are not known')];
  const refused = [...text.matchAll(refusedLine)].filter(([, , count]) => Number(count) > 0);
  if (refused.length === 0) return [ok('webhooks', '`keyturn serve` has refused no delivery')];
  const reasons = refused.map(([, reason, count]) => `${reason} ${count}`).join(', ');
  const mend = 'Compare what Mambu sends with keyturn.yaml; the log of `keyturn serve` has each of them.';
  return [warn('webhooks', `\`keyturn serve\` has refused deliveries: ${reasons}`, mend)];
}

/** Null: not there, or not for us. */
async function metricsOf({ server }: Config): Promise<string | null> {
  const { host, port } = server.listen;
  const here = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const origin = `http://${here.includes(':') ? `[${here}]` : here}:${port}`;
  try {
    const headers: Record<string, string> =
      server.auth.kind === 'bearer'
        ? { authorization: `Bearer ${(await resolveSecret(server.auth.token)).reveal()}` }
        : {};
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const answer = await fetch(`${origin}/metrics`, { headers, redirect: 'error', signal });
    return answer.ok ? await answer.text() : null;
  } catch {
    // It runs elsewhere, or not at all: both are fine.
    return null;
  }
}

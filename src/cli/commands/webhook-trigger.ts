import { readFile } from 'node:fs/promises';
import { KeyturnError } from '../../domain/errors.js';
import { type DeliveryReport, sendWebhook } from '../../simulators/mambu/webhook-sender.js';
import type { Pair } from '../definitions.js';
import type { Action } from '../run.js';
import { table } from '../table.js';

export const run: Action<'webhook-trigger'> = async ({ out }, _, { to, consumerId, header = [], times }) => {
  if (!URL.canParse(to)) throw new KeyturnError('KT-USAGE', '--to must be a URL');
  const headers = Object.fromEntries(await Promise.all(header.map(headerOf)));
  const deliveries = await sendWebhook({ to, consumerId, headers, times });
  const text = table(['STATUS', 'TRIES', 'ANSWER'], deliveries.map(rowOf));
  const failed = deliveries.filter(({ delivered }) => !delivered);
  if (failed.length === 0) return { data: { deliveries }, text };
  out.say(text);
  const statuses = [...new Set(failed.map(({ status }) => status ?? 'no answer'))].join(', ');
  throw new KeyturnError(
    'KT-WEBHOOK-UNDELIVERED',
    `${failed.length} of ${deliveries.length} notifications were not accepted (${statuses})`,
  );
};

const rowOf = ({ status, attempts, answer }: DeliveryReport): readonly string[] => [
  String(status ?? 'no answer'),
  String(attempts.length),
  answer,
];

/** `name=@FILE` keeps a secret out of the process list. */
async function headerOf([name, value]: Pair): Promise<Pair> {
  if (!value.startsWith('@')) return [name, value];
  const path = value.slice(1);
  const text = await readFile(path, 'utf8').catch(() => {
    throw new KeyturnError('KT-INPUT', `--header ${name}: the file ${path} cannot be read`);
  });
  return [name, text.replace(/\r?\n$/, '')];
}

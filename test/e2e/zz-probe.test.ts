import { it } from 'vitest';
import { installation } from '../support/installation.js';
it('probe', async () => {
  const i = await installation({});
  await i.worker();
  await i.client.ensureStarted(i.credentialId);
  await i.until('x', (s) => s.status === 'idle');
  await new Promise((r) => setTimeout(r, 1500));
  const { events } = await i.client.handle(i.credentialId).fetchHistory();
  for (const e of events ?? []) console.log(e.eventType, e.activityTaskScheduledEventAttributes?.activityType?.name ?? '', JSON.stringify(e.activityTaskScheduledEventAttributes?.input?.payloads?.map((p) => Buffer.from(p.data ?? []).toString()) ?? ''));
});

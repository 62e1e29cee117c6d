/** A run in words, for who has to understand a counter-example: what reached the provider, and what was written, in order. */
import type { CredentialRecord } from '../../src/domain/record.js';
import type { World } from './world.js';

export function narrate(world: World): string {
  const startMs = world.disk.commits[0]?.atMs ?? 0;
  const stamp = (ms: number): string => `${((ms - startMs) / 1000).toFixed(0).padStart(7)}s`;
  const lines = [
    ...world.trace.arrivals.map((a) => ({
      atMs: a.atMs,
      order: a.order,
      text: `${a.by} → ${a.call.kind} ${a.call.body['id'] ?? ''} as ${a.call.value}: ${a.answer.status}${a.answer.touched.length > 0 ? `, touches ${a.answer.touched.join()}` : ''}`,
    })),
    ...world.disk.commits.map((c) => ({
      atMs: c.atMs,
      order: c.order,
      text: `${c.by} writes ${shown(c.after.record)}`,
    })),
    ...world.trace.happened.map((h) => ({ atMs: h.atMs, order: h.order, text: h.what })),
  ];
  return lines
    .sort((a, b) => a.order - b.order)
    .map((l) => `${stamp(l.atMs)}  ${l.text}`)
    .join('\n');
}

function shown(record: CredentialRecord): string {
  const versions = record.versions.map((v) => {
    const state = v.stage === 'previous' ? (v.retirement?.state ?? '?') : v.stage;
    const marks = `${v.leaked ? ', leaked' : ''}${v.verifiedAtMs === null ? '' : ', verified'}`;
    return `v${v.version}(${v.keyId} ${state}${marks})`;
  });
  const operation = record.operation
    ? ` ${record.operation.operationId}${record.operation.compensating ? ' taking back' : ''}`
    : ' idle';
  const intents = record.intents.map((i) => `${i.kind}/${i.settled}`);
  const debts = record.debts.map((d) => `${d.kind} ${d.keyId}`);
  const last = record.history[0];
  const parts = [
    intents.join(' '),
    debts.length > 0 ? `debts: ${debts.join()}` : '',
    last ? `last: ${last.outcome}${last.error ? ` ${last.error.code}` : ''}` : '',
  ];
  return `${versions.join(' ')}${operation} ${parts.filter((p) => p !== '').join('; ')}`;
}

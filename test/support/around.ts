/** What tests use around an installation: its configuration file, its HTTP server, the tenant's view of its keys, waiting. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { resolveSecret } from '../../src/config.js';
import {
  workflowNames,
  type CredentialState,
  type RotateCredentialInput,
  type RotationResult,
} from '../../src/contract.js';
import { startServer, type RunningServer } from '../../src/http/server.js';
import { sendWebhook, type DeliveryReport, type WebhookOptions } from '../../src/simulators/mambu/webhook-sender.js';
import { createLogger } from '../../src/telemetry/log.js';
import { createServerMetrics } from '../../src/telemetry/metrics.js';
import type { Home, Installation } from './installation.js';
import { pause } from './pause.js';

type Tree = { [key: string]: Tree };

/** Rewrites keyturn.yaml; a running worker reads it with its next step. */
export async function edit(i: Installation, change: (file: Tree, own: Tree) => void): Promise<void> {
  const file = parse(await readFile(i.configFile, 'utf8')) as Tree;
  change(file, file['credentials']?.[i.credentialId] ?? {});
  await writeFile(i.configFile, stringify(file));
}

export const hookSecret = 'hook-secret-Wm4Qx8';
export const hookHeaders = { 'x-keyturn-secret': hookSecret } as const;
/** For `top` of an installation that is to `serve`. */
export const serving = {
  server: { listen: '127.0.0.1:0' },
  webhooks: { mambu: { auth: { kind: 'header', name: 'x-keyturn-secret', value: '${file:hook-secret}' } } },
} as const;

export interface Served extends RunningServer {
  readonly lines: readonly string[];
  /** Sends what Mambu sends, authenticated; the configured consumer unless told otherwise. */
  deliver(options?: Partial<WebhookOptions>): Promise<DeliveryReport[]>;
  /** How many webhooks were answered for this reason. */
  count(reason: string): Promise<number>;
}

export async function serve(i: Installation): Promise<Served> {
  await writeFile(join(i.directory, 'hook-secret'), hookSecret);
  const lines: string[] = [];
  const running = await startServer({
    config: await i.config(),
    resolveSecret,
    client: i.client,
    log: createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } }),
    storeReady: () => Promise.resolve(true),
    metrics: createServerMetrics(),
  });
  onTestFinished(() => running.close());
  return {
    ...running,
    lines,
    deliver: (options = {}) =>
      sendWebhook({ to: running.webhookUrl, consumerId: 'rotator', headers: hookHeaders, backoffMs: 200, ...options }),
    async count(reason) {
      const text = await (await fetch(`${running.url}/metrics`)).text();
      const [, value] = new RegExp(`reason="${reason}"\\} (\\d+)$`, 'm').exec(text) ?? [];
      return Number(value);
    },
  };
}

/** One routine rotation, to its end. */
export async function rotated(i: Installation, version: number): Promise<CredentialState> {
  await i.request(`to-${version}`);
  return i.until(`version ${version} is current`, (s) => s.current?.version === version && s.rotation === null);
}

let asking = 0;

/** As another workflow asks. Resolves with the outcome, also of a rotation that ended badly. */
export async function asked(
  i: Home,
  requestId: string,
  more: Partial<RotateCredentialInput> = {},
): Promise<RotationResult> {
  const input: RotateCredentialInput = { credentialId: i.credentialId, requestId, ...more };
  const workflowId = `rotate/${i.credentialId}/${(asking += 1)}`;
  const { workflow } = i.client.temporal;
  try {
    const options = { taskQueue: i.taskQueue, workflowId, args: [input] };
    return (await workflow.execute(workflowNames.rotateCredential, options)) as RotationResult;
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    if (!(cause instanceof ApplicationFailure) || !cause.details?.[0]) throw error;
    return cause.details[0] as RotationResult;
  }
}

/** Ids of the keys that the tenant accepts at this moment. */
export function acceptedIds({ simulator }: Installation): readonly string[] {
  const oracle = simulator.oracle();
  return oracle.keys.filter((key) => oracle.acceptedAt(key.serial, oracle.now)).map((key) => key.id);
}

/** How many keys the API has made, by create or by rotation. */
export function keysMade({ simulator }: Installation): number {
  return simulator.oracle().keys.filter((key) => key.by === 'create' || key.by === 'rotation').length;
}

export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  withinMs = 90_000,
): Promise<T> {
  const since = Date.now();
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > since + withinMs) throw new Error(`not reached within ${withinMs} ms: ${what}`);
    await pause(since);
  }
}

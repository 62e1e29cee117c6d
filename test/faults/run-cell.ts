/** One cell: set up, spoil, rotate, heal, wait until it is at rest, judge; then one more rotation, which has to succeed, and judge again. */
import { workflowNames, type CredentialState } from '../../src/contract.js';
import type { CredentialRecord } from '../../src/domain/record.js';
import { retireDueMs } from '../../src/domain/retirement.js';
import { hasSeen } from '../../src/domain/seen.js';
import { startCellWorker, type CallTrigger, type CellWorkerSpec, type StoreTrigger } from './cell-worker.mjs';
import { childWorker, type ChildWorker } from './child-worker.js';
import { Cleanups, type AddCleanup } from './cleanups.js';
import { isFoundOutLater, type Cell } from './cells.js';
import { judge, type Judgement } from './judge.js';
import { restartableServer, type RestartableServer } from './restartable-servers.js';
import { sceneOf, type Scene } from './scene.js';
import { simulatorFault } from './spoil.js';
import { lossOf } from './surface.js';

export interface CellResult extends Judgement {
  readonly cell: string;
  readonly outcome: string;
  readonly durationMs: number;
}

/** How long the store stays away, and how few events a run may have that is to continue as new again and again. */
const STORE_DOWN_MS = 2_500;
const MAX_EVENTS = 30;
const HIT_WITHIN_MS = 180_000;
const REST_WITHIN_MS = 300_000;
/** More than all of its waits together. */
const END_WITHIN_MS = 1_200_000;
/** What is due later than this does not belong to the rotation: only the provider's own grace is so long. */
const HORIZON_MS = 300_000;

export async function runCell(cell: Cell): Promise<CellResult> {
  const startedMs = Date.now();
  const cleanups = new Cleanups();
  const done = (judgement: Partial<Judgement>, outcome: string): CellResult => ({
    ...{ violations: [], gapMs: 0, orphans: 0, strikes: 0, plaintext: 0, ...judgement },
    cell: cell.id,
    outcome,
    durationMs: Date.now() - startedMs,
  });
  try {
    const { judgement, outcome } = await within(END_WITHIN_MS, 'its end', new Run(cell, cleanups.add).toItsEnd());
    return done(judgement, outcome);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return done({ violations: [`ended: ${text}`] }, 'stuck');
  } finally {
    await within(END_WITHIN_MS, 'the end of what it has started', cleanups.run());
  }
}

class Run {
  readonly #accepted: string[] = [];
  #child: ChildWorker | null = null;
  /** When the operator has reset the budget. */
  #mendedAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly cell: Cell,
    private readonly onTestFinished: AddCleanup,
  ) {}

  async toItsEnd(): Promise<{ judgement: Judgement; outcome: string }> {
    const { cell } = this;
    const server = cell.circumstance === 'restarted' ? await restartableServer(this.onTestFinished) : undefined;
    const behindGate = cell.fault === 'refused' && cell.target.kind === 'call';
    const scene = await sceneOf(cell.strategy, {
      onTestFinished: this.onTestFinished,
      behindGate,
      ...(server ? { temporal: server } : {}),
    });
    this.arm(scene);
    if (cell.circumstance === 'continued') await this.startShortRuns(scene);
    await this.struck(scene, server);
    const first = await this.rest(scene);
    if (cell.and !== null && scene.truth().requests.every(({ fault }) => fault === null))
      throw new Error('neither of the two faults was met');
    if (this.#child && cell.circumstance === 'frozen') await this.#child.wake();
    const before = await judge(scene, first, this.#accepted, isFoundOutLater(cell));
    scene.simulator.faults.clear();
    const outcome = `${first.lastRotation?.outcome ?? 'none'}${this.isMended ? ', with an operator' : ''}`;
    if (before.violations.length > 0) return { judgement: before, outcome };
    if (first.status === 'needs-operator' && !this.isMended) await this.mend(scene);
    let last = await this.oneMore(scene, 'last');
    // The refusal of a call by a process that nobody hears any more is told to the next who would use that key.
    const { error, endedAt = '' } = last.lastRotation ?? {};
    if (error?.code === 'KT-LOCKOUT-BUDGET' && this.#mendedAtMs >= Date.parse(endedAt)) {
      if (!this.isMended) await this.mend(scene);
      last = await this.oneMore(scene, 'after the reset');
    }
    const judgement = await judge(scene, last, this.#accepted);
    const rotated =
      last.lastRotation?.requestId === this.#accepted.at(-1) && last.lastRotation?.outcome.startsWith('rotated');
    const unable = `able to rotate: the next rotation ended as ${last.lastRotation?.outcome}, ${last.lastRotation?.error?.code}`;
    return {
      judgement: rotated ? judgement : { ...judgement, violations: [...judgement.violations, unable] },
      outcome,
    };
  }

  private arm(scene: Scene): void {
    const { strategy, target, fault, and } = this.cell;
    const { faults } = scene.simulator;
    if (target.path === 'recovery') faults.add({ match: lossOf(strategy), action: 'drop-after-commit' });
    const own = target.kind === 'call' ? simulatorFault(strategy, fault, target.call) : null;
    const other = and === null ? null : simulatorFault(strategy, and.fault, and.call);
    for (const one of [own, other]) if (one) faults.add(one);
  }

  /** Starts the worker, asks for the rotation, and does what the circumstance wants right after the fault. */
  private async struck(scene: Scene, server: RestartableServer | undefined): Promise<void> {
    const { circumstance } = this.cell;
    const { configFile, gate } = scene;
    const spec: CellWorkerSpec = { configFile, trigger: this.trigger(scene), ...(gate ? { gate } : {}) };
    const healthy: CellWorkerSpec = { configFile, ...(gate ? { gate } : {}) };
    if (circumstance === 'killed' || circumstance === 'frozen') {
      const address = (await scene.config()).temporal.address ?? '';
      this.#child = await childWorker(spec, circumstance, address, this.onTestFinished);
      await this.ask(scene, 'first');
      await within(HIT_WITHIN_MS, 'the fault', this.#child.struck());
      await this.worker(healthy, () => undefined);
      return;
    }
    let strike = (): void => undefined;
    const hit = new Promise<void>((resolve) => (strike = resolve));
    const worker = await this.worker(spec, () => {
      if (circumstance === 'store-down') worker.outFor(STORE_DOWN_MS);
      strike();
    });
    await this.ask(scene, 'first');
    // The one of two that comes first may keep the other from being met at all.
    if (this.cell.and !== null) return;
    await within(HIT_WITHIN_MS, 'the fault', hit);
    if (circumstance === 'second-trigger') await this.ask(scene, 'second');
    if (circumstance === 'restarted') await server?.restart();
  }

  private async worker(spec: CellWorkerSpec, onHit: () => void): ReturnType<typeof startCellWorker> {
    const worker = await startCellWorker(spec, onHit);
    this.onTestFinished(() => worker.stop());
    return worker;
  }

  private trigger({ port }: Scene): CallTrigger | StoreTrigger {
    const { target, fault } = this.cell;
    if (target.kind === 'store') return { kind: 'store', operation: target.operation, fault };
    const { method, route, nth } = target.call;
    const pattern = `${route.replaceAll(/\{[a-zA-Z]+\}/g, '[^/]+')}$`;
    return { kind: 'call', method, pattern, nth, port, refused: fault === 'refused' };
  }

  private async ask(scene: Scene, requestId: string): Promise<void> {
    await scene.request(requestId);
    this.#accepted.push(requestId);
  }

  /** An entity whose runs are so short that whatever waits does so across a continue-as-new. */
  private async startShortRuns({ client, credentialId, taskQueue }: Scene): Promise<void> {
    await client.temporal.workflow.start(workflowNames.credential, {
      workflowId: client.handle(credentialId).workflowId,
      taskQueue,
      args: [{ credentialId, maxEvents: MAX_EVENTS }],
    });
  }

  /** A key that the provider has refused once is not used again before an operator says so; he has to be told. */
  private async rest(scene: Scene): Promise<CredentialState> {
    return atRest(scene, this.#accepted, REST_WITHIN_MS, async (record) => {
      if (this.isMended || !isBlocked(record)) return;
      const { attention } = await scene.state();
      if (attention.length > 0) await this.mend(scene);
    });
  }

  private get isMended(): boolean {
    return Number.isFinite(this.#mendedAtMs);
  }

  private async mend(scene: Scene): Promise<void> {
    this.#mendedAtMs = Date.now();
    const config = await scene.config();
    const baseUrl = config.credentials.get(scene.credentialId)?.baseUrl ?? '';
    await scene.vault.lockout.reset({ baseUrl, egress: config.worker.egress }, 'the matrix refused it');
  }

  private async oneMore(scene: Scene, requestId: string): Promise<CredentialState> {
    await this.ask(scene, requestId);
    return this.rest(scene);
  }
}

const blockedCodes: ReadonlySet<string> = new Set(['KT-LOCKOUT-BUDGET', 'KT-CREDENTIAL-REFUSED']);

function isBlocked({ versions, debts }: CredentialRecord): boolean {
  const errors = [...versions.map((v) => v.retirement?.lastError), ...debts.map((debt) => debt.lastError)];
  return errors.some((error) => error !== null && error !== undefined && blockedCodes.has(error.code));
}

/** Every accepted request has come to its end, and nothing is left that is due soon. The store is asked first: a query costs Temporal more. */
export async function atRest(
  scene: Scene,
  accepted: readonly string[],
  withinMs: number,
  meanwhile: (record: CredentialRecord) => Promise<void> = () => Promise.resolve(),
): Promise<CredentialState> {
  const deadlineMs = Date.now() + withinMs;
  while (Date.now() < deadlineMs) {
    const record = (await scene.vault.custody.read(scene.credentialId))?.record;
    if (record) await meanwhile(record);
    if (record && isAtRest(record, accepted)) {
      const state = await scene.state().catch(() => null);
      if (state && state.rotation === null && state.pendingRequests === 0) return state;
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  const state = await scene.state().catch(() => null);
  throw new Error(`not at rest within ${withinMs} ms: ${JSON.stringify(state) ?? 'and no answer to the query'}`);
}

function isAtRest(record: CredentialRecord, accepted: readonly string[]): boolean {
  const soonMs = Date.now() + HORIZON_MS;
  const isCompleting = record.capabilityLost?.attempts === 0 && record.capabilityLost.retryAtMs !== null;
  const isBusy =
    record.operation !== null ||
    isCompleting ||
    record.debts.some((debt) => debt.kind === 'orphan') ||
    record.versions.some((v) => v.stage === 'previous' && retireDueMs(v, 0) < soonMs);
  return !isBusy && accepted.every((id) => hasSeen(record.seen, id, Date.now()));
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not reached within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

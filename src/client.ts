/** keyturn's client: Temporal only, no store and no secret. Everything it does can be done from any SDK with the names in `keyturn/contract`. */
import { randomUUID } from 'node:crypto';
import {
  Client,
  Connection,
  WithStartWorkflowOperation,
  isGrpcServiceError,
  type ConnectionOptions,
} from '@temporalio/client';
import { awayAsNull, foreign, notFoundAsNull, translated } from './client-errors.js';
import {
  TASK_QUEUE,
  credentialWorkflowId,
  queryNames,
  signalNames,
  updateNames,
  workflowNames,
  type CredentialState,
  type KeysCompared,
  type PauseInput,
  type ResumeInput,
  type RollbackInput,
  type RotateNowResult,
  type RotationFinished,
  type RotationRequest,
} from './contract.js';
import { KeyturnError } from './domain/errors.js';

export interface KeyturnClientOptions {
  readonly connection: ConnectionOptions;
  readonly namespace: string;
  readonly taskQueue?: string;
  /**
   * Of the store that this caller works with: nothing is asked of or sent to the workflow of another installation. Null: the store is empty,
   * no workflow can be its own. Without it nothing is compared.
   */
  readonly installationId?: string | null;
}

export interface RunningEntity {
  readonly taskQueue: string;
  /** Null where it was started by a request, before any `apply`. */
  readonly installationId: string | null;
}

/** How long a query or update may wait for a worker. */
const ANSWER_WITHIN_MS = 10_000;
const WORKER_SHOWS_WITHIN_MS = 3_000;
const OWN_FOR_MS = 10_000;
/** How often a wait looks, at first and in the end. */
const POLL_MS = 100;
const MAX_POLL_MS = 2_000;

/** For a request that nobody asks for twice. */
export function newRequestId(): string {
  return `operator/${randomUUID()}`;
}

export class KeyturnClient {
  private readonly underWay = new Set<Promise<unknown>>();
  /** Until when a workflow counts as this installation's without being asked again. */
  private readonly own = new Map<string, number>();

  private constructor(
    readonly temporal: Client,
    readonly taskQueue: string,
    private readonly installationId: string | null | undefined,
  ) {}

  /** @throws KeyturnError KT-TEMPORAL-UNREACHABLE, KT-TEMPORAL-NAMESPACE */
  static async connect(options: KeyturnClientOptions): Promise<KeyturnClient> {
    const { namespace, taskQueue = TASK_QUEUE } = options;
    const address = options.connection.address ?? '';
    let connection: Connection;
    try {
      connection = await Connection.connect({ connectTimeout: 5_000, ...options.connection });
    } catch {
      throw new KeyturnError('KT-TEMPORAL-UNREACHABLE', `no Temporal server answers at ${address}`);
    }
    try {
      await connection.workflowService.describeNamespace({ namespace });
    } catch (error) {
      await connection.close();
      if (isGrpcServiceError(error) && error.code === 5) {
        throw new KeyturnError(
          'KT-TEMPORAL-NAMESPACE',
          `Temporal at ${address} has no namespace ${JSON.stringify(namespace)}`,
        );
      }
      throw new KeyturnError(
        'KT-TEMPORAL-UNREACHABLE',
        `Temporal at ${address} does not answer for namespace ${JSON.stringify(namespace)}`,
      );
    }
    // The last words of an entity that was closed or terminated are not the state of the credential.
    const workflow = { queryRejectCondition: 'NOT_OPEN' } as const;
    return new KeyturnClient(new Client({ connection, namespace, workflow }), taskQueue, options.installationId);
  }

  /** @throws KeyturnError KT-NOT-RUNNING, KT-NO-WORKER, KT-STORE-FOREIGN, KT-TEMPORAL-UNREACHABLE */
  async state(credentialId: string): Promise<CredentialState> {
    await this.refuseForeign(credentialId);
    return this.asked(credentialId, () => this.handle(credentialId).query<CredentialState>(queryNames.credentialState));
  }

  /** The entity if it runs, whoever started it. */
  async entity(credentialId: string): Promise<RunningEntity | null> {
    const found = await this.asked(credentialId, () => this.handle(credentialId).describe().catch(notFoundAsNull));
    if (found?.status.name !== 'RUNNING') return null;
    return { taskQueue: found.taskQueue, installationId: ownerIn(found.memo) };
  }

  /** Two installations may share a namespace: the entity's memo names its own. @throws KeyturnError KT-STORE-FOREIGN */
  private async refuseForeign(credentialId: string): Promise<void> {
    if (this.installationId === undefined || (this.own.get(credentialId) ?? 0) > Date.now()) return;
    const owner = (await this.entity(credentialId))?.installationId ?? null;
    if (owner === null) return;
    if (owner !== this.installationId) throw foreign(credentialId, owner, this.installationId);
    this.own.set(credentialId, Date.now() + OWN_FOR_MS);
  }

  /** Ids of the credentials of this installation whose entities run on this task queue, as Temporal's visibility knows them: up to a second late. */
  async runningCredentials(): Promise<readonly string[]> {
    const prefix = credentialWorkflowId('');
    const query = `WorkflowType = '${workflowNames.credential}' AND ExecutionStatus = 'Running' AND TaskQueue = ${JSON.stringify(this.taskQueue)}`;
    return this.asked('all credentials', async () => {
      const ids: string[] = [];
      for await (const { workflowId, memo } of this.temporal.workflow.list({ query })) {
        const owner = ownerIn(memo);
        const isForeign = this.installationId !== undefined && owner !== null && owner !== this.installationId;
        if (workflowId.startsWith(prefix) && !isForeign) ids.push(workflowId.slice(prefix.length));
      }
      return ids.toSorted();
    });
  }

  /**
   * Starts the entity if it does not run. Resolves with whether it had to be started.
   * @param installationId is kept in the entity's memo, so that another installation leaves it alone; default: that of the client
   */
  async ensureStarted(credentialId: string, installationId = this.installationId): Promise<boolean> {
    if ((await this.entity(credentialId)) !== null) return false;
    await this.asked(credentialId, () =>
      this.temporal.workflow.start(workflowNames.credential, {
        ...this.startOptions(credentialId, installationId),
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    );
    return true;
  }

  /** Asks the entity to finish what it has in hand and to close; the record keeps the facts. */
  async closeEntity(credentialId: string): Promise<void> {
    await this.refuseForeign(credentialId);
    await this.asked(credentialId, () => this.handle(credentialId).cancel());
  }

  /** signalWithStart: accepted once Temporal has it, whether or not a worker runs. */
  async requestRotation(credentialId: string, request: RotationRequest): Promise<{ workflowId: string }> {
    await this.refuseForeign(credentialId);
    await this.asked(credentialId, () =>
      this.temporal.workflow.signalWithStart(workflowNames.credential, {
        ...this.startOptions(credentialId),
        workflowIdConflictPolicy: 'USE_EXISTING',
        signal: signalNames.requestRotation,
        signalArgs: [request],
      }),
    );
    return { workflowId: credentialWorkflowId(credentialId) };
  }

  /**
   * How many events of the entity no worker has worked off yet, at most `most`; 0 where it does not run. A worker takes all of them in one
   * task: thousands take longer than a task may take.
   */
  async backlog(credentialId: string, most: number): Promise<number> {
    const { namespace } = this.temporal.options;
    const execution = { workflowId: credentialWorkflowId(credentialId) };
    const newest = await this.asked(credentialId, () =>
      this.temporal.workflowService
        .getWorkflowExecutionHistoryReverse({ namespace, execution, maximumPageSize: most })
        .catch(notStartedAsNull),
    );
    const events = newest?.history?.events ?? [];
    const workedOff = events.findIndex((event) => event.workflowTaskCompletedEventAttributes);
    if (workedOff >= 0) return workedOff;
    return newest && newest.nextPageToken.length > 0 ? most : Math.min(events.length, most);
  }

  /**
   * Update, with start: answers with the place in the queue. Nothing is sent where no worker polls: Temporal would keep the request and the
   * rotation would happen later, although this call has failed.
   * @throws KeyturnError KT-NO-WORKER, KT-STORE-FOREIGN
   */
  async rotateNow(
    credentialId: string,
    request: Omit<RotationRequest, 'requestId'> & { readonly requestId?: string },
  ): Promise<RotateNowResult> {
    const full: RotationRequest = { ...request, requestId: request.requestId ?? newRequestId() };
    await this.refuseForeign(credentialId);
    if (!(await this.hasWorkerWithin(WORKER_SHOWS_WITHIN_MS))) {
      throw new KeyturnError('KT-NO-WORKER', `no worker polls task queue ${this.taskQueue}: nothing was asked for`);
    }
    return this.asked(credentialId, () =>
      this.temporal.workflow.executeUpdateWithStart(updateNames.rotateNow, {
        args: [full],
        startWorkflowOperation: new WithStartWorkflowOperation(workflowNames.credential, {
          ...this.startOptions(credentialId),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      }),
    );
  }

  async pause(credentialId: string, input: PauseInput): Promise<void> {
    await this.update(credentialId, updateNames.pause, input);
  }
  async resume(credentialId: string, input: ResumeInput): Promise<void> {
    await this.update(credentialId, updateNames.resume, input);
  }
  /** @throws KeyturnError KT-ROLLBACK-REFUSED */
  async rollback(credentialId: string, input: RollbackInput): Promise<{ requestId: string }> {
    return this.update(credentialId, updateNames.rollback, input);
  }
  async adopt(credentialId: string, version: number): Promise<void> {
    await this.update(credentialId, updateNames.adopt, { version });
  }
  async policyChanged(credentialId: string): Promise<void> {
    await this.update(credentialId, updateNames.policyChanged);
  }
  async keysCompared(credentialId: string, compared: KeysCompared): Promise<void> {
    await this.refuseForeign(credentialId);
    await this.asked(credentialId, () => this.handle(credentialId).signal(signalNames.keysCompared, compared));
  }
  async acknowledge(credentialId: string, consumer: string, version: number): Promise<void> {
    await this.refuseForeign(credentialId);
    await this.asked(credentialId, () =>
      this.handle(credentialId).signal(signalNames.acknowledgeVersion, { consumer, version }),
    );
  }

  /**
   * Waits until this request has ended; the signal path of `rotateCredential` is for workflows. The query is asked less and less often, and
   * where it shows that something has ended the request is sent again: one id, one rotation, and a duplicate gets the outcome of its first.
   * Resolves with `pending` for a request that is held by a pause. A worker or Temporal that is away meanwhile is waited for, too.
   * @throws KeyturnError KT-TIMEOUT when it has not ended by then; the rotation goes on
   */
  async waitForRotation(credentialId: string, request: RotationRequest, timeoutMs: number): Promise<RotationFinished> {
    const deadlineMs = Date.now() + timeoutMs;
    let shown = '';
    for (let waitMs = POLL_MS; ; waitMs = Math.min(waitMs * 1.5, MAX_POLL_MS)) {
      const state = await this.state(credentialId).catch(awayAsNull);
      const isIdle = state?.rotation === null;
      const shows = `${state?.rotation?.operationId} ${state?.lastRotation?.endedAt}`;
      if (state && state.rotation?.requestId !== request.requestId && (isIdle || shows !== shown)) {
        const again = await this.rotateNow(credentialId, request).catch(awayAsNull);
        if (again?.ended) return again.ended;
        if (again && isIdle && state.paused && state.pendingRequests > 0) return pendingIn(state, request.requestId);
        shown = shows;
      }
      const leftMs = deadlineMs - Date.now();
      if (leftMs <= 0) throw new KeyturnError('KT-TIMEOUT', `the rotation of ${credentialId} has not ended yet`);
      await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, leftMs)));
    }
  }

  /** Calls under way end first, within their deadline: the SDK's own retries would throw from a timer on a closed connection. */
  async close(): Promise<void> {
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
    await this.temporal.connection.close();
  }

  handle(credentialId: string): ReturnType<Client['workflow']['getHandle']> {
    return this.temporal.workflow.getHandle(credentialWorkflowId(credentialId));
  }

  private startOptions(
    credentialId: string,
    installationId = this.installationId,
  ): {
    memo?: { installationId: string };
    workflowId: string;
    taskQueue: string;
    args: [{ credentialId: string }];
    staticSummary: string;
  } {
    return {
      ...(installationId ? { memo: { installationId } } : {}),
      workflowId: credentialWorkflowId(credentialId),
      taskQueue: this.taskQueue,
      args: [{ credentialId }],
      staticSummary: `credential ${credentialId}`,
    };
  }

  private async update<R>(credentialId: string, name: string, input?: object): Promise<R> {
    await this.refuseForeign(credentialId);
    return this.asked(credentialId, () =>
      this.handle(credentialId).executeUpdate<R, [object]>(name, { args: [input ?? {}] }),
    );
  }

  /** Whether a worker has polled the task queue in the last minutes; one that was killed since still counts. */
  async hasWorker(): Promise<boolean> {
    const { namespace } = this.temporal.options;
    const described = await this.asked('all credentials', () =>
      this.temporal.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: this.taskQueue },
        taskQueueType: 1,
      }),
    );
    return (described.pollers ?? []).length > 0;
  }

  /** A worker that has just started shows up as a poller a moment later. */
  private async hasWorkerWithin(ms: number): Promise<boolean> {
    const deadlineMs = Date.now() + ms;
    while (!(await this.hasWorker())) {
      if (Date.now() >= deadlineMs) return false;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return true;
  }

  /** Temporal's errors in keyturn's words, and never longer than an operator waits. `credentialId` is for messages. */
  async asked<T>(credentialId: string, ask: () => Promise<T>): Promise<T> {
    const asking = this.temporal.connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, ask);
    this.underWay.add(asking);
    try {
      return await asking;
    } catch (error) {
      throw translated(error, credentialId, this.taskQueue);
    } finally {
      this.underWay.delete(asking);
    }
  }
}

function ownerIn(memo: Record<string, unknown> | undefined): string | null {
  const { installationId } = memo ?? {};
  return typeof installationId === 'string' ? installationId : null;
}

function notStartedAsNull(error: unknown): null {
  if (isGrpcServiceError(error) && error.code === 5) return null;
  throw error;
}

function pendingIn({ credentialId, current, attention }: CredentialState, requestId: string): RotationFinished {
  const { version = null, keyId = null, publishedAt = null } = current ?? {};
  return { requestId, outcome: 'pending', credentialId, version, keyId, publishedAt, attention };
}

/**
 * The SDK's real workflow sandbox and the real bundle under a clock of the test's own: a month takes milliseconds. It plays the server's part:
 * activations in, commands out, activities from an object, with the retries that the workflow asks for. Long-lived waits are tested here;
 * the real server has the last word on everything else (test/e2e).
 *
 * `reusable-vm` is internal to the SDK, whose version is pinned: this is the only file that knows it.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  ApplicationFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
  TypedSearchAttributes,
  type Payload,
} from '@temporalio/common';
import { msToTs, optionalTsToMs, tsToMs } from '@temporalio/common/lib/time.js';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import type { Workflow } from '@temporalio/worker/lib/workflow/interface.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import type { CredentialActivities, RequestActivities } from '../../src/activities/api.js';
import type { ArazzoActivities } from '../../src/activities/arazzo-api.js';

export type FakeActivities = Partial<CredentialActivities & RequestActivities & ArazzoActivities>;

type Job = NonNullable<Parameters<Workflow['activate']>[0]['jobs']>[number];
type Completion = Awaited<ReturnType<Workflow['activate']>>;
type Command = NonNullable<NonNullable<Completion['successful']>['commands']>[number];

export interface Execution {
  readonly workflowId: string;
  /** How many runs it has had. */
  readonly runs: number;
  readonly closed: 'completed' | 'failed' | 'cancelled' | null;
  readonly result: unknown;
  readonly failure: Error | undefined;
  /** Search attribute and detail writes of all runs: each is an event in a real history. */
  readonly upserts: number;
  /** The most events that one of its runs has had. */
  readonly mostEvents: number;
  /** What each continue-as-new has handed to the next run, bytes. */
  readonly carriedBytes: readonly number[];
}

interface Run extends Execution {
  runs: number;
  closed: Execution['closed'];
  result: unknown;
  failure: Error | undefined;
  upserts: number;
  mostEvents: number;
  readonly carriedBytes: number[];
  readonly type: string;
  workflow: Workflow;
  runId: string;
  events: number;
  jobs: Job[];
  readonly updates: Map<string, { resolve(value: unknown): void; reject(error: Error): void }>;
}

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
  readonly key: string;
}

const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value) as Payload;
const payloads = (values: readonly unknown[]): Payload[] => values.map(payload);
const value = (from: Payload | null | undefined): unknown =>
  from ? defaultPayloadConverter.fromPayload(from) : undefined;

export class VirtualTemporal {
  #timers: Timer[] = [];
  #runs = new Map<string, Run>();
  #ids = 0;

  private constructor(
    private readonly creator: ReusableVMWorkflowCreator,
    private readonly activities: FakeActivities,
    public nowMs: number,
  ) {}

  static async open(
    activities: FakeActivities,
    nowMs = Date.parse('2026-11-21T04:00:00.000Z'),
  ): Promise<VirtualTemporal> {
    const codePath = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));
    const bundle = parseWorkflowCode(await readFile(codePath, 'utf8'), codePath);
    const creator = await ReusableVMWorkflowCreator.create(bundle, 10_000, new Set(Object.keys(activities)));
    return new VirtualTemporal(creator, activities, nowMs);
  }

  async start(type: string, workflowId: string, ...args: unknown[]): Promise<Execution> {
    const run = await this.#begin(type, workflowId, payloads(args));
    await this.settle();
    return run;
  }

  /** Accepted as a server would; whether a workflow of this id is open is the answer. */
  async signal(workflowId: string, signalName: string, ...args: unknown[]): Promise<boolean> {
    const accepted = this.#push(workflowId, { signalWorkflow: { signalName, input: payloads(args) } });
    await this.settle();
    return accepted;
  }

  /** From an activity: delivered with what happens next. */
  post(workflowId: string, signalName: string, ...args: unknown[]): boolean {
    return this.#push(workflowId, { signalWorkflow: { signalName, input: payloads(args) } });
  }

  async cancel(workflowId: string): Promise<void> {
    this.#push(workflowId, { cancelWorkflow: { reason: 'test' } });
    await this.settle();
  }

  /** @throws ApplicationFailure of the validator */
  async update(workflowId: string, name: string, ...args: unknown[]): Promise<unknown> {
    const answer = this.postUpdate(workflowId, name, ...args);
    await this.settle();
    return answer;
  }

  /** From an activity, as `post`. */
  postUpdate(workflowId: string, name: string, ...args: unknown[]): Promise<unknown> {
    const run = this.#open(workflowId);
    const id = `update-${(this.#ids += 1)}`;
    const answer = new Promise((resolve, reject) => run.updates.set(id, { resolve, reject }));
    answer.catch(() => undefined);
    this.#push(workflowId, {
      doUpdate: { id, protocolInstanceId: id, name, input: payloads(args), runValidator: true },
    });
    return answer;
  }

  async query<T>(workflowId: string, queryType: string): Promise<T> {
    const { workflow, runId } = this.#open(workflowId);
    // The sandbox goes by `variant`, which only a decoded message has.
    const job = { variant: 'queryWorkflow', queryWorkflow: { queryId: 'q', queryType, arguments: [] } } as Job;
    const { successful } = await workflow.activate({ runId, timestamp: msToTs(this.nowMs), jobs: [job] });
    const answered = successful?.commands?.[0]?.respondToQuery;
    if (!answered?.succeeded) throw failureOf(answered?.failed);
    return value(answered.succeeded.response) as T;
  }

  /** Moves the clock, stopping at each timer on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await this.settle();
    for (let next = this.#nextTimer(untilMs); next; next = this.#nextTimer(untilMs)) {
      this.#timers = this.#timers.filter((t) => t !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fire();
      await this.settle();
    }
    this.nowMs = untilMs;
  }

  /** A wait on the virtual clock, for activities. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.push({ atMs: this.nowMs + ms, fire: resolve, key: `sleep ${(this.#ids += 1)}` });
    });
  }

  /** Until nothing more happens at this instant. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      for (const run of this.#runs.values()) {
        if (run.closed !== null || run.jobs.length === 0) continue;
        quiet = 0;
        await this.#activate(run, run.jobs.splice(0));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #nextTimer(untilMs: number): Timer | undefined {
    return this.#timers.filter((t) => t.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  }

  #open(workflowId: string): Run {
    const run = this.#runs.get(workflowId);
    if (!run || run.closed !== null) throw new Error(`${workflowId} is not open`);
    return run;
  }

  #push(workflowId: string, job: Job): boolean {
    const run = this.#runs.get(workflowId);
    if (!run || run.closed !== null) return false;
    run.jobs.push(job);
    run.events += 1;
    return true;
  }

  async #begin(type: string, workflowId: string, args: Payload[], earlier?: Run): Promise<Run> {
    const runId = `run-${(this.#ids += 1)}`;
    const started = new Date(this.nowMs);
    const workflow = await this.creator.createWorkflow({
      info: {
        workflowId,
        runId,
        workflowType: type,
        searchAttributes: {},
        typedSearchAttributes: new TypedSearchAttributes(),
        taskQueue: 'virtual',
        namespace: 'default',
        firstExecutionRunId: earlier?.runId ?? runId,
        attempt: 1,
        historyLength: 0,
        historySize: 0,
        continueAsNewSuggested: false,
        startTime: started,
        runStartTime: started,
        taskTimeoutMs: 10_000,
        unsafe: { now: () => this.nowMs, isReplaying: false, isReplayingHistoryEvents: false },
      } as unknown as Parameters<ReusableVMWorkflowCreator['createWorkflow']>[0]['info'],
      randomnessSeed: [7, 7, 7, 7, 7, 7, 7, this.#ids % 256],
      now: this.nowMs,
      showStackTraceSources: false,
    });
    const job: Job = {
      initializeWorkflow: { workflowType: type, workflowId, arguments: args, attempt: 1, headers: {} },
    };
    const fresh = { workflow, runId, events: 3, jobs: [job, ...(earlier?.jobs ?? [])], closed: null };
    const run: Run = earlier
      ? Object.assign(earlier, fresh, { runs: earlier.runs + 1 })
      : { ...fresh, ...untouched(), workflowId, type, updates: new Map() };
    this.#runs.set(workflowId, run);
    return run;
  }

  async #activate(run: Run, jobs: Job[]): Promise<void> {
    run.events += 3;
    const { runId, workflow } = run;
    const historyLength = run.events;
    const completion = await workflow.activate({
      runId,
      timestamp: msToTs(this.nowMs),
      historyLength,
      isReplaying: false,
      jobs,
    });
    await workflow.getAndResetSinkCalls();
    if (completion.failed) throw failureOf(completion.failed.failure);
    for (const command of completion.successful?.commands ?? []) await this.#obey(run, command);
  }

  async #obey(run: Run, c: Command): Promise<void> {
    run.events += 1;
    run.mostEvents = Math.max(run.mostEvents, run.events);
    const own = (seq: unknown): string => `${run.runId}/${String(seq)}`;
    if (c.startTimer) {
      const { seq = 0, startToFireTimeout } = c.startTimer;
      const { runId } = run;
      const fire = (): void => void (run.runId === runId && this.#push(run.workflowId, { fireTimer: { seq } }));
      this.#timers.push({ atMs: this.nowMs + (optionalTsToMs(startToFireTimeout) ?? 0), fire, key: own(seq) });
    } else if (c.cancelTimer) {
      const { seq } = c.cancelTimer;
      this.#timers = this.#timers.filter((t) => t.key !== own(seq));
    } else if (c.scheduleActivity) void this.#perform(run, c.scheduleActivity);
    else if (c.signalExternalWorkflowExecution) this.#deliver(run, c.signalExternalWorkflowExecution);
    else if (c.upsertWorkflowSearchAttributes || c.modifyWorkflowProperties) run.upserts += 1;
    else if (c.updateResponse) this.#answerUpdate(run, c.updateResponse);
    else if (c.completeWorkflowExecution) {
      run.result = value(c.completeWorkflowExecution.result);
      run.closed = 'completed';
    } else if (c.failWorkflowExecution) {
      run.failure = failureOf(c.failWorkflowExecution.failure);
      run.closed = 'failed';
    } else if (c.cancelWorkflowExecution) run.closed = 'cancelled';
    else if (c.continueAsNewWorkflowExecution) {
      this.#timers = this.#timers.filter((t) => !t.key.startsWith(`${run.runId}/`));
      await run.workflow.dispose();
      const carried = (c.continueAsNewWorkflowExecution.arguments ?? []) as Payload[];
      run.carriedBytes.push(carried.reduce((bytes, { data }) => bytes + (data?.length ?? 0), 0));
      await this.#begin(run.type, run.workflowId, carried, run);
    } else throw new Error(`a command that is not known here: ${Object.keys(c).join()}`);
  }

  async #perform(run: Run, command: NonNullable<Command['scheduleActivity']>): Promise<void> {
    const { seq = 0, activityType, activityId, retryPolicy } = command;
    const { runId } = run;
    const activity = this.activities[activityType as keyof FakeActivities] as
      ((input: unknown) => Promise<unknown>) | undefined;
    const input = value(command.arguments?.[0]);
    const finish = (result: NonNullable<Job['resolveActivity']>['result']): void => {
      // A run that has continued as new has left no activity behind.
      if (run.runId === runId) this.#push(run.workflowId, { resolveActivity: { seq, result: result ?? null } });
    };
    let waitMs = retryPolicy?.initialInterval ? tsToMs(retryPolicy.initialInterval) : 1_000;
    for (let attempt = 1; ; attempt++) {
      try {
        if (!activity) throw ApplicationFailure.nonRetryable(`no activity ${activityType}`);
        return finish({ completed: { result: payload(await activity(structuredClone(input))) } });
      } catch (error) {
        const nonRetryable = error instanceof ApplicationFailure && error.nonRetryable === true;
        if (nonRetryable || attempt >= (retryPolicy?.maximumAttempts || Number.POSITIVE_INFINITY)) {
          const cause = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
          const activityFailureInfo = { activityType: { name: activityType ?? null }, activityId: activityId ?? null };
          return finish({ failed: { failure: { message: 'Activity task failed', cause, activityFailureInfo } } });
        }
        await this.sleep(waitMs);
        waitMs *= retryPolicy?.backoffCoefficient ?? 2;
      }
    }
  }

  #deliver(run: Run, command: NonNullable<Command['signalExternalWorkflowExecution']>): void {
    const { seq = 0, workflowExecution, signalName, args } = command;
    const arrived = this.#push(workflowExecution?.workflowId ?? '', {
      signalWorkflow: { signalName: signalName ?? null, input: args ?? null },
    });
    const failure = {
      message: 'Unable to signal external workflow because it was not found',
      applicationFailureInfo: {},
    };
    this.#push(run.workflowId, { resolveSignalExternalWorkflow: { seq, failure: arrived ? null : failure } });
  }

  #answerUpdate(run: Run, { protocolInstanceId, rejected, completed }: NonNullable<Command['updateResponse']>): void {
    const waiting = run.updates.get(protocolInstanceId ?? '');
    if (rejected) waiting?.reject(failureOf(rejected));
    if (completed) waiting?.resolve(value(completed));
  }
}

function untouched(): Pick<Run, 'runs' | 'result' | 'failure' | 'upserts' | 'mostEvents' | 'carriedBytes'> {
  return { runs: 1, result: undefined, failure: undefined, upserts: 0, mostEvents: 0, carriedBytes: [] };
}

function failureOf(failure: Parameters<typeof defaultFailureConverter.failureToError>[0] | null | undefined): Error {
  if (!failure) return new Error('no failure was given');
  return defaultFailureConverter.failureToError(failure, defaultPayloadConverter);
}

/**
 * One run: the entity's real workflow code, the real steps and the real engine, in a world of virtual time. Everything outside of them is here
 * or in the files next to this one: Temporal's part (runs, timers, retries, heartbeats), the disk, the provider, and the environment's choices.
 */
import { ActivityFailure, RetryState, TimeoutFailure, type ActivityOptions } from '@temporalio/common';
import { Engine } from '../../src/activities/engine.js';
import { describe, toApplicationFailure } from '../../src/activities/failures.js';
import type { Opened } from '../../src/custody/custody.js';
import { signalNames } from '../../src/contract.js';
import { newLane, type LaneState } from '../../src/domain/lane.js';
import { currentOf } from '../../src/domain/record.js';
import { hasSeen } from '../../src/domain/seen.js';
import { credential } from '../../src/workflows/credential.js';
import { ContinueAsNew } from './temporal-workflow.js';
import { AttemptGate, spoilt, type Departure, type Surroundings } from './attempt.js';
import { enter, leave, type Handler, type Host } from './host.js';
import { credentialId, depsOf, imported } from './installation.js';
import { modelProvider } from './provider.js';
import { hour, second, type Scenario, type WorldEvent } from './scenario.js';
import { stateText } from './state-text.js';
import { realSteps, type Steps } from './steps.js';
import { Disk, gatedCustody } from './store.js';
import { System, type Answer } from './system.js';
import type { Chooser } from './tape.js';
import { Timeline } from './timeline.js';
import { nextOrder, Trace } from './trace.js';
import { happen } from './events.js';

export const startMs = Date.parse('2026-11-21T04:00:00.000Z');
const HEARTBEAT_TIMEOUT_MS = 6 * second;
/** More than any run needs: beyond it the run goes round in circles. */
const MAX_ITEMS = 4_000;

interface Attempt {
  readonly name: string;
  readonly gate: AttemptGate;
  readonly sinceCommit: number;
  /** Its result reaches nobody any more. */
  lost: boolean;
  /** The workflow is told, in time, that its heartbeats are missing. */
  readonly miss: () => void;
}

export interface WorldOptions {
  /** Attempts of a step before its failure reaches the workflow; default as the workflow asks. */
  readonly maximumAttempts?: number;
  readonly steps?: Partial<Steps>;
}

export class World implements Host {
  readonly system: System;
  readonly disk = new Disk();
  readonly trace = new Trace();
  readonly steps: Steps;
  policy: Scenario['policy'];
  lane: LaneState = newLane(credentialId);
  handlers = new Map<string, Handler>();
  /** Names of the steps since the last plan: where the story is. */
  story: string[] = [];
  /** A run that has come to its end for good, and why. */
  stuck: string | null = null;
  attempts: Attempt[] = [];
  events: readonly WorldEvent[];
  readonly #time = new Timeline(startMs);
  #run = 0;
  #runStartedMs = 0;
  #counts = new Map<string, number>();
  #continue = false;
  #spoilt = false;
  #items = 0;

  constructor(
    readonly scenario: Scenario,
    private readonly chooser: Chooser,
    private readonly options: WorldOptions = {},
  ) {
    this.system = new System(scenario.rules);
    this.steps = { ...realSteps, ...options.steps };
    this.policy = scenario.policy;
    this.events = scenario.events;
    enter(this);
    this.disk.commit(startMs - hour, 'import', imported(scenario, this.system, startMs - hour));
    this.begin();
  }

  /** Ends the run: nothing of it may go on. */
  close(): void {
    this.#time.clear();
    leave();
  }

  now(): number {
    return this.#time.nowMs;
  }

  choose<T extends string>(point: string, options: readonly [T, ...T[]]): T {
    const chosen = this.chooser.choose(point, options, () => stateText(this, this.#time.items));
    if (chosen !== options[0])
      this.trace.happened.push({ atMs: this.#time.nowMs, order: nextOrder(), what: `${point}: ${chosen}` });
    return chosen;
  }

  /** Nothing is left to do. */
  get idle(): boolean {
    return this.#time.items.length === 0;
  }

  /** The record or the entity has seen this request end, at some time. */
  remembers(requestId: string): boolean {
    const isIn = (seen: readonly string[], atMs: number): boolean => hasSeen(seen, requestId, atMs);
    return isIn(this.lane.seen, this.#time.nowMs) || this.disk.commits.some((c) => isIn(c.after.record.seen, c.atMs));
  }

  uuid(): string {
    return `op-${this.#count('op')}`;
  }

  info(): ReturnType<Host['info']> {
    const run = { runId: `run-${this.#run}`, runStartTime: new Date(this.#runStartedMs) };
    return { ...run, historyLength: 0, continueAsNewSuggested: this.#continue };
  }

  handle(name: string, handler: Handler): void {
    this.handlers.set(name, handler);
  }

  condition(wake: () => boolean, timeoutMs: number | undefined): Promise<boolean> {
    return this.#time.condition(wake, timeoutMs, this.#run);
  }

  activity(name: string, input: unknown, options: ActivityOptions): Promise<unknown> {
    const run = this.#run;
    const maximum = this.options.maximumAttempts ?? options.retry?.maximumAttempts ?? 1;
    if (name === 'plan') this.story = [];
    if (this.story.at(-1) !== name) this.story.push(name);
    return new Promise((resolve, reject) => {
      const fail = (cause: Error, nth: number): void => {
        const retryable = !('nonRetryable' in cause) || cause.nonRetryable !== true;
        if (retryable && nth < maximum) {
          const asked = 'nextRetryDelay' in cause ? Number(cause.nextRetryDelay ?? 0) : 0;
          this.#time.add(asked || 500 * 2 ** (nth - 1), `${name} again`, run, () => begin(nth + 1));
        } else reject(new ActivityFailure('failed', name, name, RetryState.RETRY_POLICY_NOT_SET, undefined, cause));
      };
      const begin = (nth: number): void => this.#attempt(name, input, run, resolve, (cause) => fail(cause, nth));
      this.#time.add(0, name, run, () => begin(1));
    });
  }

  /** Until this instant, or until nothing is left to do; the clock ends there if something was. */
  async runUntil(untilMs: number): Promise<void> {
    await this.#time.settle();
    for (let next = this.#time.next(untilMs); next && !this.stuck; next = this.#time.next(untilMs)) {
      const [first] = this.events;
      const event = first
        ? this.choose(`before ${next.what}#${this.#count(`before ${next.what}`)}`, ['go on', ...this.events])
        : 'go on';
      if (event === 'go on') {
        this.#time.remove(next);
        this.#time.nowMs = Math.max(this.#time.nowMs, next.atMs);
        if (++this.#items > MAX_ITEMS) this.stuck = `${MAX_ITEMS} things happened and there is no end`;
        next.act();
      } else {
        this.events = this.events.filter((e) => e !== event);
        happen(this, event);
      }
      await this.#time.settle();
    }
    if (Number.isFinite(untilMs)) this.#time.nowMs = Math.max(this.#time.nowMs, untilMs);
  }

  /** Time in which no worker runs: what was in hand is lost, what falls due comes late. */
  away(ms: number): void {
    for (const attempt of this.attempts) if (!attempt.lost) this.#lose(attempt, true);
    this.trace.away.push({ fromMs: this.#time.nowMs, toMs: this.#time.nowMs + ms });
    this.#time.nowMs += ms;
  }

  /** Somebody starts it again, and who waits for an answer asks again, as `rotateCredential` does. */
  terminate(): void {
    this.#end();
    this.lane = newLane(credentialId);
    this.begin();
    for (const { request } of this.trace.requests)
      if (!this.remembers(request.requestId)) this.send(signalNames.requestRotation, request);
  }

  /** As Temporal does when the history has grown. */
  suggestContinueAsNew(): void {
    this.#continue = true;
  }

  /** @returns false where a validator refuses it, or no such handler stands */
  send(name: string, ...args: unknown[]): boolean {
    const handler = this.handlers.get(name);
    if (!handler) return false;
    try {
      handler.validate?.(...args);
    } catch (error) {
      if (error instanceof Error && error.name === 'ApplicationFailure') return false;
      throw error;
    }
    void Promise.resolve(handler.run(...args)).catch((error: unknown) => {
      this.stuck = `handler ${name}: ${String(error)}`;
    });
    return true;
  }

  begin(): void {
    const run = ++this.#run;
    this.#runStartedMs = this.now();
    this.#continue = false;
    credential({ credentialId, lane: this.lane }).then(
      () => {
        if (run === this.#run) this.stuck = 'the entity has closed';
      },
      (error: unknown) => {
        if (run !== this.#run) return;
        if (!(error instanceof ContinueAsNew)) {
          this.stuck = `the entity has failed: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown'}`;
          return;
        }
        this.#end();
        const [input] = error.args as readonly [{ readonly lane: LaneState }];
        this.lane = JSON.parse(JSON.stringify(input.lane)) as LaneState;
        this.begin();
      },
    );
  }

  #end(): void {
    this.#time.endRuns();
    this.handlers = new Map();
  }

  #attempt(
    step: string,
    input: unknown,
    run: number,
    resolve: (value: unknown) => void,
    reject: (cause: Error) => void,
  ): void {
    const name = `${step}#${this.#count(step)}`;
    const attempt: Attempt = {
      name,
      gate: new AttemptGate(
        name,
        this.#surroundings(() => attempt),
      ),
      sinceCommit: this.disk.commits.length,
      lost: false,
      miss: () => {
        if (run !== this.#run) return;
        const timeout = new TimeoutFailure('no heartbeat', undefined, 'HEARTBEAT');
        this.#time.add(HEARTBEAT_TIMEOUT_MS, 'missed heartbeats', run, () => reject(timeout));
      },
    };
    this.attempts.push(attempt);
    const settle = (deliver: () => void): void => {
      this.attempts = this.attempts.filter((a) => a !== attempt);
      if (!attempt.lost && run === this.#run) deliver();
    };
    const work = this.steps[step as keyof Steps] as (engine: Engine, input: unknown) => Promise<unknown>;
    work(this.#engine(attempt), input).then(
      (value) => {
        this.trace.results.push(value);
        settle(() => resolve(value));
      },
      (error: unknown) => {
        const details = describe(error);
        if (details.code === 'KT-INTERNAL' && error instanceof Error)
          this.trace.defects.push(`${name}: ${error.stack ?? error.message}`);
        settle(() => reject(toApplicationFailure(details)));
      },
    );
  }

  #surroundings(attempt: () => Attempt): Surroundings {
    return {
      choose: (point, options) => this.choose(point, options),
      now: () => this.#time.nowMs,
      later: (inMs, what, act) => void this.#time.add(inMs, what, null, act),
      lose: (dead) => this.#lose(attempt(), dead),
      depart: (call): Departure => {
        const departure = {
          call,
          atMs: this.#time.nowMs,
          under: this.disk.opened,
          order: nextOrder(),
          by: attempt().name,
        };
        this.trace.departures.push(departure);
        return departure;
      },
      arrive: (departure, lagging) => this.#arrive(departure, lagging),
      faults: this.scenario.faults === 'all',
      httpTimeoutMs: this.scenario.timing.httpTimeoutMs,
      bornAtMs: (value) => this.system.keyOf(value)?.bornAtMs ?? null,
      take: (call) => void this.system.add(this.#time.nowMs, 'others', { id: call.body['id'] ?? '' }),
    };
  }

  #lose(attempt: Attempt, dead: boolean): void {
    const first = !attempt.lost;
    attempt.lost = true;
    if (dead) this.attempts = this.attempts.filter((a) => a !== attempt);
    if (first) attempt.miss();
  }

  #arrive(departure: Departure, lagging: boolean): Answer {
    const found = this.disk.opened;
    const current = found && currentOf(found.record);
    const value = found?.shelf.versions[String(current?.version)]?.fields['apiKey']?.reveal() ?? '';
    const currentWorks = this.system.accepts(value, this.#time.nowMs);
    const order = nextOrder();
    const answer = this.system.handle(departure.call, this.#time.nowMs, lagging);
    this.trace.arrivals.push({ ...departure, order, atMs: this.#time.nowMs, answer, found, currentWorks });
    return answer;
  }

  #engine({ gate, name }: Attempt): Engine {
    const { disk, scenario } = this;
    const now = (): number => this.#time.nowMs;
    const provider = modelProvider(scenario.capability, () => String(this.#count('draw')));
    const custody = gatedCustody(disk, gate, now, name, (next) => this.#rot(next));
    const policy = (): Scenario['policy'] => this.policy;
    return new Engine(depsOf({ disk, custody, provider, http: gate.http, now, policy, timing: scenario.timing }));
  }

  /** The store spoils the new key, once, where it is first written. */
  #rot(next: Opened): Opened {
    const had = this.disk.opened?.record.versions.some((v) => v.stage === 'pending') ?? false;
    const has = next.record.versions.some((v) => v.stage === 'pending');
    if (!this.scenario.rot || this.#spoilt || had || !has) return next;
    if (this.choose('the store writes the new key', ['as given', 'spoilt']) === 'as given') return next;
    this.#spoilt = true;
    return spoilt(next);
  }

  #count(name: string): number {
    const n = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, n);
    return n;
  }
}

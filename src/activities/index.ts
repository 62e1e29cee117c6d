/** The activities of the worker, one file a step, from what they are given. */
import { Context } from '@temporalio/activity';
import type { CredentialActivities, RequestActivities } from './api.js';
import type { ArazzoActivities } from './arazzo-api.js';
import { arazzoPlan } from './arazzo-plan.js';
import { ArazzoRuns } from './arazzo-run.js';
import { arazzoEnter, arazzoFinish, arazzoForget, arazzoJudge, arazzoStep } from './arazzo-step.js';
import type { ActivityDeps } from './deps.js';
import { Engine } from './engine.js';
import { compareKeys } from './compareKeys.js';
import { equip } from './equip.js';
import { describe, toApplicationFailure } from './failures.js';
import { completeKey } from './completeKey.js';
import { load } from './load.js';
import { note, rollback } from './note.js';
import { persist } from './persist.js';
import { plan } from './plan.js';
import { publish } from './publish.js';
import { recall } from './recall.js';
import { makeApiRequest, requestRotation, retrieveConfiguration } from './requests.js';
import { retire, settleDebt } from './retire.js';
import { rotate } from './rotate.js';
import { close, giveUpKey, takeBack } from './takeBack.js';
import { verify } from './verify.js';

const HEARTBEAT_MS = 2_000;

export function createActivities(deps: ActivityDeps): CredentialActivities & RequestActivities & ArazzoActivities {
  const engine = new Engine(deps);
  const runs = new ArazzoRuns(engine);
  /** Heartbeats while it runs, so that the loss of a worker is noticed in seconds; rebuilds every failure from an allow-list. */
  const watched =
    <I, O>(run: (input: I) => Promise<O>) =>
    async (input: I): Promise<O> => {
      const context = Context.current();
      context.heartbeat();
      const startedAtMs = Date.now();
      const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
      try {
        const output = await run(input);
        context.log.info('step done', {
          ...idsOf(input),
          step: context.info.activityType,
          durationMs: Date.now() - startedAtMs,
        });
        return output;
      } catch (error) {
        const details = describe(error);
        if (details.code === 'KT-INTERNAL' && error instanceof Error) {
          context.log.error('unexpected error in an activity', {
            activity: context.info.activityType,
            error: error.name,
            stack: stackOnly(error),
          });
        }
        const { kind, code, message } = details;
        context.log.warn('step failed', {
          ...idsOf(input),
          step: context.info.activityType,
          kind,
          code,
          reason: message,
        });
        throw toApplicationFailure(details);
      } finally {
        clearInterval(beat);
      }
    };
  const step = <I, O>(run: (engine: Engine, input: I) => Promise<O>) => watched((input: I) => run(engine, input));
  const ofRun = <I, O>(run: (runs: ArazzoRuns, input: I) => Promise<O>) => watched((input: I) => run(runs, input));
  return {
    load: step(load),
    plan: step(plan),
    rotate: step(rotate),
    persist: step(persist),
    equip: step(equip),
    verify: step(verify),
    publish: step(publish),
    takeBack: step(takeBack),
    giveUpKey: step(giveUpKey),
    close: step(close),
    note: step(note),
    recall: step(recall),
    rollback: step(rollback),
    retire: step(retire),
    completeKey: step(completeKey),
    settleDebt: step(settleDebt),
    requestRotation: step(requestRotation),
    compareKeys: step(compareKeys),
    retrieveConfiguration: step(retrieveConfiguration),
    makeApiRequest: step(makeApiRequest),
    arazzoPlan: ofRun(arazzoPlan),
    arazzoStep: ofRun(arazzoStep),
    arazzoJudge: ofRun(arazzoJudge),
    arazzoEnter: ofRun(arazzoEnter),
    arazzoFinish: ofRun(arazzoFinish),
    arazzoForget: ofRun(arazzoForget),
  };
}

/** Ids of an input, for the log. */
function idsOf(input: unknown): Record<string, unknown> {
  const { credentialId, operationId, version, run, stepId } = input as Record<string, unknown>;
  const ids = { credentialId, operationId, version, run, stepId };
  return Object.fromEntries(Object.entries(ids).filter(([, id]) => id));
}

/** Where it happened, without the message, which could quote anything. */
function stackOnly(error: Error): string {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .join('\n');
}

import { defaultTiming } from '../domain/capability.js';
import { currentOf } from '../domain/record.js';
import { viewOf } from '../domain/view.js';
import { repointing } from '../domain/identity.js';
import type { Believed, Loaded } from './api.js';
import type { Engine } from './engine.js';

/** The truth for a fresh entity run, or for one whose beliefs are behind: record, policy, next fire of the Schedule. */
export async function load(engine: Engine, input: Believed): Promise<Loaded> {
  const config = (await engine.deps.config()).credentials.get(input.credentialId);
  const opened = await engine.read(input);
  const installationId = await engine.deps.custody.installationId();
  const { nextMs: scheduledNextMs, unservedMs: scheduledUnservedMs } = await engine.deps.schedule(input.credentialId);
  const searchAttributes = await engine.deps.searchAttributes();
  const seen = opened?.record.seen ?? [];
  if (!config) {
    const view = opened ? viewOf(opened.record, null) : null;
    return {
      view,
      repointed: null,
      policy: null,
      capability: null,
      provider: opened?.record.provider ?? null,
      installationId,
      skewMs: defaultTiming.skewMs,
      seen,
      searchAttributes,
      scheduledNextMs,
      scheduledUnservedMs,
    };
  }
  const provider = engine.deps.provider(config.provider);
  const view = opened && currentOf(opened.record) ? await engine.view(config, opened.record) : null;
  return {
    view,
    repointed: opened ? repointing(opened.record, provider.identity(config.settings)) : null,
    policy: config.policy,
    capability: engine.strategy(config, provider).class,
    provider: config.provider,
    installationId,
    skewMs: config.timing.skewMs,
    seen,
    searchAttributes,
    scheduledNextMs,
    scheduledUnservedMs,
  };
}

import { expiresAtMs } from '../domain/expiry.js';
import { currentOf, pendingOf, type OperationFacts, type RecordView, type VersionFacts } from '../domain/record.js';
import { canGoBack } from '../domain/capability.js';
import { disown } from '../domain/intents.js';
import { canMakeAnother } from '../domain/recovery.js';
import { withVersion } from '../domain/transitions.js';
import { judgeRefusal, lastSafeInstantMs, type Verdict } from '../domain/verification.js';
import type { Verified } from '../providers/provider.js';
import type { StepInput } from './api.js';
import { isProviderFailure, mustOwn, type Engine, type Own, type Working } from './engine.js';
import { stop } from './failures.js';
import { takeInventory, withInventory } from './plan.js';

/**
 * Uses the new key, as read back from the store, with one cheap read.
 * `hurry`: the verdict cannot wait (the old key is about to die, or a compromise goes next).
 */
export async function verify(
  engine: Engine,
  input: StepInput & { readonly hurry: boolean },
): Promise<{ view: RecordView; verdict: Verdict }> {
  const w = await engine.open(input);
  const operation = engine.operation(w.opened.record, input);
  const pending = pendingOf(w.opened.record);
  const current = currentOf(w.opened.record);
  if (!pending || !current) throw stop('transient', 'KT-CONFLICT', 'the pending version is gone');
  const fresh = engine.values(w.opened, pending.version);
  const own: Own = { operationId: input.operationId, making: pending.version };
  if (operation.refusedAtMs !== null) await grantSecondTry(engine, w, pending);
  const context = await engine.context(w, engine.values(w.opened, current.version), input.operationId);
  const stuck = async (verdict: Verdict): Promise<{ view: RecordView; verdict: Verdict }> => ({
    view: await engine.view(w.config, (await engine.read(input))?.record ?? w.opened.record),
    verdict,
  });
  const safeMs = lastSafeInstantMs(current.providerDiesAtMs, operation.policy);
  try {
    const old = { keyId: engine.values(w.opened, current.version).keyId };
    const verified = await w.provider.verify(context, fresh, old);
    const { scopeDifference } = verified;
    if (scopeDifference.length > 0 && canGoBack(w.strategy))
      return await stuck({ do: 'differs', in: scopeDifference, atMs: lookAgainAtMs(engine, w) });
    return { view: await recordVerified(engine, w, own, pending, verified), verdict: { do: 'verified' } };
  } catch (error) {
    if (wasRefused(error, operation)) return stuck(await afterRefusal(engine, w, input, own));
    if (isProviderFailure(error, 'rejected') && error.facts.code === 'KT-SCOPE-DIFFERS') {
      await engine.changeOwn(w.credentialId, own, disown);
      if (!canGoBack(w.strategy)) return stuck({ do: 'refused' });
    }
    if (!Number.isFinite(safeMs)) throw error;
    // The old key dies anyway: an unverified key is better than none.
    const unable = isProviderFailure(error, 'outage', 'not-sent', 'busy', 'blocked', 'rejected');
    const nowMs = engine.now();
    if (unable && (input.hurry || nowMs >= safeMs)) return stuck({ do: 'publish-unverified', atMs: nowMs });
    if (isProviderFailure(error, 'blocked')) return stuck({ do: 'publish-unverified', atMs: safeMs });
    // An answer that nobody can explain is no verdict.
    if (isProviderFailure(error, 'rejected'))
      return stuck({ do: 'again', atMs: Math.min(safeMs, nowMs + operation.strategy.timing.verifyAgainAfterMs) });
    throw error;
  }
}

/** Eight looks are as long as a read may lag behind a write. */
const lookAgainAtMs = (engine: Engine, w: Working): number => engine.now() + w.config.timing.settleMs / 8;

/** Also when an earlier attempt has booked the first refusal and was interrupted before it could judge it. */
function wasRefused(error: unknown, { refusedAtMs }: OperationFacts): boolean {
  if (isProviderFailure(error, 'credential-refused')) return true;
  return refusedAtMs === null && isProviderFailure(error, 'blocked') && error.facts.reason === 'refused-before';
}

/** One 401 is not a verdict; the second try is granted once and counted in the budget like any other. */
async function grantSecondTry(engine: Engine, w: Working, pending: VersionFacts): Promise<void> {
  await engine.deps.lockout.forgive(await engine.lockoutScope(w.config), pending.fingerprint);
}

async function recordVerified(
  engine: Engine,
  w: Working,
  own: Own,
  pending: VersionFacts,
  verified: Verified,
): Promise<RecordView> {
  const nowMs = engine.now();
  const lostProof = [verified.lostProof, ...verified.scopeDifference].filter((p) => p !== null).join('; ') || null;
  const keyId = await engine.publicId(w, verified.keyId);
  const { opened } = await engine.deps.custody.update(w.credentialId, ({ record, shelf }) => {
    mustOwn(record, own);
    const facts = withVersion(record, pending.version, (v) => ({
      ...v,
      // The listing knows better than an answer that may have named another key.
      keyId,
      verifiedAtMs: nowMs,
      lifetime: verified.lifetime,
      expiresAtMs:
        verified.expiresAtMs ??
        expiresAtMs({ earlier: null, latest: verified.lifetime }, v.createdAtMs) ??
        v.expiresAtMs,
    }));
    const lostProofs =
      lostProof === null ? record.lostProofs : { sinceMs: record.lostProofs?.sinceMs ?? nowMs, message: lostProof };
    const values = shelf.versions[String(pending.version)];
    const versions = values
      ? { ...shelf.versions, [pending.version]: { ...values, keyId: verified.keyId } }
      : shelf.versions;
    return { next: { record: { ...facts, lostProofs }, shelf: { ...shelf, versions } }, value: null };
  });
  return engine.view(w.config, opened.record);
}

async function afterRefusal(
  engine: Engine,
  w: Working,
  input: StepInput & { readonly hurry: boolean },
  own: Own,
): Promise<Verdict> {
  const operation = engine.operation(w.opened.record, input);
  const current = currentOf(w.opened.record);
  const pending = pendingOf(w.opened.record);
  const inventory = await takeInventory(engine, w, input.operationId).catch((error: unknown) => {
    // What the old key cannot tell any more must not cost the new one.
    const isMute = isProviderFailure(error, 'credential-refused', 'blocked', 'rejected');
    if (isMute && current !== undefined && current.providerDiesAtMs !== null) return null;
    throw error;
  });
  const listed = inventory?.keys?.some((k) => k.keyId === pending?.keyId) ?? null;
  const nowMs = engine.now();
  const verdict = judgeRefusal({
    firstRefusedAtMs: operation.refusedAtMs,
    listed,
    oldDiesAtMs: current?.providerDiesAtMs ?? null,
    another: canMakeAnother(w.opened.record, operation, nowMs),
    policy: operation.policy,
    strategy: operation.strategy,
    nowMs,
  });
  await engine.changeOwn(w.credentialId, own, (record) => {
    const inventoried = inventory ? withInventory(record, inventory, nowMs) : record;
    const noted = listed === false ? disown(inventoried) : inventoried;
    return noted.operation
      ? { ...noted, operation: { ...noted.operation, refusedAtMs: noted.operation.refusedAtMs ?? nowMs } }
      : noted;
  });
  // The second try that there is no time for now is left to the first use after publish: else nothing could be called with the key again.
  if (verdict.do === 'publish-unverified' && operation.refusedAtMs === null && pending)
    await grantSecondTry(engine, w, pending);
  return verdict;
}

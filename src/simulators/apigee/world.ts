import type { VirtualClock } from '../shared/clock.js';
import { createLedger, type Ledger } from './ledger.js';
import type { Organization } from './organization.js';
import { createQuota, type Quota } from './quota.js';
import { createRequestLog } from '../shared/request-log.js';
import type { OrganizationLog } from './request-log.js';
import type { ApigeeRules } from './rules.js';
import { createRuntime, type Runtime } from './runtime.js';
import { createTokens, type MachineUser, type Tokens } from './tokens.js';
import type { Proxy } from './verify.js';

/** Everything one organization remembers. A reset makes a new world. */
export interface World {
  readonly rules: ApigeeRules;
  readonly clock: VirtualClock;
  readonly ledger: Ledger;
  readonly runtime: Runtime;
  readonly tokens: Tokens;
  readonly quota: Quota;
  readonly log: OrganizationLog;
  readonly user: MachineUser;
  readonly proxies: readonly Proxy[];
  /** IAM permissions of the caller; null: all. */
  permissions: readonly string[] | null;
}

export function createWorld(
  { rules, clock }: { rules: ApigeeRules; clock: VirtualClock },
  seeded: { organization: Organization; user: MachineUser; proxies: readonly Proxy[] },
): World {
  const ledger = createLedger(clock, seeded.organization);
  return {
    rules,
    clock,
    ledger,
    runtime: createRuntime(rules, clock, ledger),
    tokens: createTokens(rules, clock),
    quota: createQuota(rules, clock),
    log: createRequestLog(clock),
    user: seeded.user,
    proxies: seeded.proxies,
    permissions: null,
  };
}

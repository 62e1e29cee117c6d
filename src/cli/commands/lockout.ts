import type { Config } from '../../config.js';
import type { LockoutScope } from '../../custody/custody.js';
import type { Vault } from '../../compose.js';
import { KeyturnError } from '../../domain/errors.js';
import { iso } from '../../domain/instant.js';
import { credentialOf } from '../credential.js';
import { tellEntity } from '../entity.js';
import { lockoutScope, providerOf } from '../provider-calls.js';
import type { Action } from '../run.js';
import { withSession } from '../session.js';
import { table } from '../table.js';

export const run: Action<'lockout'> = (context, [credentialId], { reset = false, reason }) =>
  withSession(context, async (session) => {
    const { config } = session;
    const tenants = tenantsOf(config, credentialId);
    if (reset !== (reason !== undefined)) {
      throw new KeyturnError('KT-USAGE', '--reset and --reason TEXT go together: the reason is kept in the store');
    }
    const vault = await session.vault();
    if (reason !== undefined) {
      const [tenant, another] = tenants;
      if (!tenant || another)
        throw new KeyturnError('KT-USAGE', 'name one credential: each tenant has an account of its own');
      await vault.lockout.reset(tenant.scope, reason);
      for (const id of tenant.credentials) await tellEntity(session, context.out, (client) => client.policyChanged(id));
    }
    const accounts = await Promise.all(tenants.map((tenant) => accountOf(vault, tenant)));
    return {
      data: { accounts },
      text: [
        table(
          ['BASE URL', 'EGRESS', 'USED', 'RESERVED', 'LIMIT', 'CREDENTIALS'],
          accounts.map(({ baseUrl, egress, used, reserved, limit, credentials }) => [
            baseUrl,
            egress,
            String(used),
            String(reserved),
            String(limit),
            credentials.join(' '),
          ]),
        ),
        ...accounts.flatMap(({ strikes }) =>
          strikes.map(({ at, fingerprint, operationId }) => `${at}  ${fingerprint} was refused in ${operationId}`),
        ),
        ...accounts.flatMap(({ resets }) => resets.map(({ at, reason: why }) => `${at}  reset: ${why}`)),
        'These are the calls of keyturn: what other applications cause at the provider is not seen from here.',
      ].join('\n'),
    };
  });

interface Tenant {
  readonly scope: LockoutScope;
  readonly credentials: readonly string[];
}

/** Base URLs whose provider locks out, with the credentials that share an account. @throws KeyturnError KT-UNKNOWN-CREDENTIAL */
function tenantsOf(config: Config, credentialId: string | undefined): readonly Tenant[] {
  const asked = credentialId === undefined ? undefined : credentialOf(config, credentialId);
  const counted = [...config.credentials.values()].filter(
    (one) => providerOf(one).capability(one.settings).strikeLimit !== undefined,
  );
  const baseUrls = [...new Set(counted.map(({ baseUrl }) => baseUrl))];
  return baseUrls
    .filter((baseUrl) => asked === undefined || baseUrl === asked.baseUrl)
    .map((baseUrl) => ({
      scope: lockoutScope(config, { baseUrl }),
      credentials: counted.filter((one) => one.baseUrl === baseUrl).map((one) => one.credentialId),
    }));
}

async function accountOf({ lockout }: Vault, { scope, credentials }: Tenant) {
  const { used, reserved, limit, strikes, resets, asOfMs } = await lockout.view(scope);
  return {
    ...scope,
    credentials,
    used,
    reserved,
    limit,
    asOf: iso(asOfMs),
    strikes: strikes.map(dated),
    resets: resets.map(dated),
  };
}

function dated<T extends { readonly atMs: number }>({ atMs, ...rest }: T): Omit<T, 'atMs'> & { readonly at: string } {
  return { at: iso(atMs), ...rest };
}

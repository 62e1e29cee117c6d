import type { ProviderIdentity } from '../../domain/record.js';
import type { ApigeeSettings, Owner } from './settings.js';

/** One encoded path segment; `@` may stand as it is, and Google's documentation shows it so. */
export const segment = (name: string): string => encodeURIComponent(name).replaceAll('%40', '@');

const ownerPath = (owner: Owner): string =>
  owner.kind === 'developer' ? `developers/${segment(owner.email)}` : `appgroups/${segment(owner.name)}`;

/** `acme/developers/dev@example.com/apps/orders`: where the app stands below `/organizations/`. */
export function accountOf({ organization, owner, app }: ApigeeSettings): string {
  return `${segment(organization)}/${ownerPath(owner)}/apps/${segment(app)}`;
}

export function identityOf(settings: ApigeeSettings): ProviderIdentity {
  const { baseUrl, dialect } = settings;
  return { provider: 'apigee', baseUrl, account: accountOf(settings), strategy: dialect };
}

/** Of a key whose configuration is gone. How to authenticate is not in the identity: on X, the machine's own Google identity may do. */
export function settingsFrom({ baseUrl, account, strategy }: ProviderIdentity): ApigeeSettings {
  const [organization = '', kind = '', owner = '', , app = ''] = account.split('/').map(decodeURIComponent);
  const dialect = strategy === 'edge' ? 'edge' : 'x';
  return {
    baseUrl,
    dialect,
    organization,
    owner: kind === 'appgroups' ? { kind: 'appGroup', name: owner } : { kind: 'developer', email: owner },
    app,
    auth: dialect === 'x' ? { kind: 'google' } : { kind: 'none' },
    probe: null,
    tokenTtlMs: null,
    keyTtlMs: null,
    insecure: false,
    isRebuilt: true,
  };
}

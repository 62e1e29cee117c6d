// What each key of keyturn.yaml means, for docs/reference/config.md. A key that the schema has and this does not, or the other way
// round, fails scripts/docs.mjs. `default` and `required` are given where the schema cannot show them: it turns durations into
// milliseconds, and settings may stand in a connection.

const auth = {
  kind: '`bearer` or `none`; anything but loopback needs `bearer`',
  token: 'secret reference: the token that callers send as `Authorization: Bearer`',
};

const policy = {
  schedule: 'when to rotate; without it only on request, by webhook and before expiry',
  'schedule.cron': 'five fields as Temporal’s Schedules read them: day of month and day of week must both match',
  'schedule.timezone': 'IANA name',
  'schedule.jitter': { means: 'each fire is moved by up to this', default: '0s' },
  grace: { means: 'how long the old key lives on after every consumer should have the new one', default: '20m' },
  refreshWithin: { means: 'every consumer reads the key again within this', default: '5m' },
  consumers: { means: 'consumers whose acknowledgement is waited for', default: '[]' },
  'consumers[].name': 'as in `keyturn ack --consumer`',
  'consumers[].ackWithin': 'how long, from publish on; no default',
  minInterval: {
    means: 'routine requests within this after a publish are skipped; must be shorter than the schedule’s shortest gap',
    default: '1h',
  },
  renewBefore: {
    means: 'own timer ahead of the key’s end at the provider; at most a third of the key’s life',
    default: '1d',
  },
  reconcile: 'compare provider, store and workflow once a day, and raise attention',
  activationLag: { means: 'wait before a new key is used for the first time', default: '0s' },
};

const timing = {
  sendWithin: { means: 'a write that was not sent within this after its intent is not sent any more', default: '5s' },
  httpTimeout: { means: 'for one whole exchange with the provider', default: '15s' },
  skew: { means: 'how far the clocks of worker and provider may differ', default: '2s' },
  verifyAgainAfter: { means: 'second look at a new key that was refused once', default: '5m' },
  propagation: { means: 'how long a deleted key may go on working; Apigee: `200s`', default: '0s' },
  settle: { means: 'how long a read may miss what a write has made; Apigee: `30s`', default: '0s' },
  observe: { means: 'between suspending and destroying, where the provider can suspend; Apigee: `10m`', default: '0s' },
};

/** One section each, with the path of its schema and its own paths within. */
export const sections = [
  {
    title: 'Top level',
    at: '',
    keys: {
      version: 'always 1',
      plugins:
        'exact names of packages that may be imported as providers, installed where keyturn.yaml is; see [write a provider](../how-to/write-a-provider.md)',
    },
  },
  {
    title: 'temporal',
    at: 'temporal',
    note: 'Flags and `TEMPORAL_*` variables go before this, profiles of temporal.toml after it.',
    keys: {
      address: { means: '`HOST:PORT` of the Temporal server', default: '127.0.0.1:7233' },
      namespace: { means: 'namespace', default: 'default' },
      taskQueue: 'of the worker; an installation of its own needs its own',
      searchAttributes: '`auto`: use those that exist or can be registered; `off`',
    },
  },
  {
    title: 'store',
    at: 'store',
    keys: {
      kind: 'this version has sealed files on a local disk',
      path: 'folder, relative to keyturn.yaml; never holds the key file',
      keyFile: { means: 'short for `sealingKey: { kind: file, path: … }`', default: '.keyturn/key' },
      sealingKey: 'the key that opens the store; here or at the top level, once',
      'sealingKey.kind': '`file`',
      'sealingKey.path': 'a file of mode 0600, relative to keyturn.yaml',
    },
  },
  {
    title: 'sealingKey',
    at: 'sealingKey',
    keys: { kind: '`file`', path: 'a file of mode 0600, relative to keyturn.yaml' },
  },
  {
    title: 'server',
    at: 'server',
    keys: {
      listen: { means: '`HOST:PORT` of page, API, metrics and webhooks', default: '127.0.0.1:8377' },
      webhookListen: 'webhooks are then served here only, with a `/healthz` of its own',
      auth: { means: 'covers all routes but webhooks, `/healthz`, `/readyz`', default: '{ kind: none }' },
      'auth.kind': auth.kind,
      'auth.token': auth.token,
    },
  },
  {
    title: 'worker',
    at: 'worker',
    keys: {
      listen: '`/healthz`, `/readyz` and `/metrics` of the worker; without it none',
      egress: 'names the outbound IP address whose invalid calls are counted together',
      deployment:
        'worker versioning: this worker gets work only while its version is the current one, see [upgrade](../how-to/upgrade.md#with-worker-versioning)',
      'deployment.name': 'of the worker deployment in Temporal',
      'deployment.buildId': 'another one for each build',
    },
  },
  {
    title: 'lockout',
    at: 'lockout',
    keys: { limit: 'invalid-credential calls keyturn may ever cause per tenant and egress; Mambu blocks the IP at 10' },
  },
  {
    title: 'timing',
    at: 'timing',
    note: 'Also per credential, where it replaces single values.',
    keys: timing,
  },
  {
    title: 'webhooks',
    at: 'webhooks',
    note: 'Without `mambu.auth` every webhook is refused.',
    keys: {
      mambu: 'webhooks of Mambu',
      'mambu.auth': 'how a webhook proves that it is Mambu’s',
      'mambu.auth.kind': '`header`, `basic`, or `none` where something else keeps strangers out',
      'mambu.auth.name': 'of the header',
      'mambu.auth.value': 'secret reference or a list of them: any will do, so that it can be changed without a gap',
      'mambu.auth.username': 'of Basic authorization',
      'mambu.auth.password': 'secret reference',
    },
  },
  {
    title: 'arazzo',
    at: 'arazzo',
    note: 'For runs of [Arazzo documents](arazzo.md). Nothing of it comes from a document.',
    keys: { sources: 'by the names that the documents give to their sources' },
  },
  {
    title: 'arazzo.sources',
    at: 'arazzo.sources.*',
    keys: {
      url: 'base URL, in the place of the one that the description names',
      auth: {
        means: 'sent to exactly this origin and base path, and nowhere else',
        default: '{ kind: none }',
      },
      'auth.kind':
        '`google`: application default credentials; `bearer`; `basic`; `edge-oauth`: tokens of classic Edge, by password or refresh token; `none`',
      'auth.token': 'secret reference, of `bearer`',
      'auth.username': 'of `basic` and `edge-oauth`',
      'auth.password': 'secret reference, of `basic` and `edge-oauth`',
      'auth.tokenUrl': 'of `edge-oauth`',
      'auth.refreshToken': 'secret reference, of `edge-oauth`, instead of user name and password',
      insecure: 'allows `http:` beyond loopback: secrets travel in clear',
    },
  },
  {
    title: 'connections',
    at: 'connections.*',
    note: 'What several credentials share. Besides `provider` it may hold any setting of that provider’s block; the credential’s own go before.',
    keys: { provider: 'the provider', 'provider.module': 'as in [credentials](#credentials)' },
  },
  {
    title: 'policies',
    at: 'policies.*',
    note: 'Named policies, and the shape of `policy` in a credential.',
    keys: policy,
  },
  {
    title: 'credentials',
    at: 'credentials.*',
    note: 'The id starts with a-z or 0-9 and holds a-z 0-9 . _ - (at most 63 characters).',
    leaveOut: ['policy.', 'timing.', 'mambu.', 'apigee.'],
    keys: {
      provider: 'the provider; `mambu`, `apigee`, or `{ module: PACKAGE }` for a plug-in',
      'provider.module': 'a name from `plugins`',
      settings: 'of a plug-in, checked by its own schema',
      connection: 'a name from `connections`, instead of what stands there',
      policy: 'a mapping as in [policies](#policies), or a name from there',
      timing: 'as in [timing](#timing)',
      labels: 'free text for people and alerts',
      mambu: 'settings, see [below](#mambu)',
      apigee: 'settings, see [below](#apigee)',
    },
  },
  {
    title: 'mambu',
    at: 'credentials.*.mambu',
    keys: {
      baseUrl: { means: 'of the tenant, ends in `/api`; `http:` on loopback only', required: true },
      consumerId: {
        means: 'id or encoded key of the API consumer, as the webhook’s header `apiConsumerId` has it',
        required: true,
      },
      consumerIdAliases: 'the other one of the two',
      strategy: { means: 'which way to rotate, see [README](../../README.md#which-strategy)', required: true },
      tenantGrace:
        'the tenant’s own API key rotation grace, needed for `rotation`: not readable over the API; counts from the call',
      keyTtl: 'lifetime of new keys, whole seconds; without it they never end',
      management: 'a Mambu user who manages the keys, instead of the credential itself',
      'management.kind': '`basic`',
      'management.username': 'user name',
      'management.password': 'secret reference',
      managedBy: 'another credential of the same base URL whose key manages this one’s keys',
      verify: 'how a new key is tried',
      'verify.path': {
        means: 'path below the base URL to read; another than the default proves less',
        default: '/consumers/{consumerId}/keys',
      },
      acceptGap: 'with `rotation` and `tenantGrace: 0s`: consumers are down at each rotation, and that is meant',
      insecure: 'allow `http:` beyond loopback: keys travel in clear',
      webhook:
        '`shared` (short route), `own-path` (only `/webhooks/mambu/<id>`), `false` (none); default: the short route where the consumer id is unambiguous',
      allowRequests: 'what `makeApiRequest` may send besides GET and HEAD',
      'allowRequests[].method': 'method',
      'allowRequests[].pathPrefix': 'whole path segments below the base URL',
    },
  },
  {
    title: 'apigee',
    at: 'credentials.*.apigee',
    note: 'How to set it up: [Apigee](../how-to/apigee.md).',
    keys: {
      baseUrl: { means: 'of the management API, ends in `/v1`; `http:` on loopback only', required: true },
      dialect: { means: '`x`: Apigee X and hybrid; `edge`: classic Edge', required: true },
      organization: { means: 'name of the organization', required: true },
      developer: 'e-mail of the developer who owns the app, in lower case; this or `appGroup`',
      appGroup: 'name of the AppGroup that owns the app; `dialect: x` only',
      app: { means: 'name of the app', required: true },
      auth: { means: 'how keyturn proves itself to the management API', required: true },
      'auth.kind':
        '`google`: application default credentials; `bearer`; `basic` and `edge-oauth`: classic Edge; `none`: something in between does it',
      'auth.token': 'of `bearer`: secret reference',
      'auth.username': 'of `basic` and of `edge-oauth` by password',
      'auth.password': 'of `basic` and of `edge-oauth` by password: secret reference',
      'auth.tokenUrl': {
        means: 'of `edge-oauth`: the token service; a SAML zone has one of its own',
        default: 'https://login.apigee.com/oauth/token',
      },
      'auth.refreshToken': 'of `edge-oauth`, instead of `username` and `password`: secret reference',
      probe: 'a call of an API proxy that shows whether a new key works',
      'probe.url': 'of the proxy, with query if that needs one',
      'probe.in': 'where the proxy looks for the key',
      'probe.name': 'of the header or query parameter',
      'probe.times': 'calls that all have to pass: several message processors have a cache each',
      'probe.patience': { means: 'a refusal of a key younger than this does not count yet', default: '200s' },
      tokenTtl:
        'how long access tokens live that consumers get with the key: the old key is kept that much longer; `0s` if they send the key itself',
      keyTtl: 'life of new keys, whole seconds, `dialect: x` only; without it that of the old key',
      insecure: 'allow `http:` beyond loopback: secrets travel in clear',
    },
  },
];

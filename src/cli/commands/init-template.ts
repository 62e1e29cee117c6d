/** What `keyturn init` writes: valid as it is, with a tenant that is to be named. */
export const starterConfig = `# keyturn.yaml: which API credentials to rotate, when, and how. It holds no secrets:
# write "\${env:NAME}" or "\${file:path}" where one is needed. \`keyturn doctor\` checks everything.
version: 1

# temporal:                     # TEMPORAL_* variables and temporal.toml profiles are honoured, too
#   address: 127.0.0.1:7233     # \`keyturn dev\` brings its own Temporal where none is configured
#   namespace: default

store:
  kind: file
  path: .keyturn/store          # sealed keys; relative to this file
  keyFile: .keyturn/key         # opens the store: back it up apart from the store

server:
  listen: 127.0.0.1:8377        # page, API, metrics and webhooks; any other address needs \`auth\`
  # auth: { kind: bearer, token: "\${env:KEYTURN_TOKEN}" }

lockout:
  limit: 4                      # invalid-credential calls keyturn may ever cause; Mambu blocks the IP at 10

# webhooks:                     # a rotation at Mambu's end of day: POST /webhooks/mambu
#   mambu:
#     auth: { kind: header, name: x-keyturn-secret, value: "\${env:MAMBU_WEBHOOK_SECRET}" }

credentials:
  core-prod:
    provider: mambu
    mambu:
      baseUrl: https://TENANT.mambu.com/api     # name your tenant
      consumerId: CONSUMER      # id or encoded key of the API consumer: what the webhook's header apiConsumerId carries
      # consumerIdAliases: []   # the other one of the two
      strategy: create-and-delete               # makes a new key beside the old one, then deletes the old one
      # strategy: rotation      # replaces the key in place, with the secret key; needs tenantGrace
      # tenantGrace: 30m        # "API key rotation grace" in Mambu's UI
      keyTtl: 30d               # new keys expire, should they be forgotten
    policy:
      schedule: { cron: "0 4 * * *", timezone: UTC, jitter: 5m }
      refreshWithin: 5m         # every consumer re-reads the key within this
      grace: 20m                # then the old key lives on for this long
      minInterval: 1h           # no two routine rotations within this
      # consumers: [{ name: billing, ackWithin: 24h }]   # whose acknowledgement is waited for: \`keyturn ack\`
    labels: { team: payments }
  # partner-app:                # a consumer key of Apigee X, hybrid or classic Edge: docs/how-to/apigee.md
  #   provider: apigee
  #   apigee:
  #     baseUrl: https://apigee.googleapis.com/v1
  #     dialect: x              # or edge
  #     organization: acme
  #     developer: dev@example.com              # in lower case; or appGroup
  #     app: orders
  #     auth: { kind: google }  # or bearer, basic, edge-oauth, none
  #     # probe: { url: https://api.example.com/orders/health, in: header, name: x-apikey }
  #     tokenTtl: 0s            # life of OAuth tokens that consumers get with the key
  #   policy: { grace: 1h }
`;

import { stringify } from 'yaml';

/** keyturn.yaml of the demo: as in earnest, with minutes made seconds. */
export function demoConfig(input: {
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly simulator: { readonly baseUrl: string };
  readonly consumerId: string;
  readonly credentialId: string;
}): string {
  return stringify({
    version: 1,
    temporal: { address: input.temporal.address, namespace: input.temporal.namespace },
    store: { kind: 'file', path: 'store', keyFile: 'key' },
    server: { listen: '127.0.0.1:0' },
    webhooks: { mambu: { auth: { kind: 'header', name: 'x-keyturn-secret', value: '${file:webhook-secret}' } } },
    credentials: {
      [input.credentialId]: {
        provider: 'mambu',
        mambu: {
          baseUrl: input.simulator.baseUrl,
          consumerId: input.consumerId,
          strategy: 'create-and-delete',
          keyTtl: '30d',
        },
        policy: { grace: '3s', refreshWithin: '2s', minInterval: '0s' },
      },
    },
  });
}

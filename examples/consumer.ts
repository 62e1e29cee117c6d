/** An application that calls the API with the key that is current, and asks once more when it was refused. */
import { createConsumer, type Consumer, type ResolvedCredential } from 'keyturn/consumer';

export async function branches(consumer: Consumer, credentialId: string): Promise<unknown> {
  const credential = await consumer.resolveCredential(credentialId);
  const answer = await get(credential, '/branches');
  if (answer.status !== 401) return answer.json();
  // One more try with a newer key; throws where there is none, instead of being locked out.
  const newer = await consumer.afterRefusal(credential);
  return (await get(newer, '/branches')).json();
}

function get({ baseUrl, fields }: ResolvedCredential, path: string): Promise<Response> {
  const apiKey = fields['apiKey']?.reveal() ?? '';
  return fetch(baseUrl + path, { headers: { apiKey, accept: 'application/vnd.mambu.v2+json' }, redirect: 'error' });
}

export const start = (config: string): Promise<Consumer> => createConsumer({ config, acknowledgeAs: 'billing' });

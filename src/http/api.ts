/** `GET /api/credentials` and `/api/credentials/:id`: the states, which never hold a secret. */
import { Hono } from 'hono';
import type { KeyturnClient } from '../client.js';
import type { Config } from '../config.js';
import { KeyturnError } from '../domain/errors.js';
import type { Logger } from '../telemetry/log.js';
import { answered, refused, statusOf } from './envelope.js';
import { readStates } from './states.js';

export function apiRoutes(config: Config, client: Pick<KeyturnClient, 'state'>, log: Logger): Hono {
  return new Hono()
    .get('/api/credentials', async (c) => answered(c, await readStates(client, [...config.credentials.keys()], log)))
    .get('/api/credentials/:credentialId', async (c) => {
      const credential = config.credentials.get(c.req.param('credentialId'));
      if (credential === undefined) {
        return refused(c, 404, {
          code: 'KT-UNKNOWN-CREDENTIAL',
          message: 'there is no such credential in the keyturn.yaml that this server has started with',
        });
      }
      try {
        return answered(c, await client.state(credential.credentialId));
      } catch (error) {
        if (!(error instanceof KeyturnError)) throw error;
        const status = statusOf(error);
        if (status === 503) c.header('Retry-After', '5');
        return refused(c, status, error);
      }
    });
}

/** An answer sealed in memory: what may travel through a step's result while the store is down. */
import { KeyturnError } from '../domain/errors.js';
import type { Secret } from '../domain/secret.js';
import type { LateAnswer } from './custody.js';
import { decrypt, encrypt, keyFromBase64 } from './gcm.js';
import { parseSealed } from './parse.js';
import { lateAnswerSchema } from './schema.js';
import { answerToWire } from './values.js';

export function sealAnswer(credentialId: string, oneTimeKey: Secret, answer: LateAnswer): string {
  const key = keyFromBase64(oneTimeKey.reveal());
  if (!key) throw new KeyturnError('KT-INTERNAL', 'a one-time key must have 32 bytes in base64');
  return encrypt(key, aad(credentialId), Buffer.from(JSON.stringify(answerToWire(answer))));
}

/** @throws KeyturnError KT-STORE-CORRUPT */
export function openAnswer(credentialId: string, oneTimeKey: Secret, sealed: string): LateAnswer {
  const key = keyFromBase64(oneTimeKey.reveal());
  const plaintext = key && decrypt(key, aad(credentialId), sealed);
  if (plaintext) return parseSealed(lateAnswerSchema, plaintext, 'a sealed answer');
  throw new KeyturnError('KT-STORE-CORRUPT', `an answer was not sealed by this intent of ${credentialId}`);
}

function aad(credentialId: string): string {
  return JSON.stringify(['keyturn-answer/1', credentialId]);
}

/** Answers that came when their record was no longer theirs to write: one object an intent, holding every different answer to it. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Custody, LateAnswer } from './custody.js';
import type { Installations } from './installation.js';
import { lateNames } from './names.js';
import type { ObjectKey, SealedObjects } from './objects.js';
import { parseSealed } from './parse.js';
import { lateAnswerSchema } from './schema.js';
import { answerToWire } from './values.js';

const answersSchema = z.array(lateAnswerSchema);

export function lateAnswers(
  objects: SealedObjects,
  installations: Installations,
): Pick<Custody, 'keepLate' | 'readLate' | 'dropLate'> {
  return {
    async keepLate(credentialId, answer) {
      const name = `${lateNames(credentialId, answer.operationId)}${answer.intent}`;
      await objects.update(keyOf(name, (await installations.ensure()).id), (current) => {
        const kept = current ? parse(name, current.plaintext) : [];
        if (kept.some((other) => sameAnswer(other, answer))) return { unchanged: undefined };
        return {
          write: Buffer.from(JSON.stringify([...kept, answer].map((one) => answerToWire(one)))),
          value: undefined,
        };
      });
    },
    async readLate(credentialId, operationId) {
      const installation = await installations.find();
      if (!installation) return [];
      const answers: LateAnswer[] = [];
      for (const name of await objects.list(lateNames(credentialId, operationId))) {
        const object = await objects.read(keyOf(name, installation.id));
        if (object) answers.push(...parse(name, object.plaintext));
      }
      return answers.sort((a, b) => a.intent - b.intent || a.receivedAtMs - b.receivedAtMs);
    },
    async dropLate(credentialId, operationId) {
      for (const name of await objects.list(lateNames(credentialId, operationId))) await objects.remove(name);
    },
  };
}

function keyOf(name: string, installationId: string): ObjectKey {
  return { purpose: 'late', name, store: installationId };
}

/** A replayed answer is the same answer, whenever it came. */
function sameAnswer(a: LateAnswer, b: LateAnswer): boolean {
  return isDeepStrictEqual({ ...answerToWire(a), receivedAtMs: 0 }, { ...answerToWire(b), receivedAtMs: 0 });
}

function parse(name: string, plaintext: Buffer): readonly LateAnswer[] {
  return parseSealed(answersSchema, plaintext, name);
}

import { expect, it } from 'vitest';
import { arazzoSetUp, callsOf, isAccepted, ownDocument } from '../support/arazzo.js';
import { noReference, referenceFile } from '../support/reference.js';

const published = referenceFile('apigee-rotate-app-key-workflow.yml');
const description = referenceFile('apigee-api-management-openapi.yml');

it('performs a document as it stands, and the old key is dead and the new one alive', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const ran = await s.run(ownDocument, s.ownInputs(), '--workflow', 'rotate', '--wait');
  console.log(ran.err, ran.out);
  expect(ran.exit).toBe(0);
  expect(callsOf(s)).toEqual(['GET', 'POST #2', 'POST #2', 'DELETE #1']);
  expect(isAccepted(s, s.values.key)).toBe(true);
  expect(isAccepted(s, s.values.old)).toBe(false);
});

import { expect, test } from 'vitest';
import { operationAt, operationById } from '../../../src/arazzo/openapi.js';
import { read } from './documents.js';

const lockers = read('lockers.openapi.yaml');

test('an operation has its parameters of path and operation, its body types and its server', () => {
  expect(operationById('s', lockers, 'addCode')).toEqual({
    source: 's',
    method: 'POST',
    path: '/sites/{site}/lockers',
    server: 'https://lockers.example/v2',
    parameters: [{ name: 'site', in: 'path', isRequired: true, isExploded: false }],
    bodyTypes: ['application/json'],
    isBodyRequired: true,
  });
  expect(operationAt('s', lockers, ['paths', '/sites/{site}/lockers/{locker}', 'delete']).method).toBe('DELETE');
});

test.each<[string, object, string]>([
  ['twice', { '/a': { get: { operationId: 'x' }, put: { operationId: 'x' } } }, 'several operations'],
  ['nowhere', { '/a': { get: { operationId: 'constructor' } } }, 'no operation'],
  ['in another file', { '/a': { $ref: 'other.yaml#/a' } }, 'leads out of the file'],
  ['behind a reference to nowhere', { '/a': { $ref: '#/components/absent' } }, 'leads nowhere'],
  ['behind references in a circle', { '/a': { $ref: '#/paths/~1a' } }, 'without end'],
])('an operation that is %s is refused', (_, paths, message) => {
  expect(() => operationById('s', { openapi: '3.1.0', paths: paths as never }, 'x')).toThrow(message);
});

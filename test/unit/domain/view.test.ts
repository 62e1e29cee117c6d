import { describe, expect, test } from 'vitest';
import type { RotationFacts } from '../../../src/domain/record.js';
import { lastEffect, viewOf } from '../../../src/domain/view.js';
import { recordOf, rotationFacts } from './facts.js';

test('the view keeps from the workflow what only custody needs', () => {
  const record = recordOf({ history: [rotationFacts('op-2'), rotationFacts('op-1')], seen: ['x.1.d'] });
  const view = viewOf(record, null);
  expect(view.lastRotation?.operationId).toBe('op-2');
  for (const hidden of ['history', 'intents', 'seen', 'destroyed']) expect(view).not.toHaveProperty(hidden);
  expect(viewOf(recordOf(), null).lastRotation).toBeNull();
});

describe('what the last rotation has left', () => {
  const ids = (...history: readonly RotationFacts[]) => {
    const view = viewOf(recordOf({ history }), null);
    return [view.lastRotation?.operationId, view.lastBefore?.operationId, lastEffect(view)?.operationId];
  };
  const refused = (id: string) => rotationFacts(id, { reason: 'rollback', outcome: 'failed' });

  test('is its own effect, also when it failed or went back', () => {
    expect(ids(rotationFacts('b'), rotationFacts('a'))).toEqual(['b', undefined, 'b']);
    expect(ids(rotationFacts('b', { outcome: 'failed' }), rotationFacts('a'))).toEqual(['b', undefined, 'b']);
    expect(ids(rotationFacts('b', { reason: 'rollback' }), rotationFacts('a'))).toEqual(['b', undefined, 'b']);
    expect(viewOf(recordOf({ history: [rotationFacts('a')] }), null)).not.toHaveProperty('lastBefore');
  });

  test('is that of the one before where it was a rollback that was refused', () => {
    expect(ids(refused('c'), refused('b'), rotationFacts('a'))).toEqual(['c', 'a', 'a']);
    expect(ids(refused('b'))).toEqual(['b', undefined, undefined]);
    expect(ids()).toEqual([undefined, undefined, undefined]);
  });
});

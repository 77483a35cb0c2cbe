import assert from 'node:assert/strict';
import { test } from 'node:test';
import { componentNames } from '../config/options.ts';
import { bottomParts, isPartOn, type Part } from './parts.ts';

test('each part is one that a sidecar has, and is taken to run while it has named none', () => {
  const parts: readonly Part[] = ['history', 'search', 'git', 'checkpoints', ...bottomParts];
  for (const part of parts) {
    assert.ok((componentNames as readonly string[]).includes(part), part);
    assert.equal(isPartOn(part, undefined), true);
    assert.equal(isPartOn(part, componentNames), true);
    assert.equal(isPartOn(part, ['files']), false);
  }
});

test('terminals and deployments are not there without processes', () => {
  assert.equal(isPartOn('terminals', ['terminals']), false);
  assert.equal(isPartOn('deploy', ['deploy', 'processes']), true);
});

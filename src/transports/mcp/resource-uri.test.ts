import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pathOf, uriOf } from './resource-uri.ts';

for (const path of ['a', 'a/b.txt', 'a b/ü?#%25.txt', '日本/😀', '-', 'a%2Fb', "it's"]) {
  test(`the path ${path} is found again in its URI`, () => {
    assert.equal(pathOf(uriOf(path)), path);
    assert.ok(URL.canParse(uriOf(path)));
  });
}

test('dots are not resolved: the contract refuses them as they are', () => {
  assert.equal(pathOf('workspace:///a/../b'), 'a/../b');
  assert.equal(pathOf('workspace:///%2e%2e/b'), '../b');
  assert.equal(pathOf('workspace:////etc'), '/etc');
});

describe('no path is in', () => {
  for (const uri of [
    'file:///a',
    'workspace://host/a',
    'workspace:a',
    'workspace:///a%2Fb',
    'workspace:///%zz',
    'workspace:///%ff',
    'workspace:///a?b',
    'workspace:///a#b',
    '',
  ])
    test(JSON.stringify(uri), () => assert.equal(pathOf(uri), undefined));
});

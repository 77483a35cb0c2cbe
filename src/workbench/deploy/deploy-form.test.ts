import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeployParameter, Deployment } from '../../contract/deploy.ts';
import { fieldProblem, firstFields, isNeeded, valuesOf } from './deploy-form.ts';
import { canGoBackTo, deploymentTitle, outcome } from './deploy-words.ts';

const parameters: Record<string, DeployParameter> = {
  module: { type: 'name' },
  workers: { type: 'integer', min: 1, max: 8, default: 2 },
  target: { type: 'choice', choices: ['staging', 'live'] },
  draft: { type: 'switch', argument: '--draft', default: true },
  file: { type: 'path' },
};

test('fields begin with what the profile says, and keep what still fits', () => {
  assert.deepEqual(firstFields(parameters), { module: '', workers: '2', target: 'staging', draft: true, file: '' });
  assert.deepEqual(firstFields(parameters, { module: 'loans', target: 'gone', draft: false, workers: '5' }), {
    module: 'loans',
    workers: '5',
    target: 'staging',
    draft: false,
    file: '',
  });
});

test('what a field holds is checked by its type, in words', () => {
  const rows: [DeployParameter, string | boolean, RegExp | undefined][] = [
    [{ type: 'name' }, 'library_loans', undefined],
    [{ type: 'name' }, 'library loans', /Letters, digits/],
    [{ type: 'name' }, '-u', /dash/],
    [{ type: 'name', pattern: 'v\\d+' }, 'v12', undefined],
    [{ type: 'name', pattern: 'v\\d+' }, 'xv12', /match v/],
    [{ type: 'name' }, '  ', /needed/],
    [{ type: 'integer', min: 1, max: 8 }, '9', /At most 8/],
    [{ type: 'integer', min: 1 }, '-3', /At least 1/],
    [{ type: 'integer' }, '1.5', /whole number/],
    [{ type: 'integer' }, '1e3', /whole number/],
    [{ type: 'choice', choices: ['a'] }, 'b', /one of the list/],
    [{ type: 'text' }, 'grüße', undefined],
    [{ type: 'switch', argument: '-x' }, true, undefined],
  ];
  for (const [parameter, value, expected] of rows) {
    const problem = fieldProblem(parameter, value, true);
    if (expected === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? '', expected);
  }
  assert.equal(fieldProblem({ type: 'name' }, '', false), undefined);
});

test('values have the types that the operation takes; empty ones are left out', () => {
  assert.deepEqual(valuesOf(parameters, { module: ' loans ', workers: '3', target: 'live', draft: false, file: '' }), {
    module: 'loans',
    workers: 3,
    target: 'live',
    draft: false,
  });
  assert.equal(isNeeded('module', ['odoo', '-u', '{module}']), true);
  assert.equal(isNeeded('module', ['build', '{module}']), false);
  assert.equal(isNeeded('target', ['npm', '--to={target}']), true);
});

const done: Deployment = {
  id: 'd-1',
  profile: 'odoo',
  parameters: { module: 'library_loans', draft: true, quiet: false },
  by: { name: 'Ada', kind: 'person' },
  state: 'succeeded',
  startedAt: 1000,
  endedAt: 4200,
  commit: 'a1b2c3d4e5',
  checkpoint: 7,
  process: 'p-1',
};

test('the outcome is said in words', () => {
  assert.equal(deploymentTitle(done), 'odoo library_loans draft');
  assert.equal(outcome(done, 0), 'succeeded in 3.2 s, commit a1b2c3d');
  assert.equal(outcome({ ...done, commit: null }, 0), 'succeeded in 3.2 s');
  assert.equal(outcome({ ...done, state: 'failed', error: 'odoo ended with exit code 1.' }, 0), 'failed: odoo ended with exit code 1');
  const { endedAt: _, ...underWay } = done;
  assert.equal(outcome({ ...underWay, state: 'running' }, 66_000), 'running, for 1 min 5 s');
});

test('what succeeded before can be gone back to, when nothing is under way', () => {
  const newest = { ...done, id: 'd-2' };
  assert.equal(canGoBackTo(done, [newest, done]), true);
  assert.equal(canGoBackTo(newest, [newest, done]), false);
  assert.equal(canGoBackTo({ ...done, state: 'failed' }, [newest, done]), false);
  assert.equal(canGoBackTo({ ...done, checkpoint: null }, [newest, done]), false);
  assert.equal(canGoBackTo(done, [{ ...newest, state: 'running' }, done]), false);
});

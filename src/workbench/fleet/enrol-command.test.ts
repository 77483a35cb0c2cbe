import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enrolCommand } from './enrol-command.ts';

test('the command names the hub as the page reached it, and the agent where it has a name', () => {
  const facts = { hub: 'https://hub.example.org', token: 'ogr_enrol_x' };
  assert.equal(enrolCommand({ ...facts, agent: undefined }), 'outrigger link --hub https://hub.example.org --enrol ogr_enrol_x');
  assert.equal(
    enrolCommand({ ...facts, agent: 'fixer-01' }),
    'outrigger link --hub https://hub.example.org --enrol ogr_enrol_x --agent fixer-01',
  );
});

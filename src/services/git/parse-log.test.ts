import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLog } from './parse-log.ts';

test('commits are read field by field; what was cut off is left out', () => {
  const one = [
    'aa',
    'bb cc',
    'Ann',
    'ann@example.org',
    '1700000000',
    'HEAD -> main, tag: v1, origin/main',
    'Subject, with a comma',
    'Body\n\nmore\n\n',
  ];
  const two = ['bb', '', 'Bo', '', '-1', '', '', ''];
  const output = `${[...one, ...two].join('\0')}\0`;
  const commits = parseLog(output);
  assert.deepEqual(commits, [
    {
      hash: 'aa',
      parents: ['bb', 'cc'],
      author: { name: 'Ann', email: 'ann@example.org' },
      at: 1_700_000_000_000,
      subject: 'Subject, with a comma',
      body: 'Body\n\nmore',
      refs: ['HEAD -> main', 'tag: v1', 'origin/main'],
    },
    { hash: 'bb', parents: [], author: { name: 'Bo', email: '' }, at: -1000, subject: '', body: '', refs: [] },
  ]);
  assert.deepEqual(parseLog(output.slice(0, -1)), commits.slice(0, 1));
  assert.deepEqual(parseLog(''), []);
});

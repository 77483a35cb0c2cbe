import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequest } from './answers.ts';
import { contentDisposition, matches } from './files.ts';
import { entityOf, FormReader, knownId, readExec } from './request-form.ts';

const id = '0123456789abcdefghijk';

test('arguments may be anything: what is no list is one, what is no string its JSON', () => {
  const args = (given: unknown): string[] => readExec({ code: '1', lang: 'py', args: given }).args;
  assert.deepEqual([args(undefined), args(null), args([])], [[], [], []]);
  assert.deepEqual(args('one two'), ['one two']);
  assert.deepEqual(args([1, 'a', { b: [true] }, null]), ['1', 'a', '{"b":[true]}', 'null']);
  assert.deepEqual(args({ a: 1 }), ['{"a":1}']);
});

test('the newer name of a file’s session wins, and ids of another form name nothing', () => {
  const files = [{ id, session_id: 'old', storage_session_id: 'new', name: 'a', kind: 'skill', version: 1, resource_id: 'r' }];
  assert.deepEqual(readExec({ code: '1', lang: 'py', files }).files, [{ id, session: 'new', name: 'a' }]);
  assert.deepEqual(
    ['', 'x', `${id}x`, '-123456789abcdefghijk', '0123456789abcdefghij_', '../../../../etc/passwd', undefined].map(knownId),
    Array(7).fill(undefined),
  );
  assert.equal(knownId(id), id);
});

test('every fault of a request is told, and fields of prototypes are none', () => {
  const faults = (body: unknown): string[] => {
    try {
      readExec(body);
      return [];
    } catch (error) {
      assert.ok(error instanceof BadRequest);
      return error.problems.map(({ field }) => field);
    }
  };
  assert.deepEqual(faults([]), ['body', 'body -> code', 'body -> lang']);
  assert.deepEqual(faults({ code: '1', lang: 'py', timeout: 'x', session_id: 1, args: ['\0'] }).sort(), [
    'body -> args -> 0',
    'body -> session_id',
    'body -> timeout',
  ]);
  assert.deepEqual(faults(Object.create({ code: '1', lang: 'py' })), ['body -> code', 'body -> lang']);
  assert.deepEqual(faults({ code: '1', lang: 'py', files: Array(100).fill(1) }).length, 20);
  assert.deepEqual(faults({ code: ' \n', lang: 'py' }), ['code']);
});

test('whose a session is depends on the user and the entity, and is itself the name of an entity', () => {
  assert.equal(entityOf('agent', undefined), 'agent');
  assert.equal(entityOf(undefined, 'ann'), undefined);
  const names = new Set([entityOf('agent', 'ann'), entityOf('agent', 'ben'), entityOf('agent2', 'ann'), entityOf('agent', 'ann')]);
  assert.equal(names.size, 3);
  for (const name of names) assert.match(name ?? '', /^[A-Za-z0-9_-]{1,40}$/);
});

test('names in headers are plain, and beside that as they are', () => {
  assert.equal(contentDisposition('deep/a b".csv'), `attachment; filename="a_b_.csv"; filename*=UTF-8''a%20b%22.csv`);
  assert.equal(contentDisposition("ä'(1).txt"), `attachment; filename="___1_.txt"; filename*=UTF-8''%C3%A4%27%281%29.txt`);
  assert.deepEqual(
    ['"ab"', 'ab', 'W/"ab"', '"x", "ab"', '*', '"x"', undefined].map((header) => matches(header, 'ab')),
    [true, true, true, true, true, false, false],
  );
});

test('of a list of which nothing is a file no more is looked at than is told of, nor kept of arguments', () => {
  let looked = 0;
  const files = Array.from({ length: 1000 }, () => ({
    get id() {
      looked++;
      return 1;
    },
  }));
  const reader = new FormReader({ files });
  reader.files();
  assert.ok(looked <= 20, String(looked));
  assert.equal(reader.problems.length, 20);
  const other = new FormReader({ args: Array(1000).fill('\0') });
  other.args();
  assert.equal(other.problems.length, 20);
});

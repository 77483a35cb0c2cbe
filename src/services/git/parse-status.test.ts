import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStatus } from './parse-status.ts';

const oid = '0'.repeat(40);
const none = new Uint8Array();

function bytes(...records: (string | Buffer)[]): Buffer {
  return Buffer.concat(records.flatMap((record) => [Buffer.isBuffer(record) ? record : Buffer.from(record), Buffer.of(0)]));
}

/** `staged unstaged path [< from]`, short enough for a table. */
async function lines(output: Buffer, prefix: Uint8Array = none): Promise<string[]> {
  const { entries } = await parseStatus(output, prefix);
  return entries.map(({ staged, unstaged, path, from, submodule }) =>
    [
      staged ?? '-',
      unstaged ?? '-',
      JSON.stringify(path.shown),
      ...(from === undefined ? [] : ['<', JSON.stringify(from.shown)]),
      ...(path.raw ? ['raw'] : []),
      ...(submodule ? ['sub'] : []),
      ...(path.folder ? ['folder'] : []),
    ].join(' '),
  );
}

test('each kind of record is read, whatever stands in the name', async () => {
  const plain = (xy: string, path: string | Buffer, sub = 'N...'): Buffer =>
    Buffer.concat([Buffer.from(`1 ${xy} ${sub} 100644 100644 100644 ${oid} ${oid} `), Buffer.from(path)]);
  const table: [string, Buffer, string[]][] = [
    ['changed only in the folder', bytes(plain('.M', 'a')), ['- modified "a"']],
    ['staged', bytes(plain('A.', 'a')), ['added - "a"']],
    ['both', bytes(plain('MD', 'a')), ['modified deleted "a"']],
    ['type', bytes(plain('.T', 'a')), ['- type-changed "a"']],
    ['spaces and quotes', bytes(plain('.M', ' a "b" \' c ')), ['- modified " a \\"b\\" \' c "']],
    ['line break', bytes(plain('.M', 'a\nb')), ['- modified "a\\nb"']],
    ['dash and emoji', bytes('? -rf', '? 🎉/é'), ['- untracked "-rf"', '- untracked "🎉/é"']],
    [
      'not UTF-8',
      bytes(Buffer.concat([Buffer.from('? d/'), Buffer.of(0x63, 0xe9, 0xff), Buffer.from('é')])),
      ['- untracked "d/c\\\\xe9\\\\xffé" raw'],
    ],
    ['cut UTF-8', bytes(Buffer.concat([Buffer.from('? '), Buffer.of(0xf0, 0x9f, 0x8e)])), ['- untracked "\\\\xf0\\\\x9f\\\\x8e" raw']],
    ['renamed', bytes(`2 R. N... 100644 100644 100644 ${oid} ${oid} R100 new name`, 'old name'), ['renamed - "new name" < "old name"']],
    [
      'renamed, then another',
      bytes(`2 R. N... 100644 100644 100644 ${oid} ${oid} R100 b`, '? a', '? c'),
      ['renamed - "b" < "? a"', '- untracked "c"'],
    ],
    ['copied', bytes(`2 .C N... 100644 100644 100644 ${oid} ${oid} C75 b`, 'a'), ['- copied "b" < "a"']],
    ['in conflict', bytes(`u UU N... 100644 100644 100644 100644 ${oid} ${oid} ${oid} a b`), ['unmerged unmerged "a b"']],
    ['submodule', bytes(plain('.M', 'lib', 'SC..')), ['- modified "lib" sub']],
    ['ignored', bytes('! out/'), ['- ignored "out" folder']],
    ['unknown kinds are passed over', bytes('# other 3', 'Z what', '? a'), ['- untracked "a"']],
    ['cut off in the middle', bytes('? a').subarray(0, -1), []],
    ['a rename cut off before its origin', bytes(`2 R. N... 100644 100644 100644 ${oid} ${oid} R100 b`), []],
    ['nothing', bytes(), []],
  ];
  for (const [name, output, expected] of table) assert.deepEqual(await lines(output), expected, name);
});

test('paths are told relative to the workspace, and those outside of it are not told', async () => {
  const output = bytes('? app/a', '? other/a', '? app/', '? apple', `2 R. N... 1 1 1 ${oid} ${oid} R100 app/b`, 'other/b');
  assert.deepEqual(await lines(output, Buffer.from('app/')), ['- untracked "a"', 'renamed - "b"']);
});

test('the branch is read from the headers', async () => {
  const head = async (...headers: string[]): Promise<object> => {
    const { entries: _, stashes: __, ...facts } = await parseStatus(bytes(...headers.map((header) => `# branch.${header}`)), none);
    return facts;
  };
  assert.deepEqual(await head(`oid ${oid}`, 'head main', 'upstream origin/main', 'ab +2 -1'), {
    head: oid,
    branch: 'main',
    upstream: 'origin/main',
    ahead: 2,
    behind: 1,
  });
  assert.deepEqual(await head('oid (initial)', 'head main'), { head: null, branch: 'main' });
  assert.deepEqual(await head(`oid ${oid}`, 'head (detached)'), { head: oid, branch: null });
  assert.deepEqual(await head(`oid ${oid}`, 'head x', 'upstream gone/x'), { head: oid, branch: 'x', upstream: 'gone/x' });
});

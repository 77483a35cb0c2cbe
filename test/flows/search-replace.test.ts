import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { OutriggerError } from '../../src/contract/errors.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const tree: Record<string, string | Buffer> = {
  'a.ts': 'loan(1);\nloan(2); loan(3);\n',
  'b/c.py': 'def loan(x):\r\n    return loan\r\n',
  'bom.txt': '\ufeffloan\n',
  'latin1.txt': Buffer.from('caf\xe9 loan\n', 'latin1'),
  'utf16.txt': Buffer.from('\ufeffloan\n', 'utf16le'),
  'other.md': 'nothing here\n',
  '.gitignore': 'ignored.txt\n',
  'ignored.txt': 'loan\n',
};

function withTree(
  run: (running: RunningSidecar) => Promise<void>,
  extra: Record<string, string | Buffer> = {},
  config: NonNullable<SidecarSetup['config']> = {},
): Promise<void> {
  return withSidecar(
    async (running) => {
      await running.client.call('index.wait', {});
      await run(running);
    },
    {
      config,
      prepare: (root) => {
        for (const [name, content] of Object.entries({ ...tree, ...extra })) {
          fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
          fs.writeFileSync(path.join(root, name), content);
        }
        fs.mkdirSync(path.join(root, '.git'));
      },
    },
  );
}

const reasonOf = (reason: string) => (error: OutriggerError) => {
  assert.equal(error.reason, reason, error.message);
  return true;
};

test('a text is replaced in all files that have it, byte for byte, and taken back by one batch', () =>
  withTree(async ({ client, root, file }) => {
    const before = new Map(Object.keys(tree).map((name) => [name, fs.readFileSync(path.join(root, name))]));
    const done = await client.call('search.replace', { pattern: 'loan', replace: '$1 $$', returnBefore: true });
    assert.equal(done.matches, 7);
    assert.deepEqual(
      done.files.map(({ path: name, matches }) => `${name} ${matches}`),
      ['a.ts 3', 'b/c.py 2', 'bom.txt 1', 'latin1.txt 1'],
    );
    assert.deepEqual(
      done.skipped.map(({ path: name }) => name),
      ['utf16.txt'],
    );
    assert.equal(file('a.ts'), '$1 $$(1);\n$1 $$(2); $1 $$(3);\n', 'a text is taken as it stands, dollars and all');
    assert.equal(file('b/c.py'), 'def $1 $$(x):\r\n    return $1 $$\r\n');
    assert.equal(file('bom.txt'), '\ufeff$1 $$\n');
    assert.deepEqual(fs.readFileSync(path.join(root, 'latin1.txt')), Buffer.from('caf\xe9 $1 $$\n', 'latin1'));
    assert.equal(file('ignored.txt'), 'loan\n');
    const { changes } = await client.call('changes.since', { limit: 4 });
    assert.deepEqual(new Set(changes.map(({ revision }) => revision)).size, 4);

    await client.call('files.batch', { changes: done.undo ?? [] });
    for (const [name, bytes] of before) assert.deepEqual(fs.readFileSync(path.join(root, name)), bytes, name);
    await assert.rejects(client.call('files.batch', { changes: done.undo ?? [] }), reasonOf('ETAG_MISMATCH'));
  }));

test('groups of a regular expression stand in what a match becomes, and search.text shows it before', () =>
  withTree(async ({ client, file }) => {
    const question = { pattern: '(?<name>lo\\w+)\\((\\d)\\)', regex: true, replace: '${name}Of($2, $$0)', include: ['*.ts'] };
    const stream = client.stream('search.text', question);
    const shown: string[][] = [];
    for await (const { lines } of stream) shown.push(...lines.map(({ replacements }) => replacements ?? []));
    assert.deepEqual(shown, [['loanOf(1, $0)'], ['loanOf(2, $0)', 'loanOf(3, $0)']]);
    const dry = await client.call('search.replace', { ...question, dryRun: true });
    assert.equal(dry.matches, 3);
    assert.equal(file('a.ts'), tree['a.ts'], 'only looked at');
    await client.call('search.replace', question);
    assert.equal(file('a.ts'), 'loanOf(1, $0);\nloanOf(2, $0); loanOf(3, $0);\n');
    // Over several lines, and to nothing.
    await client.call('search.replace', { pattern: ';\\nloan', regex: true, multiline: true, replace: '' });
    assert.equal(file('a.ts'), 'loanOf(1, $0)Of(2, $0); loanOf(3, $0);\n');
  }));

test('files and lines can be left out; what would become the same is not written', () =>
  withTree(async ({ client, file }) => {
    const done = await client.call('search.replace', {
      pattern: 'loan',
      replace: 'lend',
      except: [{ path: 'b/c.py' }, { path: 'a.ts', line: 2 }],
    });
    assert.deepEqual(
      done.files.map(({ path: name, matches }) => `${name} ${matches}`),
      ['a.ts 1', 'bom.txt 1', 'latin1.txt 1'],
    );
    assert.equal(file('a.ts'), 'lend(1);\nloan(2); loan(3);\n');
    assert.equal(file('b/c.py'), tree['b/c.py']);
    const same = await client.call('search.replace', { pattern: 'lend', replace: 'lend' });
    assert.deepEqual([same.matches, same.files], [0, []]);
    const none = await client.call('search.replace', { pattern: 'nowhere to be found', replace: 'x' });
    assert.deepEqual([none.matches, none.files, none.skipped], [0, [], []]);
  }));

test('what changed since it was looked at is not touched, nor is anything else then', () =>
  withTree(async ({ client, file }) => {
    const stream = client.stream('search.text', { pattern: 'loan' });
    for await (const _ of stream);
    const { revision } = await stream.end;
    await client.call('files.write', { path: 'other.md', text: 'has nothing to do with it\n' });
    await client.call('files.write', { path: 'b/c.py', text: 'loan = another\n' });
    const question = { pattern: 'loan', replace: 'lend', ifRevision: revision };
    await assert.rejects(client.call('search.replace', question), (error: OutriggerError) => {
      assert.equal(error.reason, 'ETAG_MISMATCH');
      assert.match(error.message, /b\/c\.py changed since/);
      return true;
    });
    assert.equal(file('a.ts'), tree['a.ts']);
    await client.call('search.replace', { ...question, except: [{ path: 'b/c.py' }] });
    assert.match(file('a.ts'), /^lend/);
  }));

test('a file too large to be changed, or with a line too long to be told, is left alone and named (long form)', () =>
  withTree(
    async ({ client, file }) => {
      const done = await client.call('search.replace', { pattern: 'loan', replace: 'lend', include: ['*.ts', '*.big'] });
      assert.deepEqual(
        done.files.map(({ path: name }) => name),
        ['a.ts'],
      );
      assert.deepEqual(done.skipped.map(({ path: name, why }) => `${name}: ${why.slice(0, 20)}`).sort(), [
        'line.big: It has a line that i',
        'size.big: It is larger than 16',
      ]);
      assert.ok(file('line.big').startsWith('loan'));
    },
    { 'size.big': `loan\n${'x\n'.repeat(9_000_000)}`, 'line.big': `loan ${'y'.repeat(6_000_000)}\n` },
  ));

test('what another program wrote in place a moment before is a change since it was looked at (long form)', () =>
  withTree(
    async ({ client, root, file, put }) => {
      const written = 'another program: loan loan\n';
      for (const round of [1, 2, 3]) {
        put('a.ts', `loan ${round}\n`);
        await client.call('index.wait', {});
        const { revision } = await client.call('search.text', { pattern: 'loan', include: ['a.ts'] });
        fs.writeFileSync(path.join(root, 'a.ts'), written);
        const question = { pattern: 'loan', replace: 'lend', include: ['a.ts'], ifRevision: revision };
        await assert.rejects(client.call('search.replace', question), reasonOf('ETAG_MISMATCH'));
        assert.equal(file('a.ts'), written);
      }
    },
    {},
    { 'watch.settleMs': '300' },
  ));

test('whether a file changed since is known without waiting for what else is written in the folder (long form)', () =>
  withTree(
    async ({ client, root }) => {
      const { revision } = await client.call('search.text', { pattern: 'loan' });
      // What another program writes in place is known when it stood still.
      fs.writeFileSync(path.join(root, 'other.log'), 'line\n');
      const told: string[] = [];
      const all = client.call('index.wait', {}).then(() => void told.push('all'));
      const question = { pattern: 'loan', replace: 'lend', include: ['a.ts'], ifRevision: revision, dryRun: true };
      assert.equal((await client.call('search.replace', question)).matches, 3);
      told.push('these');
      await all;
      assert.deepEqual(told, ['these', 'all']);
    },
    {},
    { 'watch.settleMs': '1000' },
  ));

test('more than 500,000 places, or more than a batch holds of what they become, are refused, and nothing is replaced (long form)', () =>
  withTree(
    async ({ client, file }) => {
      for (const dryRun of [true, false])
        await assert.rejects(
          client.call('search.replace', { pattern: 'a', replace: 'b', include: ['*.csv'], dryRun }),
          (error: OutriggerError) => {
            assert.equal(error.reason, 'OUTPUT_TOO_LARGE');
            assert.match(error.message, /500000 places/);
            return true;
          },
        );
      assert.ok(file('1.csv').startsWith('aaa') && file('2.csv').startsWith('aaa'));
      const long = { pattern: 'needle', replace: 'x'.repeat(10_000), include: ['*.long'] };
      await assert.rejects(client.call('search.replace', long), reasonOf('OUTPUT_TOO_LARGE'));
      assert.ok(file('lines.long').startsWith('needle\n'));
    },
    {
      '1.csv': `${'a'.repeat(999)}\n`.repeat(251),
      '2.csv': `${'a'.repeat(999)}\n`.repeat(251),
      'lines.long': 'needle\n'.repeat(6_800),
    },
  ));

test('a file too large to be changed is left alone before its places are counted (long form)', () =>
  withTree(
    async ({ client }) => {
      // In a smaller one so many places are refused.
      const question = { pattern: 'a', replace: 'b', include: ['*.csv'], dryRun: true };
      const done = await client.call('search.replace', question);
      assert.deepEqual(done.skipped, [{ path: 'size.csv', why: 'It is larger than 16777216 bytes.' }]);
    },
    { 'size.csv': `${'a'.repeat(999)}\n`.repeat(501) + 'y\n'.repeat(8_500_000) },
  ));

test('what it would take to undo is refused where it is more than a batch holds (long form)', () => {
  const lines = `${'q'.repeat(100_000)}\n`.repeat(150);
  return withTree(
    async ({ client, file }) => {
      const question = { pattern: 'q+', regex: true, replace: '', include: ['*.wide'], returnBefore: true };
      await assert.rejects(client.call('search.replace', question), reasonOf('OUTPUT_TOO_LARGE'));
      assert.ok(file('0.wide').startsWith('qqq'));
    },
    Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`${at}.wide`, lines])),
  );
});

test('a file whose name is not UTF-8 is left alone and named', { skip: process.platform !== 'linux' }, () =>
  withTree(async ({ client, root, file }) => {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/bad`), Buffer.from([0xff]), Buffer.from('.ts')]), 'loan\n');
    await client.call('index.wait', {});
    const done = await client.call('search.replace', { pattern: 'loan', replace: 'lend', include: ['*.ts'] });
    assert.deepEqual(done.skipped, [{ path: 'bad\ufffd.ts', why: 'Its name is not UTF-8.' }]);
    assert.match(file('a.ts'), /^lend/);
  }),
);

test('half a character is no pattern, no replacement and no glob', () =>
  withTree(async ({ client, file }) => {
    const half = '\ud800';
    for (const input of [{ replace: `x${half}y` }, { pattern: half }, { include: [`*.${half}`] }])
      await assert.rejects(
        client.call('search.replace', { pattern: 'loan', replace: '', ...input }),
        (error: OutriggerError) => {
          assert.equal(error.reason, 'BAD_INPUT');
          assert.match(error.message, /lone surrogate/);
          return true;
        },
        JSON.stringify(input),
      );
    for (const input of [{ pattern: half }, { pattern: 'loan', replace: half }])
      await assert.rejects(client.call('search.text', input), reasonOf('BAD_INPUT'), JSON.stringify(input));
    assert.equal(file('a.ts'), tree['a.ts']);
    const done = await client.call('search.replace', { pattern: 'loan', replace: '😀', include: ['*.ts'] });
    assert.equal(done.matches, 3, 'a whole one is');
  }));

test('unsaved typing in an open document is replaced in too, and stays', () =>
  withTree(async ({ client, file }) => {
    await client.call('files.edit', { path: 'a.ts', edits: [{ find: 'loan(1)', replace: 'loan(10)' }] });
    const done = await client.call('search.replace', { pattern: 'loan(10)', replace: 'lend(10)' });
    assert.equal(done.matches, 1);
    assert.equal(file('a.ts'), 'lend(10);\nloan(2); loan(3);\n');
  }));

test('while somebody types on and on in one of the files all are replaced in, and nothing that was typed is lost', () =>
  withTree(
    async ({ client, url, token, file }) => {
      const person = openYjsClient(url, { token, room: 'a.ts' });
      await person.synced();
      const { text } = person;
      let typed = '';
      const typing = setInterval(() => {
        const letter = String(typed.length % 10);
        typed += letter;
        text.insert(text.toString().indexOf('// ') + 2 + typed.length, letter);
      }, 5);
      try {
        for (const [from, to] of [
          ['loan', 'lending'],
          ['lending', 'l'],
          ['l\\b', 'loan'],
        ] as const) {
          const done = await client.call('search.replace', { pattern: from, replace: to, regex: true, include: ['*.ts'] });
          assert.equal(done.matches, 43);
          assert.equal(file('many/7.ts'), `${to}\n`);
        }
        clearInterval(typing);
        const wanted = `// ${typed}\nloan(1);\nloan(2); loan(3);\n`;
        await eventually(() => text.toString() === wanted && file('a.ts') === wanted);
        assert.ok(typed.length > 10, 'somebody typed');
      } finally {
        clearInterval(typing);
        person.destroy();
      }
    },
    {
      'a.ts': `// \n${tree['a.ts'] as string}`,
      ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`many/${index}.ts`, 'loan\n'])),
    },
  ));

test('a malformed pattern, too many files and who may only read are refused (long form)', () =>
  withTree(
    async ({ client, clientOf, file }) => {
      await assert.rejects(client.call('search.replace', { pattern: 'a(', regex: true, replace: '' }), reasonOf('BAD_PATTERN'));
      const withNul = [{ pattern: 'a\0b' }, { pattern: 'a', replace: '\0' }, { pattern: 'a', include: ['*.\0'] }];
      for (const input of withNul)
        await assert.rejects(client.call('search.replace', { replace: '', ...input }), reasonOf('BAD_INPUT'), JSON.stringify(input));
      await assert.rejects(client.call('search.replace', { pattern: 'many', replace: '' }), reasonOf('OUTPUT_TOO_LARGE'));
      const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read' });
      await assert.rejects(clientOf(secret).call('search.replace', { pattern: 'loan', replace: 'x' }), reasonOf('ACCESS_DENIED'));
      assert.equal(file('a.ts'), tree['a.ts']);
    },
    Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`many/${index}.txt`, 'many\n'])),
  ));

test('what a replacement can not be written to is left alone with its reason, and all else is replaced', () =>
  withTree(
    async ({ client, root, file }) => {
      fs.linkSync(path.join(root, 'other.md'), path.join(root, 'second.md'));
      await client.call('index.wait', {});
      const question = { pattern: '漢字', replace: 'Kanji' };
      const done = await client.call('search.replace', question);
      assert.deepEqual(
        done.files.map(({ path: name }) => name),
        ['plain.txt'],
      );
      const marked = 'It is binary, or UTF-16.';
      assert.deepEqual(
        done.skipped.sort((a, b) => (a.path < b.path ? -1 : 1)),
        [
          { path: 'big-endian.txt', why: marked },
          { path: 'little-endian.txt', why: marked },
        ],
      );
      const linked = await client.call('search.replace', { pattern: 'nothing here', replace: 'something' });
      assert.deepEqual([linked.matches, linked.files], [0, []]);
      const why = 'It has 2 names (hard links), which a replacement would part.';
      assert.deepEqual(
        linked.skipped.sort((a, b) => (a.path < b.path ? -1 : 1)),
        [
          { path: 'other.md', why },
          { path: 'second.md', why },
        ],
      );
      assert.equal(file('second.md'), tree['other.md']);
      assert.equal(fs.statSync(path.join(root, 'second.md')).nlink, 2);
      // Where nothing would be another, there is nothing to be left alone.
      assert.deepEqual((await client.call('search.replace', { pattern: 'nothing here', replace: 'nothing here' })).skipped, []);
    },
    {
      // Without a letter, a space or a line break there is no NUL in them.
      'little-endian.txt': Buffer.from('\ufeff漢字漢字', 'utf16le'),
      'big-endian.txt': Buffer.from('\ufeff漢字漢字', 'utf16le').swap16(),
      'plain.txt': 'die 漢字\n',
    },
  ));

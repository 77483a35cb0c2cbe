import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { FewFiles } from './file-grams.ts';
import { AnsweringThread } from './index-thread.ts';

test('few small files are read at once as a thread would read them; more, larger ones and what can not be read are left to it', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-few-files-'));
  const thread = new AnsweringThread({ root, folder: root, maxFileBytes: 1_000_000, partBytes: 4096, sequence: 1, name: 'test' });
  const small: Record<string, string | Buffer> = {
    'a.txt': 'some needle\n',
    'empty.txt': '',
    'ümlaut.txt': '\ufeffgröße '.repeat(5000),
    binary: 'a\0b',
    'wide.txt': Buffer.from('\ufeffwide needle', 'utf16le'),
    'full.txt': 'x'.repeat(64 * 1024),
  };
  try {
    for (const [name, content] of Object.entries(small)) {
      fs.writeFileSync(path.join(root, name), content);
      fs.utimesSync(path.join(root, name), 1000, 1000);
    }
    fs.writeFileSync(path.join(root, 'large.txt'), 'x'.repeat(64 * 1024 + 1));
    fs.mkdirSync(path.join(root, 'folder'));
    const few = new FewFiles({ root, maxFileBytes: 1_000_000 });
    const names = [...Object.keys(small), 'gone.txt'];
    for (const some of [names.slice(0, 4), names.slice(4)]) assert.deepEqual(few.read(some), await thread.index(some));
    for (const more of [names.slice(0, 5), ['a.txt', 'large.txt'], ['folder']]) assert.equal(few.read(more), undefined, more.join());
    assert.equal(new FewFiles({ root, maxFileBytes: 5 }).read(['a.txt']), undefined);
  } finally {
    await thread.stop();
    fs.rmSync(root, { recursive: true, force: true });
  }
});

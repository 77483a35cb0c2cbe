import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { RotatingFile } from './rotating-file.ts';

function withFolder(run: (folder: string) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-rotating-'));
  try {
    run(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('a full file is put aside, only so many are kept, and no line is cut', () => {
  withFolder((folder) => {
    const file = path.join(folder, 'logs/link.log');
    const log = new RotatingFile({ file, maxBytes: 30, keep: 2, onProblem: (error) => assert.fail(error) });
    for (let n = 1; n <= 12; n++) log.write(`line ${String(n).padStart(4, '0')}\n`);
    log.close();
    assert.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ['link.log', 'link.log.1', 'link.log.2']);
    assert.equal(fs.readFileSync(file, 'utf8'), 'line 0010\nline 0011\nline 0012\n');
    assert.equal(fs.readFileSync(`${file}.2`, 'utf8'), 'line 0004\nline 0005\nline 0006\n');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  });
});

test('a file of an earlier run is gone on with, and put aside when it is full already', () => {
  withFolder((folder) => {
    const file = path.join(folder, 'link.log');
    const options = { file, maxBytes: 10, keep: 5, onProblem: (error: Error) => assert.fail(error) };
    fs.writeFileSync(file, 'old\n');
    const first = new RotatingFile(options);
    first.write('new\n');
    first.close();
    assert.equal(fs.readFileSync(file, 'utf8'), 'old\nnew\n');
    fs.writeFileSync(file, 'full of what was\n');
    const second = new RotatingFile(options);
    second.write('new\n');
    second.close();
    assert.equal(fs.readFileSync(file, 'utf8'), 'new\n');
    assert.equal(fs.readFileSync(`${file}.1`, 'utf8'), 'full of what was\n');
  });
});

test('where nothing can be written it says so once and goes on when it can', () => {
  withFolder((folder) => {
    const problems: Error[] = [];
    const blocked = path.join(folder, 'blocked');
    fs.writeFileSync(blocked, '');
    const log = new RotatingFile({
      file: path.join(blocked, 'link.log'),
      maxBytes: 100,
      keep: 1,
      onProblem: (error) => problems.push(error),
    });
    log.write('a\n');
    log.write('b\n');
    assert.equal(problems.length, 1);
    fs.rmSync(blocked);
    log.write('c\n');
    log.close();
    assert.equal(fs.readFileSync(path.join(blocked, 'link.log'), 'utf8'), 'c\n');
  });
});

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { requireTool } from '../kit/require-tools.ts';
import { main } from '../kit/command.ts';

const questions = [
  { method: 'ping' },
  { method: 'readFile', params: { path: 'src/a.ts' } },
  { method: 'stat', params: { path: 'src' } },
  { method: 'hashFile', params: { path: 'src/a.ts' } },
  { method: 'index.wait', params: {} },
  { method: 'search', params: { pattern: 'needle' } },
  { method: 'search', params: { pattern: 'needl.', regex: true, caseSensitive: false } },
  { method: 'search', params: { pattern: 'needle', include: '*.ts' } },
  { method: 'glob', params: { pattern: '*.ts' } },
  { method: 'outline', params: { path: 'src/a.ts' } },
  { method: 'search.symbols', params: { query: 'needle' } },
  { method: 'git.status', params: {} },
  { method: 'files.write', params: { path: 'refused.txt', text: 'x' } },
];
/** Calls that change something, whatever their arguments. */
const changing =
  /^(unlink|unlinkat|rename|renameat|renameat2|mkdir|mkdirat|rmdir|link|linkat|symlink|symlinkat|truncate|ftruncate|fallocate|chmod|fchmod|fchmodat|fchmodat2|chown|fchown|lchown|fchownat|utimensat|utime|utimes|futimesat|setxattr|lsetxattr|fsetxattr|removexattr|mknod|mknodat|creat)\(/;

test('a whole session of the child process, its ripgrep and git included, makes no call that could write below its root', {
  skip: requireTool('strace', 'git'),
}, async () => {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-strace-'));
  const root = path.join(folder, 'root');
  const trace = path.join(folder, 'trace');
  fs.mkdirSync(path.join(root, 'src'), { recursive: true });
  fs.writeFileSync(path.join(root, 'src/a.ts'), 'export const needle = 1;\n');
  execFileSync('git', ['init', '-q', root]);
  try {
    const child = spawn(
      'strace',
      ['-f', '-qq', '-y', '-e', 'trace=%file,%desc', '-o', trace, process.execPath, main, 'stdio', '--root', root],
      {
        env: { PATH: process.env['PATH'], HOME: folder, XDG_STATE_HOME: path.join(folder, 'state') },
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (const [id, question] of questions.entries()) {
      child.stdin.write(`${JSON.stringify({ id: String(id), params: {}, ...question })}\n`);
      const { value } = await answers.next();
      const answer = JSON.parse(value as string) as { id: string; ok: boolean };
      assert.equal(answer.ok, question.method !== 'files.write', value as string);
    }
    child.stdin.end();
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
    const calls = fs.readFileSync(trace, 'utf8').split('\n');
    assert.ok(
      calls.some((line) => /execve\("[^"]*rg"/.test(line)),
      'ripgrep ran',
    );
    assert.ok(
      calls.some((line) => line.includes(`${root}/src/a.ts`)),
      'paths can be told',
    );
    assert.deepEqual(
      calls.map(callOf).filter((call) => couldWrite(call, root)),
      [],
    );
    // The same look finds what does write.
    assert.ok(couldWrite(`openat(AT_FDCWD<${root}>, "x", O_WRONLY|O_CREAT, 0666) = 3<${root}/x>`, root));
    assert.ok(couldWrite(`unlinkat(AT_FDCWD</>, "${root}/x", 0) = 0`, root));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** Without the number of the process before it. */
function callOf(line: string): string {
  return line.replace(/^\d+\s+/, '').replace(/^<\.\.\. (\w+) resumed>/, '$1(');
}

function couldWrite(call: string, root: string): boolean {
  if (!call.includes(root)) return false;
  // Named from the folder, but elsewhere: `/dev/null`.
  const named = /"(\/[^"]*)"/.exec(call)?.[1];
  if (named !== undefined && !named.startsWith(root)) return false;
  if (changing.test(call)) return true;
  if (/^(open|openat|openat2)\(/.test(call)) return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE/.test(call);
  return /^(p?write(v|64|v2)?|sendfile|copy_file_range)\(\d+<(?=[^>]*)/.test(call) && call.slice(call.indexOf('<') + 1).startsWith(root);
}

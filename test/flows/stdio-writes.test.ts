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
    // Without the number of the process before it, or the end of one that waited, whose names stand at its beginning.
    const calls = fs
      .readFileSync(trace, 'utf8')
      .split('\n')
      .map((line) => line.replace(/^\d+\s+/, ''))
      .filter((line) => !line.startsWith('<... '));
    assert.ok(
      calls.some((line) => /execve\("[^"]*rg"/.test(line)),
      'ripgrep ran',
    );
    assert.ok(
      calls.some((line) => line.includes(`${root}/src/a.ts`)),
      'paths can be told',
    );
    assert.deepEqual(
      calls.filter((call) => couldWrite(call, root)),
      [],
    );
    // The same look finds what does write.
    assert.ok(couldWrite(`openat(AT_FDCWD<${root}>, "x", O_WRONLY|O_CREAT, 0666) = 3<${root}/x>`, root));
    for (const call of [
      `unlinkat(AT_FDCWD</>, "${root}/x", 0)`,
      `rename("/elsewhere/x", "${root}/x")`,
      `renameat2(AT_FDCWD</elsewhere>, "x", 5<${root}/src>, "x", RENAME_NOREPLACE)`,
      `symlink("/elsewhere/x", "${root}/x")`,
      `linkat(AT_FDCWD</>, "/elsewhere/x", AT_FDCWD<${root}>, "x", 0)`,
      `mkdir("x", 0777)`,
      `fchmod(5<${root}/src/a.ts>, 0600)`,
    ])
      assert.ok(couldWrite(`${call} = 0`, root), call);
    for (const call of [`rename("/elsewhere/x", "/elsewhere/y")`, `mkdirat(AT_FDCWD<${root}>, "/elsewhere/x", 0777)`])
      assert.ok(!couldWrite(`${call} = 0`, root), call);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

function couldWrite(call: string, root: string): boolean {
  const below = (place: string): boolean => place === root || place.startsWith(`${root}/`);
  if (changing.test(call)) return placesOf(call).some((place) => place === undefined || below(place));
  if (/^(open|openat|openat2)\(/.test(call))
    return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE/.test(call) && placesOf(call).some((place) => place === undefined || below(place));
  return /^(p?write(v|64|v2)?|sendfile|copy_file_range)\(\d+</.test(call) && below(call.slice(call.indexOf('<') + 1));
}

/** What a call names, or has open where it names nothing. Undefined: by the folder that it is called in, which the trace does not tell. */
function placesOf(call: string): (string | undefined)[] {
  const named = [...call.matchAll(/(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"/g)].map(([, from, name = '']) =>
    name.startsWith('/') ? name : from && path.join(from, name),
  );
  // What a link holds, and what an attribute is called, is no place.
  if (/^symlink/.test(call)) named.shift();
  if (/xattr\(/.test(call)) named.splice(1);
  return named.length > 0 ? named : [/^\w+\(\d+<([^>]*)>/.exec(call)?.[1]];
}

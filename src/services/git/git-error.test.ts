import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitError, networkError, redact } from './git-error.ts';
import { revisionProblem } from './revision.ts';

test('what git says becomes a reason', () => {
  const table: [string, string, RegExp][] = [
    ["fatal: Unable to create '/x/y/.git/index.lock': File exists.\n\nAnother git process…", 'GIT_LOCKED', /index\.lock/],
    ["error: cannot lock ref 'HEAD': Unable to create '/x/.git/HEAD.lock': File exists.", 'GIT_LOCKED', /HEAD\.lock/],
    ['fatal: not a git repository (or any of the parent directories): .git', 'NO_REPOSITORY', /no git repository/],
    ['fatal: not a git repository: /gone/.git/worktrees/w', 'GIT_FAILED', /not a git repository: \/gone/],
    ["fatal: detected dubious ownership in repository at '/x'", 'GIT_FAILED', /safe\.directory/],
    ["warning: LF\nfatal: bad revision 'x'", 'GIT_FAILED', /diff: bad revision 'x'/],
    ["fatal: sha1 file '.git/index.lock' write error. Out of diskspace", 'DISK_FULL', /disk of the repository is full/],
    ['fatal: unable to write loose object file: No space left on device', 'DISK_FULL', /disk of the repository is full/],
    ["error: copy-fd: write returned: Disk quota exceeded\nfatal: cannot copy 'a'", 'DISK_FULL', /disk of the repository is full/],
    [
      "fatal: cannot update ref 'refs/heads/main': couldn't write '.git/refs/heads/main.lock'",
      'DISK_FULL',
      /disk of the repository is full/,
    ],
    ["remote: error: couldn't write '/x/refs/heads/main.lock'\nerror: failed to push", 'GIT_FAILED', /failed to push/],
    ['remote: fatal: write error: No space left on device\nerror: remote unpack failed', 'GIT_FAILED', /remote unpack failed/],
    [`${'downloading\n'.repeat(1000)}fatal: a.bin: smudge filter lfs failed`, 'GIT_FAILED', /^diff: a\.bin: smudge filter lfs failed$/],
    ['Applying: two\nNo changes - did you forget to use the index?\nIf there is nothing', 'GIT_FAILED', /^diff: No changes/],
    ['', 'GIT_FAILED', /git ended with 7/],
  ];
  for (const [stderr, reason, message] of table) {
    const error = gitError('diff', 7, stderr);
    assert.equal(error.reason, reason, stderr);
    assert.match(error.message, message);
  }
  assert.ok(!gitError('commit', 1, "fatal: Unable to create '/secret/place/.git/index.lock': File exists.").message.includes('/secret'));
});

test('secrets in addresses are not passed on', () => {
  const table: [string, string][] = [
    ["unable to access 'https://ann:s3cret@example.org/r.git/'", "unable to access 'https://[redacted]@example.org/r.git/'"],
    ['ssh://git@example.org/x', 'ssh://[redacted]@example.org/x'],
    ["'https://ann:p@ss'w\"ord@example.org/r'", "'https://[redacted]@example.org/r'"],
    ['https://x/y?access_token=abc&z=1', 'https://x/y?access_token=[redacted]&z=1'],
    ['mail ann@example.org about https://x/y', 'mail ann@example.org about https://x/y'],
  ];
  for (const [text, expected] of table) assert.equal(redact(text), expected);
});

test('all that a command may say is looked through at once, whatever a hook or the other side wrote', () => {
  const full = 1024 * 1024;
  const said = ['.F', '[rejected] ', '[remote rejected] (', 'Permission denied (', '://', "Unable to create '"];
  for (const piece of said) {
    const stderr = Buffer.from(piece.repeat(Math.ceil(full / piece.length)).slice(0, full));
    const began = performance.now();
    assert.equal(gitError('commit', 1, stderr.toString()).reason, 'GIT_FAILED', piece);
    assert.equal(networkError('push', { exitCode: 1, stdout: Buffer.alloc(0), stderr }).reason, 'GIT_FAILED', piece);
    assert.ok(performance.now() - began < 1000, `${piece}: ${Math.round(performance.now() - began)} ms`);
  }
});

test('only what can be nothing but a commit is taken for a revision', () => {
  for (const good of ['HEAD', 'HEAD~3', 'v1.0^{}', 'main@{upstream}', 'HEAD@{12:00}', 'HEAD^{/fix: it}', 'a..b', '@', 'feature/x'])
    assert.equal(revisionProblem(good), undefined, good);
  for (const bad of ['', '-p', '--output=/tmp/x', 'HEAD:a', ':a', ':/text', 'HEAD@{0}:a', 'a\nb', 'a\0b', 'x'.repeat(1001)])
    assert.notEqual(revisionProblem(bad), undefined, bad);
});

// What callers who may not have programs run can make git run, or show them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { fails } from '../kit/workspace-harness.ts';

const skip = requireTool('git');
const author = { name: 'Pia', email: 'pia@example.com' };

function git(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-c', `user.name=${author.name}`, '-c', `user.email=${author.email}`, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
}

function repository(root: string, files: Record<string, string>): void {
  git(root, 'init', '-q', '-b', 'main');
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  git(root, 'add', '.');
  git(root, 'commit', '-qm', 'one');
}

/** Runs with the path of a file that any program of an attacker would make. */
function withMarker(run: (marker: string, root: string) => Promise<void>): Promise<void> {
  return withScratchFolder('git-callers', async (folder, root) => {
    const marker = path.join(folder, 'ran');
    await run(marker, root);
    assert.equal(fs.existsSync(marker), false, 'a program ran');
  });
}

async function callerOf({ client, clientOf }: RunningSidecar, access: 'write' | 'execute', paths?: string[]) {
  const { secret } = await client.call('tokens.create', {
    name: 'caller',
    kind: 'agent',
    access,
    ...(paths === undefined ? {} : { paths }),
  });
  return clientOf(secret);
}

for (const [where, above] of [
  ['in a folder of its own', false],
  ['in a folder of a larger repository', true],
] as const)
  test(`who may write makes the folder itself no repository whose config names programs, ${where}`, { skip }, () =>
    withMarker(async (marker, root) => {
      if (above) repository(path.dirname(root), { 'root/kept': 'kept\n' });
      await withSidecar(
        async (running) => {
          const writer = await callerOf(running, 'write');
          const config = `[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n[filter "f"]\n\tclean = "touch ${marker}; cat"\n`;
          const files = { HEAD: 'ref: refs/heads/main\n', config, '.gitattributes': '*.txt filter=f\n', 'a.txt': 'a\n' };
          for (const [name, text] of Object.entries(files)) await writer.call('files.write', { path: name, text });
          for (const name of ['objects', 'refs/heads']) await writer.call('files.mkdir', { path: name, parents: true });
          assert.equal((await writer.call('git.status', {})).repository, false);
          await fails('NO_REPOSITORY', () => writer.call('git.stage', { files: [{ path: 'a.txt' }] }));
          await fails('NO_REPOSITORY', () => writer.call('git.commit', { message: 'm', all: true, author }));
          await running.client.call('checkpoints.create', { title: 'kept' });
        },
        { workspace: root },
      );
    }),
  );

test('hooks run for callers who may execute, and for no others: what they do is often written in the folder', { skip }, () =>
  withScratchFolder('git-callers', (folder, root) => {
    const log = path.join(folder, 'hooks');
    const names = ['pre-commit', 'commit-msg', 'post-commit', 'post-checkout', 'post-merge', 'post-rewrite', 'prepare-commit-msg'];
    const hooks = names.map((name) => [`.husky/${name}`, `#!/bin/sh\necho ${name} >> ${log}\n`]);
    repository(root, { ...(Object.fromEntries(hooks) as Record<string, string>), a: 'a\n' });
    git(root, 'config', 'core.hooksPath', '.husky');
    return withSidecar(
      async (running) => {
        const writer = await callerOf(running, 'write');
        await writer.call('files.write', { path: 'a', text: 'by a writer\n' });
        assert.equal((await writer.call('git.commit', { message: 'two', all: true, author })).committed, true);
        await writer.call('git.branch', { action: 'create', name: 'side' });
        await writer.call('git.checkout', { to: 'side' });
        await writer.call('files.write', { path: 'b', text: 'b\n' });
        await writer.call('git.commit', { message: 'three', all: true, author });
        await writer.call('git.checkout', { to: 'main' });
        await writer.call('git.merge', { from: 'side' });
        assert.equal(fs.existsSync(log), false);
        const worker = await callerOf(running, 'execute');
        await worker.call('files.write', { path: 'a', text: 'by a worker\n' });
        await worker.call('git.commit', { message: 'four', all: true, author });
        assert.deepEqual(
          new Set(fs.readFileSync(log, 'utf8').trim().split('\n')),
          new Set(['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit']),
        );
      },
      { workspace: root, config: { 'watch.ignore': [] } },
    );
  }),
);

test('who is limited to some paths clones nothing of this machine: it would show all that was ever committed', { skip }, () =>
  withMarker(async (_marker, root) => {
    repository(root, { 'secret/key': 'TOPSECRET\n', 'box/mine': 'mine\n' });
    await withSidecar(
      async (running) => {
        const box = await callerOf(running, 'execute', ['box']);
        for (const url of [`file://${root}`, `file://${root}/.git`, `file://${root}/box/..`])
          await fails('OUT_OF_SCOPE', () => box.call('git.clone', { url, path: 'box/all' }));
        assert.deepEqual(fs.readdirSync(path.join(root, 'box')), ['mine']);
        const whole = await callerOf(running, 'execute');
        await whole.call('git.clone', { url: `file://${root}`, path: 'copy' });
        assert.equal(running.file('copy/secret/key'), 'TOPSECRET\n');
      },
      { workspace: root },
    );
  }),
);

/** For a caller limited to `box`: commits that touch it and commits that do not, by each other's names. */
function withHistory(
  run: (known: { box: Client<Operations>; whole: Client<Operations>; at: (revision: string) => string; root: string }) => Promise<void>,
): Promise<void> {
  return withScratchFolder('git-callers', async (_folder, root) => {
    const long = Array.from({ length: 30 }, (_, line) => `line ${line}\n`).join('');
    repository(root, { 'box/mine': 'mine\n' });
    const commitAll = (message: string): string => git(root, 'commit', '-qam', message, '--author=Secret <secret@example.com>');
    fs.mkdirSync(path.join(root, 'secret'));
    fs.writeFileSync(path.join(root, 'secret/plan'), long);
    git(root, 'add', '.');
    commitAll('the secret plan');
    git(root, 'tag', 'secret-tag');
    git(root, 'mv', 'secret/plan', 'box/plan');
    git(root, 'commit', '-qm', 'hand the plan over');
    git(root, 'branch', 'secret-branch');
    git(root, 'mv', 'box/plan', 'box/renamed');
    fs.appendFileSync(path.join(root, 'box/renamed'), 'more\n');
    git(root, 'commit', '-qam', 'rename and add');
    fs.writeFileSync(path.join(root, 'secret-other'), 'secret\n');
    git(root, 'add', '.');
    commitAll('another secret');
    fs.writeFileSync(path.join(root, 'secret-other'), 'changed\n');
    git(root, 'stash', '-q', '-m', 'secret changes');
    await withSidecar(
      async (running) =>
        run({
          box: await callerOf(running, 'write', ['box']),
          whole: running.client,
          at: (revision) => git(root, 'rev-parse', revision).trim(),
          root,
        }),
      { workspace: root },
    );
  });
}

test('of a commit that touches nothing of theirs, limited callers hear neither what it says nor who made it', { skip }, () =>
  withHistory(async ({ box, whole, at }) => {
    for (const revision of ['HEAD', 'secret-tag', at('secret-tag'), 'stash@{0}']) {
      await fails('OUT_OF_SCOPE', () => box.call('git.commitInfo', { revision }));
      assert.notEqual((await whole.call('git.commitInfo', { revision })).commit.subject, '');
    }
    const { commits } = await box.call('git.log', { path: 'box' });
    assert.deepEqual(
      commits.map(({ subject }) => subject),
      ['rename and add', 'hand the plan over', 'one'],
    );
    for (const { hash } of commits) assert.ok((await box.call('git.commitInfo', { revision: hash })).files.length > 0);
  }),
);

test('limited callers find no commit by what it says', { skip }, () =>
  withHistory(async ({ box, whole }) => {
    const revision = 'HEAD^{/secret plan}';
    assert.equal((await whole.call('git.log', { path: 'box', from: revision })).commits.length, 1);
    await fails('OUT_OF_SCOPE', () => box.call('git.log', { path: 'box', from: revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.commitInfo', { revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.show', { path: 'box/mine', revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.blame', { path: 'box/mine', revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.diff', { path: 'box', from: revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.diff', { path: 'box', from: 'HEAD', to: revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.hunks', { path: 'box', commit: revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.hunks', { path: 'box', from: 'HEAD', to: revision }));
    await fails('OUT_OF_SCOPE', () => box.call('git.restore', { files: [{ path: 'box/mine' }], from: revision }));
  }),
);

test('limited callers are told of no other commits by a git that follows files to the names that they had', { skip }, () =>
  withHistory(async ({ box, root }) => {
    git(root, 'config', 'log.follow', 'true');
    const told = await box.call('git.log', { path: 'box/renamed' });
    assert.deepEqual(
      told.commits.map(({ subject }) => subject),
      ['rename and add'],
    );
  }),
);

test('limited callers are told of no other commit by a range that ends there', { skip }, () =>
  withHistory(async ({ box, whole, at }) => {
    const ranges = ['^HEAD', `^${at('HEAD')}`, 'secret-tag..HEAD', 'HEAD^!'];
    for (const revision of ranges)
      await fails('GIT_FAILED', () =>
        box.call('git.blame', { path: revision === 'secret-tag..HEAD' ? 'box/mine' : 'box/renamed', revision }),
      );
    for (const from of ranges.slice(0, 2)) {
      await fails('GIT_FAILED', () => box.call('git.diff', { path: 'box', from }));
      await fails('GIT_FAILED', () => box.call('git.show', { path: 'box/mine', revision: from }));
    }
    const subjects = async (from: string): Promise<string[]> =>
      (await whole.call('git.log', { from })).commits.map(({ subject }) => subject);
    assert.deepEqual(await subjects('secret-tag..HEAD~1'), ['rename and add', 'hand the plan over']);
    assert.deepEqual(await subjects('HEAD~2^!'), ['hand the plan over']);
    assert.deepEqual(await subjects('HEAD~2...secret-tag'), ['hand the plan over']);
  }),
);

test(
  'limited callers learn nothing of objects by their hashes, neither that they are there nor what commits of a short one say',
  { skip },
  () =>
    withScratchFolder('git-callers', async (_folder, root) => {
      repository(root, { 'box/mine': 'mine\n', 'secret/pin': '4711\n' });
      // Of so many some begin alike.
      const many = Array.from(
        { length: 1500 },
        (_, at) =>
          `commit refs/heads/main\ncommitter P <p@e> ${at} +0000\ndata 10\nsecret ${100 + (at % 800)}\n${at === 0 ? 'from refs/heads/main^0\n' : ''}`,
      );
      execFileSync('git', ['fast-import', '--quiet'], { cwd: root, input: many.join('\n') });
      const starts = git(root, 'rev-list', 'main')
        .split('\n')
        .map((hash) => hash.slice(0, 4));
      const twice = starts.find((start, at) => start !== '' && starts.indexOf(start) !== at);
      assert.ok(twice !== undefined);
      await withSidecar(
        async (running) => {
          const box = await callerOf(running, 'write', ['box']);
          for (const revision of [
            twice,
            git(root, 'rev-parse', 'HEAD:secret/pin').trim(),
            '1'.repeat(40),
            `${'1'.repeat(40)}..HEAD`,
            `${git(root, 'rev-parse', 'HEAD:secret/pin').trim()}..HEAD`,
          ])
            for (const asked of [
              () => box.call('git.log', { path: 'box', from: revision }),
              () => box.call('git.blame', { path: 'box/mine', revision }),
            ]) {
              const error = await fails('GIT_FAILED', asked);
              assert.deepEqual([error.message, error.details ?? null], [`There is no commit for ${revision}.`, null]);
            }
        },
        { workspace: root },
      );
    }),
);

test('limited callers hear no names of branches and tags but of the branch that they are on, as git.branches is not theirs', { skip }, () =>
  withHistory(async ({ box, whole, root }) => {
    const refs = async (client: Client<Operations>): Promise<string[]> =>
      (await client.call('git.log', { path: 'box' })).commits.flatMap((commit) => commit.refs);
    git(root, 'reset', '-q', '--hard', 'HEAD~1');
    assert.deepEqual(await refs(whole), ['HEAD -> main', 'secret-branch']);
    assert.deepEqual(await refs(box), ['HEAD -> main']);
    const { commit } = await box.call('git.commitInfo', { revision: 'HEAD~1' });
    assert.deepEqual([commit.subject, commit.refs], ['hand the plan over', []]);
    git(root, 'checkout', '-q', '--detach');
    assert.deepEqual(await refs(box), ['HEAD']);
  }),
);

test('lines that came to limited callers by a rename are told as those of the commit that made it', { skip }, () =>
  withHistory(async ({ box, whole, at }) => {
    const known = await whole.call('git.blame', { path: 'box/renamed' });
    assert.deepEqual(
      known.runs.map(({ lines, originalPath }) => [lines, originalPath]),
      [
        [30, 'secret/plan'],
        [1, 'box/renamed'],
      ],
    );
    const told = await box.call('git.blame', { path: 'box/plan', revision: 'HEAD~2' });
    const brought = at('HEAD~2');
    assert.deepEqual(told.runs, [{ start: 1, lines: 30, hash: brought, originalStart: 1, originalPath: 'box/plan' }]);
    assert.deepEqual(
      Object.entries(told.commits).map(([hash, { subject }]) => [hash, subject]),
      [[brought, 'hand the plan over']],
    );
    // Of what was renamed since, what brought it to its name.
    const { runs, commits } = await box.call('git.blame', { path: 'box/renamed', start: 29 });
    assert.deepEqual(runs, [{ start: 29, lines: 3, hash: at('HEAD~1'), originalStart: 29, originalPath: 'box/renamed' }]);
    assert.deepEqual(Object.keys(commits), [at('HEAD~1')]);
  }),
);

test('limited callers hear that a merge is under way, and not what it would say', { skip }, () =>
  withHistory(async ({ box, whole, root, at }) => {
    git(root, 'checkout', '-q', '-b', 'secret-side', 'HEAD~1');
    fs.writeFileSync(path.join(root, 'box/mine'), 'theirs\n');
    git(root, 'commit', '-qam', 'theirs');
    const theirs = at('HEAD');
    git(root, 'checkout', '-q', 'main');
    fs.writeFileSync(path.join(root, 'box/mine'), 'ours\n');
    git(root, 'commit', '-qam', 'ours');
    assert.throws(() => git(root, 'merge', '-q', 'secret-side'));
    assert.deepEqual((await whole.call('git.status', {})).underWay, { heads: [theirs], message: "Merge branch 'secret-side'" });
    const { doing, underWay } = await box.call('git.status', {});
    assert.deepEqual([doing, underWay], ['merge', { heads: [theirs] }]);
  }),
);

test('a repository inside names no programs for the one around it, whatever is asked of that', { skip }, () =>
  withMarker(async (marker, root) => {
    repository(root, { 'box/mine': 'mine\n', other: 'other\n' });
    const inside = path.join(root, 'box/x');
    fs.mkdirSync(inside);
    repository(inside, { 'a.txt': 'a\n' });
    fs.writeFileSync(path.join(inside, '.gitattributes'), '*.txt filter=f\n');
    git(root, '-c', 'advice.addEmbeddedRepo=false', 'add', '-f', 'box/x');
    git(root, 'commit', '-qm', 'with x');
    git(inside, 'config', 'filter.f.clean', `touch ${marker}; cat`);
    // As long as it was: git has to compare what it holds, as the filter gives it.
    fs.writeFileSync(path.join(inside, 'a.txt'), 'b\n');
    await withSidecar(
      async (running) => {
        const box = await callerOf(running, 'execute', ['box']);
        await box.call('files.write', { path: 'box/mine', text: 'changed\n' });
        await box.call('git.status', {});
        await box.call('git.diff', { path: 'box' });
        await box.call('git.restore', { files: [{ path: 'box/mine' }] });
        assert.equal(running.file('box/mine'), 'mine\n');
        await box.call('git.restore', { files: [{ path: 'box/x' }] }).catch(() => undefined);
        await box.call('git.stage', { files: [{ path: 'box/x' }] });
        await box.call('git.unstage', { files: [{ path: 'box/x' }] });
      },
      { workspace: root },
    );
  }),
);

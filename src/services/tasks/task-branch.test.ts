import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { type TaskHarness, withTasks } from '../../../test/kit/task-harness.ts';

const skip = requireTool('git');
const gitEnv = { ...process.env, GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'a@x', GIT_COMMITTER_NAME: 'Ada', GIT_COMMITTER_EMAIL: 'a@x' };
const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', args, { cwd: folder, encoding: 'utf8', env: gitEnv, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const commits =
  'echo work > work-$OUTRIGGER_TASK_ID; git add -A; git -c user.name=A -c user.email=a@x commit -qm work; echo \'{"status":"success"}\' > "$OUTRIGGER_RESULT_FILE"';

function repository(folder: string): void {
  git(folder, 'init', '-q', '-b', 'main');
  fs.writeFileSync(path.join(folder, 'a'), 'a\n');
  git(folder, 'add', '-A');
  git(folder, 'commit', '-qm', 'first');
}

async function doTask({ hub, frame }: TaskHarness, id: string, description: string, count: number): Promise<Record<string, unknown>> {
  hub.assign(id, { description });
  return frame('task_complete', count);
}

test('each task has a branch of its own from the default branch, which is pushed where there is a remote', { skip }, () =>
  withTasks(
    async (harness) => {
      const { root, at, hub, tasks } = harness;
      repository(root);
      git(root, 'clone', '-q', '--bare', root, at('remote.git'));
      git(root, 'remote', 'add', 'origin', at('remote.git'));
      tasks.connected(hub.session);
      const first = await doTask(harness, 'a', 'Fix the "Login": page/stylé, at once and for ever, please!', 1);
      const branch = 'agent-lo/fix-the-login-page-style-at-once-and-for';
      assert.deepEqual(first['result'], { status: 'success', branch, pushed: true });
      assert.equal(git(at('remote.git'), 'log', '--format=%s', branch), 'work\nfirst');
      // The next begins where the first did.
      const second = await doTask(harness, 'b', 'Fix the "Login": page/stylé, at once and for ever, please!', 2);
      assert.deepEqual((second['result'] as { branch: string }).branch, `${branch}-2`);
      assert.equal(git(root, 'ls-tree', '--name-only', `${branch}-2`), 'a\nwork-b');
      assert.equal(git(root, 'rev-parse', 'main'), git(root, 'rev-parse', 'origin/main'));
    },
    { wake: commits, branches: true, agentId: 'Agent_long-name' },
  ),
);

test('a folder that is not clean refuses the task with a reason, and nothing is discarded', { skip }, () =>
  withTasks(
    async ({ root, hub, tasks, frame }) => {
      repository(root);
      fs.writeFileSync(path.join(root, 'a'), 'changed\n');
      fs.writeFileSync(path.join(root, 'new'), 'new\n');
      tasks.connected(hub.session);
      hub.assign('a');
      assert.match(String((await frame('task_failed'))['reason']), /^branch_refused: .*not committed \(a, new\).*nothing is discarded/);
      assert.equal(git(root, 'status', '--porcelain'), 'M a\n?? new');
      assert.equal(git(root, 'branch', '--list'), '* main');
    },
    { wake: commits, branches: true },
  ),
);

test('results in the folder itself do not count as changes, and without a remote nothing is pushed', { skip }, async () => {
  const at = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-')));
  await withTasks(
    async (harness) => {
      repository(harness.root);
      fs.writeFileSync(path.join(harness.root, 'results', 'old.json'), '{}');
      harness.tasks.connected(harness.hub.session);
      const { result } = await doTask(harness, 'a', 'x', 1);
      assert.deepEqual(result, { status: 'success', branch: 'probe/x', pushed: false });
    },
    { wake: commits.replace('git add -A', 'git add work-*'), branches: true, at, resultsFolder: path.join(at, 'root', 'results') },
  );
  fs.rmSync(at, { recursive: true });
});

test('a folder that is no repository refuses the task', { skip }, () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('a');
      assert.match(String((await frame('task_failed'))['reason']), /no git repository/);
    },
    { wake: commits, branches: true },
  ),
);

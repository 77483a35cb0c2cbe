import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fails } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { type TaskHarness, withTasks } from '../../../test/kit/task-harness.ts';
import { Processes, type RunRequest, type RunResult } from '../processes/processes.ts';
import { TaskBranches } from './task-branch.ts';

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

function repositoryWithRemote({ root, at }: TaskHarness): void {
  repository(root);
  git(root, 'clone', '-q', '--bare', root, at('remote.git'));
  git(root, 'remote', 'add', 'origin', at('remote.git'));
}

async function doTask({ hub, frame }: TaskHarness, id: string, description: string, count: number): Promise<Record<string, unknown>> {
  hub.assign(id, { description });
  return frame('task_complete', count);
}

test('each task has a branch of its own from the default branch, which is pushed where there is a remote', { skip }, () =>
  withTasks(
    async (harness) => {
      const { root, at, hub, tasks } = harness;
      repositoryWithRemote(harness);
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

test('of a name there are a hundred branches, and a task that would need one more is refused', { skip }, () =>
  withTasks(
    async ({ root, hub, tasks, frame }) => {
      repository(root);
      const names = ['probe/x', ...Array.from({ length: 99 }, (_, at) => `probe/x-${at + 2}`)];
      const refs = names.map((name) => `create refs/heads/${name} HEAD\n`).join('');
      execFileSync('git', ['update-ref', '--stdin'], { cwd: root, input: refs });
      tasks.connected(hub.session);
      hub.assign('a', { description: 'x' });
      assert.match(String((await frame('task_failed'))['reason']), /^branch_refused: There are 100 branches probe\/x already/);
      assert.equal(git(root, 'branch', '--show-current'), 'main');
    },
    { wake: commits, branches: true },
  ),
);

/** Ends a git that hangs in such a command after a part of the time that it is given. */
class Impatient extends Processes {
  readonly #command: string;

  constructor(command: string) {
    super({ env: process.env });
    this.#command = command;
  }

  override run(request: RunRequest): Promise<RunResult> {
    return super.run(request.argv.includes(this.#command) ? { ...request, timeoutMs: request.timeoutMs / 200 } : request);
  }
}

function hangsIn(root: string, hook: string): void {
  const file = path.join(root, '.git', 'hooks', hook);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, '#!/bin/sh\nexec sleep 300\n', { mode: 0o755 });
}

test('git that takes longer than thirty seconds to make a branch is ended, and the task is refused', { skip }, () =>
  withTasks(
    async ({ root, hub, tasks, frame }) => {
      repository(root);
      hangsIn(root, 'post-checkout');
      tasks.connected(hub.session);
      hub.assign('a');
      assert.match(String((await frame('task_failed'))['reason']), /^branch_refused: git took longer than 150 ms/);
    },
    { wake: commits, branches: true, processes: new Impatient('switch') },
  ),
);

test('a push that takes longer than two minutes is ended, and the result says that it was not pushed (long form)', { skip }, () =>
  withTasks(
    async (harness) => {
      const { root, at, hub, tasks } = harness;
      repositoryWithRemote(harness);
      hangsIn(root, 'pre-push');
      tasks.connected(hub.session);
      const { result } = await doTask(harness, 'a', 'x', 1);
      const push_error = 'git took longer than 600 ms and was ended.';
      assert.deepEqual(result, { status: 'success', branch: 'probe/x', pushed: false, push_error });
      assert.equal(git(at('remote.git'), 'branch', '--list'), '* main');
    },
    { wake: commits, branches: true, processes: new Impatient('push') },
  ),
);

interface Clones {
  origin: string;
  /** A clone of its own, with the branches of an agent in it. */
  clone(name: string, agentId?: string): { folder: string; branches: TaskBranches };
  /** Commits a file in a folder. */
  save(folder: string, name: string): void;
}

const { signal } = new AbortController();

/** A remote with one commit, and clones of it. */
async function withClones(run: (world: Clones) => Promise<void>): Promise<void> {
  const at = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-')));
  const processes = new Processes({ env: gitEnv });
  const origin = path.join(at, 'origin.git');
  fs.mkdirSync(path.join(at, 'first'));
  repository(path.join(at, 'first'));
  git(at, 'clone', '-q', '--bare', 'first', origin);
  const clone: Clones['clone'] = (name, agentId = 'agent') => {
    const folder = path.join(at, name);
    git(at, 'clone', '-q', origin, folder);
    return { folder, branches: new TaskBranches(processes, { folder, agentId, besides: [] }) };
  };
  const save: Clones['save'] = (folder, name) => {
    fs.writeFileSync(path.join(folder, name), name);
    git(folder, 'add', '-A');
    git(folder, 'commit', '-qm', name);
  };
  try {
    await run({ origin, clone, save });
  } finally {
    await processes.stop();
    fs.rmSync(at, { recursive: true });
  }
}

test(
  'a name that the remote has already is not given to a new task, in a fresh clone and of an agent whose name begins alike',
  { skip },
  () =>
    withClones(async ({ origin, clone, save }) => {
      const names: string[] = [];
      for (const [at, agentId] of ['worker-10', 'worker-10', 'worker-11'].entries()) {
        const { folder, branches } = clone(`clone-${at}`, agentId);
        const name = await branches.start('Update dependencies', undefined, signal);
        save(folder, `work-${at}`);
        assert.equal(await branches.submit(name, signal), true);
        names.push(name);
      }
      const wanted = 'worker-1/update-dependencies';
      assert.deepEqual(names, [wanted, `${wanted}-2`, `${wanted}-3`]);
      for (const [at, name] of names.entries()) assert.equal(git(origin, 'log', '--format=%s', name), `work-${at}\nfirst`);
    }),
);

test('what somebody else pushed onto the branch of a task stays there, also where it was fetched meanwhile', { skip }, () =>
  withClones(async ({ origin, clone, save }) => {
    const { folder, branches } = clone('own');
    const name = await branches.start('Fix login', undefined, signal);
    save(folder, 'work');
    await branches.submit(name, signal);
    const reviewer = clone('reviewer').folder;
    git(reviewer, 'switch', '-q', name);
    save(reviewer, 'review');
    git(reviewer, 'push', '-q');
    // Another task in between fetches.
    await branches.start('Other', undefined, signal);
    assert.equal(await branches.start('Fix login', name, signal), name);
    save(folder, 'more');
    await assert.rejects(branches.submit(name, signal), fails('GIT_FAILED', /rejected/));
    assert.equal(git(origin, 'log', '--format=%s', name), 'review\nwork\nfirst');
    assert.equal(git(folder, 'log', '--format=%s', name), 'more\nwork\nfirst');
    // Joined with that, it goes.
    git(folder, 'rebase', '-q', `origin/${name}`);
    assert.equal(await branches.submit(name, signal), true);
    assert.equal(git(origin, 'log', '--format=%s', name), 'more\nreview\nwork\nfirst');
  }),
);

test('a branch of a task that its agent wrote anew is pushed again', { skip }, () =>
  withClones(async ({ origin, clone, save }) => {
    const { folder, branches } = clone('own');
    const name = await branches.start('Fix login', undefined, signal);
    save(folder, 'work');
    await branches.submit(name, signal);
    await branches.start('Fix login', name, signal);
    git(folder, 'commit', '-q', '--amend', '-m', 'better');
    assert.equal(await branches.submit(name, signal), true);
    assert.equal(git(origin, 'log', '--format=%s', name), 'better\nfirst');
  }),
);

test('a push that is refused loses nothing: the commits stay on the branch, and the result says why', { skip }, () =>
  withTasks(
    async (harness) => {
      const { root, at, hub, tasks } = harness;
      repositoryWithRemote(harness);
      git(root, 'clone', '-q', at('remote.git'), at('other'));
      git(at('other'), 'switch', '-q', '-c', 'probe/x');
      git(at('other'), 'commit', '-q', '--allow-empty', '-m', 'theirs');
      tasks.connected(hub.session);
      const { result } = await doTask(harness, 'a', 'x', 1);
      const { push_error, ...rest } = result as Record<string, unknown>;
      assert.deepEqual(rest, { status: 'success', branch: 'probe/x', pushed: false });
      assert.match(String(push_error), /^git push: .*rejected/s);
      assert.equal(git(at('remote.git'), 'log', '--format=%s', 'probe/x'), 'theirs\nfirst');
      assert.equal(git(root, 'log', '--format=%s', 'probe/x'), 'work\nfirst');
    },
    // Others push a branch of that name while the agent works, and it fetches that.
    { wake: `git -C ../other push -q origin probe/x; git fetch -q; ${commits}`, branches: true },
  ),
);

test('files that git does not know make a folder unclean, whatever its config says of them', { skip }, () =>
  withClones(async ({ clone }) => {
    const { folder, branches } = clone('own');
    git(folder, 'config', 'status.showUntrackedFiles', 'no');
    fs.writeFileSync(path.join(folder, 'my-notes'), '');
    await assert.rejects(branches.start('Fix login', undefined, signal), fails('GIT_FAILED', /not committed \(my-notes\)/));
    assert.equal(git(folder, 'branch', '--show-current'), 'main');
  }),
);

test('a branch that holds a file which git ignores here, such as the config of the link, does not take its place', { skip }, () =>
  withClones(async ({ clone, save }) => {
    const { folder, branches } = clone('ignoring');
    save(folder, 'config.json');
    git(folder, 'push', '-q', 'origin', 'HEAD');
    git(folder, 'remote', 'set-head', 'origin', '-a');
    git(folder, 'reset', '-q', '--hard', 'HEAD~1');
    fs.writeFileSync(path.join(folder, '.git/info/exclude'), 'config.json\n');
    fs.writeFileSync(path.join(folder, 'config.json'), 'of the owner');
    await assert.rejects(branches.start('Anything', undefined, signal), fails('GIT_FAILED', /config\.json/));
    assert.equal(fs.readFileSync(path.join(folder, 'config.json'), 'utf8'), 'of the owner');
    git(folder, 'branch', '-q', 'kept', 'origin/HEAD');
    await assert.rejects(branches.start('Anything', 'kept', signal), fails('GIT_FAILED', /config\.json/));
    assert.equal(fs.readFileSync(path.join(folder, 'config.json'), 'utf8'), 'of the owner');
  }),
);

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { accessibilityProblems, git, noBrowser, noBrowserOrGit, withWorkbench, type Workbenches } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { type GitServer, withGitServer } from '../kit/git-server.ts';
import { loanFiles, picture, sourceControl, toast } from '../kit/source-control.ts';

interface Exchange extends Workbenches {
  server: GitServer;
  /** Somebody else's clone of the same repository. */
  other: string;
  /** They commit a file and push it. */
  push(name: string): void;
}

/** A workspace that follows the branch of a repository which others push to. */
async function withRemote(run: (exchange: Exchange) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'outrigger-remote-'));
  const other = path.join(folder, 'other');
  try {
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', path.join(folder, 'loans.git')]);
    await withGitServer(folder, (server) =>
      withWorkbench(
        loanFiles,
        async (workbenches) => {
          const { root } = workbenches;
          // Not the server's address: it runs in this process, which waits for git here.
          git(root, 'push', '-q', path.join(folder, 'loans.git'), 'main');
          git(root, 'remote', 'add', 'origin', `${server.url}loans.git`);
          git(root, 'update-ref', 'refs/remotes/origin/main', 'main');
          git(root, 'branch', '-q', '--set-upstream-to=origin/main');
          execFileSync('git', ['clone', '-q', path.join(folder, 'loans.git'), other]);
          const push = (name: string): void => {
            writeFileSync(path.join(other, name), `${name}\n`);
            git(other, 'add', '--all');
            git(other, 'commit', '-qm', `Theirs: ${name}`);
            git(other, 'push', '-q', 'origin', 'main');
          };
          await run(Object.assign(workbenches, { server, other, push }));
        },
        { git: true },
      ),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function choose(page: Page, action: 'Fetch' | 'Pull' | 'Push'): Promise<void> {
  await page.getByTestId('remote-job').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'More of source control' }).click();
  await page.getByRole('menuitem', { name: action, exact: true }).click();
}

function commitHere(root: string, name: string): void {
  writeFileSync(path.join(root, name), `${name}\n`);
  git(root, 'add', name);
  git(root, 'commit', '-qm', `Ours: ${name}`);
}

test('what others pushed is fetched and pulled, and a push that they came before is settled', { skip: noBrowserOrGit }, () =>
  withRemote(async ({ page, root, other, push }) => {
    const ada = await page({ name: 'Ada', theme: 'light' });
    await sourceControl(ada);
    await choose(ada, 'Fetch');
    await toast(ada, 'origin has nothing new').waitFor();
    push('theirs.txt');
    await choose(ada, 'Fetch');
    await toast(ada, 'Fetched from origin').filter({ hasText: 'main' }).waitFor();
    await ada.getByTestId('branch').filter({ hasText: '↓1' }).waitFor();
    assert.equal(existsSync(path.join(root, 'theirs.txt')), false);
    await choose(ada, 'Pull');
    await toast(ada, 'Pulled from origin').waitFor();
    assert.equal(readFileSync(path.join(root, 'theirs.txt'), 'utf8'), 'theirs.txt\n');
    await choose(ada, 'Pull');
    await toast(ada, 'You have everything already').waitFor();

    // Both go on: the push is refused, nothing is lost, and a rebase puts ours after theirs.
    push('second.txt');
    commitHere(root, 'ours.txt');
    await choose(ada, 'Push');
    const refused = ada.getByRole('dialog', { name: 'The other side has commits that are not here' });
    await refused.getByText('Nothing was sent.').waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await picture(ada, 'push-refused');
    await refused.getByRole('button', { name: 'Pull first' }).click();
    const diverged = ada.getByRole('dialog', { name: 'Both sides have commits of their own' });
    await diverged.getByRole('button', { name: 'Rebase' }).waitFor();
    await picture(ada, 'pull-diverged');
    await diverged.getByRole('button', { name: 'Rebase' }).click();
    await eventually(() => assert.equal(git(root, 'log', '-2', '--format=%s').trim(), 'Ours: ours.txt\nTheirs: second.txt'), 10_000);
    await choose(ada, 'Push');
    await toast(ada, 'Pushed to origin/main').waitFor();
    git(other, 'pull', '-q');
    assert.equal(readFileSync(path.join(other, 'ours.txt'), 'utf8'), 'ours.txt\n');

    // Overwriting is safe while nobody pushed since the last fetch, and refused when somebody did.
    push('late.txt');
    commitHere(root, 'mine.txt');
    await choose(ada, 'Push');
    await refused.getByRole('button', { name: 'Overwrite them' }).click();
    await refused.getByRole('button', { name: 'Pull first' }).waitFor();
    await ada.keyboard.press('Escape');
    await choose(ada, 'Fetch');
    await toast(ada, 'Fetched from origin').last().waitFor();
    await ada.getByTestId('branch').filter({ hasText: '↑1 ↓1' }).waitFor();
    await choose(ada, 'Push');
    await refused.getByRole('button', { name: 'Overwrite them' }).click();
    await toast(ada, 'Pushed to origin/main').last().waitFor();
    await eventually(() => {
      git(other, 'fetch', '-q');
      assert.equal(git(other, 'log', '-1', '--format=%s', 'origin/main').trim(), 'Ours: mine.txt');
    });
  }),
);

test(
  'a transfer that hangs is stopped by its button, the focus stays in the panel, and the next one works (long form)',
  {
    skip: noBrowserOrGit,
  },
  () =>
    withRemote(async ({ page, server, push }) => {
      push('theirs.txt');
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      const held = server.hold();
      await choose(ada, 'Fetch');
      const job = ada.getByTestId('remote-job');
      await job.filter({ hasText: 'Fetching' }).waitFor();
      await eventually(() => assert.ok(held.waiting() > 0), 10_000);
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'fetching');
      await job.getByRole('button', { name: 'Stop' }).focus();
      await ada.keyboard.press('Enter');
      await toast(ada, 'Stopped the fetch').waitFor();
      await job.waitFor({ state: 'detached' });
      assert.equal(await ada.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Commit message');
      held.release();
      await choose(ada, 'Fetch');
      await toast(ada, 'Fetched from origin').waitFor();
    }),
);

test('on a machine without git the page says what is missing and how to get it, and all else works (long form)', { skip: noBrowser }, () =>
  withWorkbench(
    { 'a.txt': 'a\n' },
    async ({ page }) => {
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      const said = ada.getByTestId('no-git');
      await said.filter({ hasText: 'The program git is not on this machine.' }).filter({ hasText: 'apt-get install git' }).waitFor();
      for (const name of ['Start one', 'Keep a checkpoint now', /^Commit/])
        assert.equal(await ada.getByRole('button', { name }).count(), 0);
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'no-git');
      await ada.getByRole('button', { name: 'Ask git again' }).click();
      await ada.keyboard.press('Control+Shift+e');
      await ada.getByRole('treeitem', { name: /a\.txt/ }).click();
      await ada.locator('.cm-content').filter({ visible: true }).waitFor();
      await ada.keyboard.press('Control+Shift+y');
      await ada.getByText('Nothing has happened here yet.').waitFor();
    },
    { env: { PATH: '/nowhere' } },
  ),
);

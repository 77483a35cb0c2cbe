// The tasks of a hub on the page of a sidecar: a real hub, a real sidecar that is linked to it, its wake program, and a real browser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { shortId } from '../../src/workbench/tasks/task-text.ts';
import { accessibilityProblems, git, noBrowser, noBrowserOrGit, type Workbenches, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningHub, withHub } from '../kit/hub.ts';
import { clientOf, picture } from '../kit/source-control.ts';

/** Begins, writes a line each time that the file `go` grows by one, and ends with its result when that holds `end`. */
const wake = `
touch "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.started"
echo "reading loans.csv"
echo "one date is odd" >&2
seen=0
while :; do
  lines=$(cat go 2>/dev/null | wc -l)
  while [ $seen -lt $lines ]; do seen=$((seen + 1)); echo "row $seen is fine"; done
  if grep -q end go 2>/dev/null; then break; fi
  sleep 0.05
done
echo "id,due" > report.csv
echo '{"status":"success","output":"report works"}' > "$OUTRIGGER_RESULT_FILE"
`;

interface Linked extends Workbenches {
  hub: RunningHub;
  /** Queues a task and gives its id. */
  queue: (description: string, more?: object) => Promise<string>;
  /** The wake program writes another line; or ends. */
  go: (word?: 'end') => void;
}

const files = { 'loans.csv': 'id,due\n1,2026-10-01\n', '.gitignore': 'go\n' };

function withLinked(run: (linked: Linked) => Promise<void>, options: { git?: boolean; config?: object } = {}): Promise<void> {
  return withHub(async (hub) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-link-'));
    const config = path.join(folder, 'config.json');
    const more = { wake_command: ['sh', '-c', wake], concurrency: 2, ...options.config };
    fs.writeFileSync(
      config,
      JSON.stringify({
        agent_id: 'fixer-01',
        token: await hub.secretOf('fixer-01'),
        hub_url: `${hub.url.replace('http', 'ws')}/ws`,
        ...more,
      }),
      { mode: 0o600 },
    );
    const queue = async (description: string, facts: object = {}): Promise<string> => {
      const { tasks } = await hub.client.call('tasks.create', { tasks: [{ description, ...facts }] });
      return tasks[0]?.id ?? '';
    };
    try {
      await withWorkbench(
        files,
        (served) =>
          run(Object.assign(served, { hub, queue, go: (word = '') => fs.appendFileSync(path.join(served.root, 'go'), `${word}\n`) })),
        { ...(options.git === undefined ? {} : { git: options.git }), env: { OUTRIGGER_LINK_CONFIG: config } },
      );
    } finally {
      fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });
}

const shows = (locator: Locator, text: string | RegExp): Promise<void> => locator.filter({ hasText: text }).first().waitFor();
const row = (page: Page, text: string): Locator => page.getByTestId('task').filter({ hasText: text });
const view = (page: Page): Locator => page.getByTestId('task-view').filter({ visible: true });
const state = (page: Page): Locator => view(page).getByTestId('task-state');
const log = (page: Page): Locator => view(page).locator('.ll');
const rail = (page: Page): Locator => page.getByRole('tab', { name: /^Tasks/ });

test(
  'a task is seen as it is taken, works and is proved: its state, its log as it grows, its assignment, what became of it',
  {
    skip: noBrowserOrGit,
  },
  () =>
    withLinked(
      async (linked) => {
        const { page, queue, go, root, hub } = linked;
        const ada = await page({ name: 'Ada' });
        const light = await page({ name: 'Lea', theme: 'light' });
        await rail(ada).click();
        await shows(ada.getByTestId('no-tasks'), 'No tasks. Agents and people add them at the hub; what it gives to fixer-01 shows here.');
        await shows(ada.getByTestId('tasks-hub'), 'From the hub, as fixer-01');
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'tasks-empty-dark');

        const id = await queue('Make the overdue report read the CSV\nIt has all the dates.', {
          metadata: { module: 'library_loans' },
          successCriteria: ['The report lists what is overdue', 'Dates that are odd are said'],
          verificationSteps: [
            { type: 'file_exists', target: 'report.csv' },
            { type: 'command_succeeds', target: 'grep -q due report.csv', description: 'the report has a heading' },
          ],
        });
        await shows(row(ada, 'Make the overdue report'), /Working · attempt 1 · \d+ s/);
        assert.equal(await rail(ada).getAttribute('aria-label'), 'Tasks, 1 held');
        await row(ada, 'Make the overdue report').getByRole('button').click();
        await shows(state(ada), 'Working');
        await shows(view(ada), 'It has all the dates.');
        await shows(log(ada), 'reading loans.csv');
        await shows(view(ada).locator('.ll.stderr'), 'one date is odd');
        await shows(
          view(ada).getByTestId('assignment'),
          /The report lists what is overdue.*the report has a heading command succeeds grep -q due/s,
        );
        await shows(view(ada).getByTestId('task-metadata'), 'library_loans');
        assert.equal(await log(ada).filter({ hasText: 'row 1' }).count(), 0);
        go();
        await shows(log(ada), 'row 1 is fine');
        go();
        await shows(log(ada), 'row 2 is fine');
        // Its agent says how far it is.
        const agent = clientOf(linked);
        await agent.call('tasks.progress', { id, progress: 42, text: 'editing the report' });
        agent.close();
        await shows(view(ada).getByTestId('task-progress'), '42 % · editing the report');
        await shows(row(ada, 'Make the overdue report'), /Working · 42 % · attempt 1/);
        await light.keyboard.press('Control+Shift+k');
        await row(light, 'Make the overdue report').getByRole('button').click();
        await shows(log(light), 'row 2 is fine');
        for (const one of [ada, light]) assert.deepEqual(await accessibilityProblems(one), []);
        await picture(ada, 'tasks-working-dark');
        await picture(light, 'tasks-working-light');

        // It has a branch, and the folder is on it.
        await shows(view(ada), 'the folder is on it');
        await view(ada).getByRole('button', { name: 'overdue' }).click();
        await ada.getByRole('heading', { name: 'Source control' }).waitFor();
        assert.match(git(root, 'branch', '--show-current'), /overdue/);
        await ada.keyboard.press('Control+Shift+k');

        go('end');
        await shows(state(ada), 'Done');
        await shows(view(ada), 'The hub has its result.');
        await shows(view(ada), '2 of 2 checks passed');
        // What was read of it stays to be read.
        await shows(log(ada), 'row 2 is fine');
        await eventually(async () => assert.equal(await view(ada).locator('.chip.live').count(), 0));
        await shows(row(ada, 'Make the overdue report'), 'Done · 2 of 2 checks passed');
        await eventually(async () => assert.equal(await rail(ada).getAttribute('aria-label'), 'Tasks'));
        assert.equal((await hub.client.call('tasks.get', { id })).state, 'succeeded');
        await picture(light, 'tasks-done-light');
        // What it changed, from the checkpoints around it: the one after it is taken when its program is gone.
        const owner = clientOf(linked);
        await eventually(async () => assert.ok((await owner.call('checkpoints.list', {})).checkpoints.length >= 2), 15_000);
        owner.close();
        await view(ada).getByRole('button', { name: 'Changes' }).click();
        await shows(ada.getByTestId('checkpoint-view'), 'report.csv');
        // Who comes later has the facts of it, and is told where the rest is.
        const late = await page({ name: 'Kim' });
        await late.keyboard.press('Control+Shift+k');
        await row(late, 'Make the overdue report').getByRole('button').click();
        await shows(view(late), 'The hub has its log. Here it is kept while the task is held.');
        assert.deepEqual(await accessibilityProblems(late), []);
      },
      { git: true, config: { branches: true } },
    ),
);

test('by keys alone: a task is found, opened and cancelled, which asks first; the view and the hub say so', { skip: noBrowser }, () =>
  withLinked(async ({ page, queue, hub }) => {
    const ada = await page({ name: 'Ada' });
    const first = await queue('Clean the shed');
    await eventually(async () => assert.equal((await hub.client.call('tasks.get', { id: first })).state, 'running'));
    const second = await queue('Paint the fence');
    await ada.keyboard.press('Control+Shift+k');
    await shows(row(ada, 'Paint the fence'), 'Working');
    await shows(row(ada, 'Clean the shed'), 'Working');
    const focused = (): Promise<string> => ada.evaluate(() => document.activeElement?.textContent ?? '');
    await ada.keyboard.press('Control+Shift+k');
    // The newest stands first.
    await eventually(async () => assert.match(await focused(), /^Paint the fence/));
    await ada.keyboard.press('ArrowDown');
    assert.match(await focused(), /^Clean the shed/);
    await ada.keyboard.press('Home');
    assert.match(await focused(), /^Held/);
    await ada.keyboard.press('End');
    await ada.keyboard.press('Enter');
    await shows(log(ada), 'reading loans.csv');
    await shows(view(ada), 'Clean the shed');
    // Into the tab, and to the button.
    await ada.keyboard.press('Escape');
    await view(ada).locator('[data-focus]:focus').waitFor();
    await ada.keyboard.press('Shift+Tab');
    assert.equal(await focused(), 'Cancel task');
    await ada.keyboard.press('Enter');
    const dialog = ada.getByRole('dialog', { name: 'Cancel “Clean the shed”?' });
    await shows(dialog, 'the hub is told that it failed, for good');
    // Enter alone loses nothing.
    assert.equal(await focused(), 'Let it go on');
    assert.deepEqual(await accessibilityProblems(ada), []);
    await ada.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    assert.equal((await hub.client.call('tasks.get', { id: first })).state, 'running');
    assert.equal(await focused(), 'Cancel task');
    await ada.keyboard.press('Enter');
    await dialog.waitFor();
    await ada.keyboard.press('Shift+Tab');
    await ada.keyboard.press('Enter');
    await shows(state(ada), 'Cancelled');
    await shows(view(ada), 'cancelled by');
    await shows(row(ada, 'Clean the shed'), 'Cancelled');
    await eventually(async () => assert.equal((await hub.client.call('tasks.get', { id: first })).state, 'failed'));
    await eventually(async () => assert.equal(await view(ada).locator('.chip.live').count(), 0));
    assert.equal(await view(ada).getByRole('button', { name: 'Cancel task' }).count(), 0);
    await shows(row(ada, 'Paint the fence'), 'Working');

    // The same from the palette; this time the hub's owner is faster.
    await ada.keyboard.press('Control+Shift+p');
    await ada.keyboard.type('open the task paint');
    await ada.getByRole('option', { name: /Open the task Paint the fence/ }).waitFor();
    await ada.keyboard.press('Enter');
    await shows(state(ada), 'Working');
    await hub.client.call('tasks.cancel', { id: second, reason: 'the fence is new' });
    await shows(state(ada), 'Cancelled');
    await shows(view(ada), 'the fence is new');

    // Of one whose description can't be seen the id stands everywhere.
    const name = `Task ${shortId(await queue('\u200b'))}`;
    await row(ada, name).getByRole('button').click();
    await shows(view(ada).getByRole('heading'), name);
    await ada.getByRole('tab', { name }).waitFor();
  }),
);

test(
  'the keys for the tasks work while those are still asked for, and the list comes to where they led (long form)',
  { skip: noBrowser },
  () =>
    withLinked(async ({ page, queue }) => {
      const id = await queue('Sweep the yard');
      const ada = await page({ name: 'Ada' });
      const held: (() => void)[] = [];
      await ada.routeWebSocket(/\/rpc/, (socket) => {
        const server = socket.connectToServer();
        socket.onMessage((message) => {
          if (String(message).includes('"tasks.watch"')) held.push(() => server.send(message));
          else server.send(message);
        });
      });
      await ada.reload();
      await ada.locator('[data-known=true]').waitFor();
      await eventually(() => assert.equal(held.length, 1));
      await ada.keyboard.press('Control+Shift+k');
      await shows(ada.getByTestId('no-tasks'), 'Asking for tasks…');
      for (const release of held) release();
      await shows(row(ada, 'Sweep the yard'), 'Working');
      await ada.keyboard.press('Enter');
      await shows(view(ada).getByTestId('task-state'), 'Working');
      assert.equal(await row(ada, 'Sweep the yard').getAttribute('data-task'), id);
    }),
);

test(
  'a hub that is away is said to be, with what waits for it; after a restart a task waits for the word of the hub, and goes on (long form)',
  {
    skip: noBrowser,
  },
  () =>
    withLinked(async (linked) => {
      const { page, queue, go, hub } = linked;
      const ada = await page({ name: 'Ada' });
      const id = await queue('Outlive the hub');
      await ada.keyboard.press('Control+Shift+k');
      await row(ada, 'Outlive the hub').getByRole('button').click();
      await shows(log(ada), 'reading loans.csv');
      const { port } = new URL(hub.url);
      await hub.hub.stop();
      await shows(ada.getByTestId('tasks-hub'), 'The hub is away from fixer-01');
      await shows(ada.getByTestId('hub-away'), 'Programs go on as long as their lease lasts.');
      await linked.kill();
      await linked.restart();
      await shows(row(ada, 'Outlive the hub'), 'Waits for the hub');
      await shows(view(ada), 'The sidecar was started anew. The task goes on when the hub says so.');
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'tasks-away-dark');
      // Its result is there, and stays here.
      go('end');
      await hub.restart({ port: Number(port) });
      await shows(ada.getByTestId('tasks-hub'), 'From the hub, as fixer-01');
      await shows(state(ada), 'Done');
      await eventually(async () => assert.equal((await hub.client.call('tasks.get', { id })).state, 'succeeded'), 15_000);
    }),
);

test('a hub that refuses this sidecar is said to, with why and what is to be done (long form)', { skip: noBrowser }, () =>
  withLinked(
    async ({ page }) => {
      for (const [theme, size] of [
        ['light', [1280, 800]],
        ['dark', [390, 844]],
      ] as const) {
        const ada = await page({ name: 'Ada', theme, size: [...size] });
        await ada.keyboard.press('Control+Shift+k');
        await shows(ada.getByTestId('tasks-hub'), 'The hub refuses fixer-01');
        await shows(ada.getByTestId('hub-away'), /^The hub refuses fixer-01 \(invalid_token\) and is not asked again: put a token/);
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, `tasks-refused-${theme}`);
      }
    },
    { config: { token: 'ogr_fixer-01_wrong' } },
  ),
);

test('who may only read sees tasks and can end none; on a phone they have a place of their own (long form)', { skip: noBrowser }, () =>
  withLinked(async (linked) => {
    const { page, queue } = linked;
    await queue('Sort the books of the whole library by author, title and year, in all of its languages');
    const token = linked.scopedToken('read');
    const reader = await page({ token, size: [390, 844], theme: 'light' });
    await reader.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: /Tasks/ }).click();
    await shows(row(reader, 'Sort the books'), 'Working');
    await picture(reader, 'tasks-phone-list-light');
    assert.deepEqual(await accessibilityProblems(reader), []);
    await row(reader, 'Sort the books').getByRole('button').click();
    await shows(log(reader), 'reading loans.csv');
    assert.equal(await view(reader).getByRole('button', { name: 'Cancel task' }).count(), 0);
    assert.equal(await reader.evaluate(() => document.documentElement.scrollWidth), 390);
    assert.deepEqual(await accessibilityProblems(reader), []);
    await picture(reader, 'tasks-phone-light');
  }),
);

test('a sidecar without a link has no tasks, and no place for them', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await ada.getByRole('tab', { name: /^Files/ }).waitFor();
    await ada.keyboard.press('Control+Shift+p');
    await ada.keyboard.type('show');
    await ada.getByRole('option', { name: /Show activity/ }).waitFor();
    assert.equal(await ada.getByRole('option', { name: /Show tasks/ }).count(), 0);
    await ada.keyboard.press('Escape');
    assert.equal(await rail(ada).count(), 0);
  }),
);

// The page of a hub in a real browser: who gets in, what it shows as agents by hand come, work, fail and go, and what can be done on it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { main } from '../kit/command.ts';
import { accessibilityProblems, noBrowser, type PageOptions, withPages } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { type FakeAgent, type RunningHub, withHub } from '../kit/hub.ts';

const all = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'];
const MOST_NODES = 2000;
const MANY_MS = 60_000;

type Open = (options?: PageOptions) => Promise<Page>;

function withFleetPage(
  run: (running: RunningHub, open: Open) => Promise<void>,
  options: Parameters<typeof withHub>[1] = {},
): Promise<void> {
  return withHub(
    (running) => withPages((open) => run(running, (more = {}) => open(running.url, { token: running.hub.token, ...more }))),
    options,
  );
}

async function queue({ client }: RunningHub, description: string, more: object = {}): Promise<string> {
  const { tasks } = await client.call('tasks.create', { tasks: [{ description, ...more }] });
  return tasks[0]?.id ?? '';
}

async function accepted(agent: FakeAgent): Promise<{ task_id: string; generation: number }> {
  const { task_id, generation } = (await agent.next('task_assign')) as unknown as { task_id: string; generation: number };
  agent.send({ type: 'task_accepted', task_id, generation });
  await agent.next('task_ack');
  return { task_id, generation };
}

const row = (page: Page, text: string): Locator => page.locator('tr[data-row]').filter({ hasText: text });
const panel = (page: Page): Locator => page.getByTestId('task-panel');
const shows = (locator: Locator, text: string | RegExp): Promise<void> => locator.filter({ hasText: text }).first().waitFor();
const figures = async (page: Page): Promise<string[]> => page.getByTestId('figures').locator('dd').allInnerTexts();

test('the token of the owner opens the page, once in the address; nothing else does', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const login = await fetch(`${running.url}/?token=${running.hub.token}`, { redirect: 'manual' });
    assert.deepEqual([login.status, login.headers.get('location')], [303, './']);
    assert.match(login.headers.get('set-cookie') ?? '', /^outrigger_hub=[^;]+; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    assert.doesNotMatch(login.headers.get('set-cookie') ?? '', new RegExp(running.hub.token));
    // An agent's own secret is for its calls.
    const secret = await running.secretOf('fixer-01');
    const agent = await fetch(`${running.url}/?token=${secret}`, { redirect: 'manual' });
    assert.deepEqual([agent.headers.get('location'), agent.headers.get('set-cookie')], ['./?login=BAD_TOKEN', null]);
    const policy = (await fetch(running.url)).headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'self'; script-src 'self' 'sha256-[^']+';/);
    assert.equal((await fetch(`${running.url}/metrics`)).status, 401);
    const wrong = await fetch(`${running.url}/metrics`, { headers: { authorization: 'Bearer wrong' } });
    assert.match(await wrong.text(), /BAD_TOKEN.*The hub prints its token at its start/);
    const metrics = await fetch(`${running.url}/metrics`, { headers: { authorization: `Bearer ${running.hub.token}` } });
    assert.match(await metrics.text(), /^outrigger_hub_agents\{state="online"\} 0$/m);

    const page = await open({ at: `${running.url}/?token=wrong-token-0123456789` });
    await page.getByRole('heading', { name: 'This hub needs a token' }).waitFor();
    await shows(page.getByRole('alert'), 'That is not the token of this hub.');
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.getByRole('textbox', { name: 'Token' }).fill(`${running.url}/?token=${running.hub.token}`);
    await page.keyboard.press('Enter');
    await page.locator('[data-known=true]').waitFor();
    assert.equal(page.url(), `${running.url}/`);
    assert.equal(await page.evaluate('document.cookie'), '');
  }),
);

test('an agent is enrolled by one command on its machine, and the page sees it come', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open();
    await page.getByText('No agents yet. Enrol one to run tasks on another machine.').waitFor();
    await page.getByText('No tasks. Agents and people can add one.').waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
    const enrol = page.getByRole('banner').getByRole('button', { name: 'Enrol an agent' });
    await enrol.click();
    const id = page.getByRole('textbox', { name: 'Agent id' });
    await id.fill('no way');
    await page.keyboard.press('Enter');
    await shows(page.getByRole('alert'), 'Use letters, digits');
    await id.fill('far-01');
    await page.keyboard.press('Enter');
    const command = await page.getByTestId('enrol-command').innerText();
    await shows(page.getByTestId('enrol-state'), 'Waiting for far-01 to dial in');
    assert.match(await page.getByRole('timer').innerText(), /^1[45]:\d\d left$/);
    assert.deepEqual(await accessibilityProblems(page), []);

    const machine = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-far-'));
    const folder = path.join(machine, 'work');
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(machine, 'outrigger'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
    const env = { ...process.env, PATH: `${machine}:${process.env['PATH']}`, XDG_STATE_HOME: path.join(machine, 'state') };
    // A group of its own: the shell and the link end together.
    const link = spawn('/bin/sh', ['-c', command], { cwd: folder, env, detached: true, stdio: 'ignore' });
    const ended = once(link, 'exit');
    try {
      await page.getByTestId('enrol-state').filter({ hasText: 'far-01 is connected' }).waitFor({ timeout: 20_000 });
      assert.equal(fs.statSync(path.join(folder, 'config.json')).mode & 0o777, 0o600);
      // Once more, in another folder: the token was for one agent, and no half of a config is left.
      const other = path.join(machine, 'other');
      fs.mkdirSync(other);
      const refused = spawn('/bin/sh', ['-c', command], { cwd: other, env, stdio: 'ignore' });
      assert.deepEqual(await once(refused, 'exit'), [69, null]);
      assert.deepEqual(fs.readdirSync(other), []);
      await page.getByRole('button', { name: 'Done' }).click();
      await shows(row(page, 'far-01'), 'Online');
      // The focus is where it was.
      assert.equal(await enrol.evaluate((button) => button === document.activeElement), true);
      await enrol.click();
      await id.fill('far-01');
      await page.keyboard.press('Enter');
      await shows(page.getByRole('alert'), 'There is an agent far-01 already.');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    } finally {
      if (link.pid !== undefined && link.exitCode === null) process.kill(-link.pid, 'SIGTERM');
      await ended;
      fs.rmSync(machine, { recursive: true, force: true });
    }
    await shows(row(page, 'far-01'), 'Offline');
  }),
);

test('the late report of an agent with a long name makes the panel of a phone no wider', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open({ size: [390, 844] });
    const name = `long-${'n'.repeat(100)}`;
    const before = await running.agent(name, { features: all, credit: 2 });
    await queue(running, 'Make the report', { backoffMs: 0 });
    const first = await accepted(before);
    before.end();
    const again = await running.agent(name, { features: all, credit: 2 });
    const second = await accepted(again);
    assert.equal(second.task_id, first.task_id);
    again.send({ type: 'task_complete', ...first, result: { output: 'from before' } });
    await page.getByRole('button', { name: 'Make the report' }).last().click();
    await shows(panel(page).getByTestId('late'), 'from before');
    const beyond = await panel(page)
      .locator('.scroll')
      .first()
      .evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
    assert.equal(beyond, 0);
  }),
);

test('what agents do is seen as they do it: progress, log, results, failures, and reports that come too late', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open();
    const dark = await open({ theme: 'light' });
    const fixer = await running.agent('fixer-01', { features: all, capabilities: ['python', 'odoo'], credit: 2 });
    await shows(row(page, 'fixer-01'), 'Online');
    await queue(running, 'Make the report read the CSV\nIt has all the dates.', { needs: ['odoo'], backoffMs: 0 });
    await shows(row(page, 'Make the report'), 'Offered');
    const first = await accepted(fixer);
    await shows(row(page, 'Make the report').last(), /Running.*fixer-01.*\d:\d\d left/s);
    await shows(row(page, 'fixer-01').first(), 'Busy');

    await page.getByRole('button', { name: 'Make the report' }).last().click();
    await shows(panel(page), 'It has all the dates.');
    await eventually(() => assert.match(page.url(), new RegExp(`\\?task=${first.task_id}$`)));
    await shows(panel(page).getByTestId('lease'), /^\d:\d\d left of 1:00$/);
    await shows(panel(page).getByTestId('timeline'), 'Attempt 1 on fixer-01, fence 1');
    fixer.send({ type: 'task_progress', ...first, progress: 42, execution_event: { text: 'editing' } });
    fixer.send({ type: 'task_log', ...first, stream: 'stdout', offset: 0, text: 'read loans.csv\nedit ' });
    fixer.send({ type: 'task_log', ...first, stream: 'stderr', offset: 0, text: 'careful\n' });
    fixer.send({ type: 'task_log', ...first, stream: 'stdout', offset: 20, text: 'report.py\n' });
    await shows(row(page, 'Make the report').last(), '42 %');
    await shows(panel(page).locator('.ll'), 'edit report.py');
    await shows(panel(page).locator('.ll.stderr'), 'careful');
    for (const one of [page, dark]) assert.deepEqual(await accessibilityProblems(one), []);

    // It comes back without it, and says later that it was done.
    fixer.end();
    const again = await running.agent('fixer-01', { features: all, capabilities: ['python', 'odoo'], credit: 2 });
    const second = await accepted(again);
    assert.deepEqual(second, { task_id: first.task_id, generation: 2 });
    await shows(panel(page).getByTestId('timeline'), /Attempt 2 on fixer-01, fence 2.*Attempt 1 on fixer-01, fence 1, lost/s);
    again.send({ type: 'task_complete', ...first, result: { output: 'from before' } });
    await shows(panel(page).getByTestId('timeline'), /^Late report of fixer-01 refused.*fence 1 < 2/s);
    await shows(panel(page).getByTestId('late'), 'from before');
    assert.equal(await panel(page).getByTestId('task-state').innerText(), 'Running');
    again.send({ type: 'task_complete', ...second, result: { output: 'report works', files: 3 } });
    await shows(panel(page).getByTestId('task-state'), 'Done');
    await shows(panel(page).getByTestId('result'), '"report works"');
    await shows(panel(page).getByTestId('timeline'), 'Attempt 2 on fixer-01, fence 2, done');

    // One that fails for good.
    again.send({ type: 'ping', credit: 1, held: [] });
    await queue(running, 'Bump the widget', { maxAttempts: 1 });
    const bump = await accepted(again);
    again.send({ type: 'task_failed', ...bump, reason: 'exit 1: no network\nmore of it', retryable: true });
    await shows(row(page, 'Bump the widget'), /Gave up.*exit 1: no network/s);
    await eventually(async () => assert.deepEqual(await figures(page), ['1 of 1', '0', '0', '1', '1']));
    again.end();
    await shows(row(page, 'fixer-01').first(), 'Offline');
    // The other page has seen the same.
    await shows(row(dark, 'Bump the widget'), 'Gave up');
    // The link to a task opens it, and back closes it.
    await page.goBack();
    await panel(page).waitFor({ state: 'detached' });
    await dark.goto(`${running.url}/?task=${first.task_id}`);
    await shows(panel(dark).getByTestId('result'), '"report works"');
    await dark.goto(`${running.url}/?task=task-that-is-not-there`);
    await shows(panel(dark).getByRole('alert'), 'There is no task task-that-is-not-there on this hub.');
  }),
);

test('by keys alone: a task is added, found, opened, cancelled and queued again (long form)', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open();
    const fixer = await running.agent('fixer-01', { features: all, capabilities: ['python'], credit: 1 });
    await row(page, 'fixer-01').waitFor();
    await page.getByRole('button', { name: 'Add a task' }).first().focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Control+Enter');
    await shows(page.getByRole('alert'), 'Say what is to be done.');
    await page.keyboard.type('Translate the views');
    await page.getByText('1 connected agent can take it.').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type('french');
    await page.getByText('No connected agent can take it now: it waits for one that can.').waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.keyboard.press('Control+Enter');
    await shows(panel(page), 'Translate the views');
    await shows(panel(page).getByTestId('task-state'), 'Queued');
    await page.keyboard.press('Escape');
    await panel(page).waitFor({ state: 'detached' });

    await queue(running, 'Clean the shed');
    const held = await accepted(fixer);
    await row(page, 'Clean the shed').last().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('state:running');
    await eventually(async () => assert.equal(await page.locator('[data-part=tasks] tr[data-row]').count(), 1));
    assert.match(page.url(), /\?tasks=state:running$/);
    assert.equal(await page.getByRole('group', { name: 'Tasks by state' }).getByRole('button', { pressed: true }).innerText(), 'Running 1');
    await page.keyboard.press('Escape');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Clean the shed');
    await page.keyboard.press('Enter');
    await shows(panel(page).getByTestId('task-state'), 'Running');
    await panel(page).getByRole('button', { name: 'Cancel task' }).press('Enter');
    assert.equal((await fixer.next('task_cancelled'))['task_id'], held.task_id);
    await shows(panel(page).getByTestId('task-state'), 'Stopping');
    fixer.send({ type: 'task_failed', ...held, reason: 'cancelled', retryable: false });
    await shows(panel(page).getByTestId('task-state'), 'Cancelled');
    fixer.send({ type: 'ping', credit: 0, held: [] });
    await panel(page).getByRole('button', { name: 'Queue it again' }).press('Enter');
    await shows(panel(page).getByTestId('timeline'), /^Queued again by owner/);
    await page.keyboard.press('/');
    await page.keyboard.type('nothing has this');
    await page.getByText('No task matches “nothing has this”.').waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
  }),
);

test('an agent gets a new secret, and loses all of them', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open();
    const ours = await running.agent('ours', { features: all, credit: 1 });
    await running.agent('plain');
    await row(page, 'plain').waitFor();
    await page.getByRole('button', { name: 'New secret for ours' }).click();
    assert.equal(typeof (await ours.next('token_rotated'))['token'], 'string');
    await shows(page.getByTestId('toast'), 'ours has a new secret');
    // This one would not know what to do with it.
    await page.getByRole('button', { name: 'New secret for plain' }).click();
    assert.match(await page.getByTestId('secret').innerText(), /^\S{20,}$/);
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.keyboard.press('Escape');

    await queue(running, 'Hold this', { agent: 'ours' });
    await shows(row(page, 'ours').first(), 'Busy');
    await page.getByRole('button', { name: 'Revoke ours' }).click();
    await page.getByRole('button', { name: 'Keep it' }).press('Enter');
    assert.equal(ours.closed, undefined);
    await page.getByRole('button', { name: 'Revoke ours' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke ours' }).click();
    await eventually(() => assert.equal(ours.closed?.code, 4001));
    await shows(row(page, 'ours').first(), 'Revoked');
    await shows(row(page, 'Hold this').last(), 'Queued');
    assert.equal(await page.getByRole('button', { name: 'Revoke ours' }).count(), 0);
    await page.getByRole('group', { name: 'Agents by state' }).getByRole('button', { name: 'Connected' }).click();
    await eventually(async () => assert.deepEqual(await page.locator('[data-part=agents] tr[data-row]').count(), 1));
  }),
);

test(
  'what has the focus may go at any time: something near has it then, in the dialog, the panel or the table that one is in',
  { skip: noBrowser },
  () =>
    withFleetPage(async (running, open) => {
      const page = await open();
      const has = (what: Locator): Promise<void> =>
        eventually(async () => assert.equal(await what.evaluate((element) => element === document.activeElement), true));
      // The first task takes the place of the button that was there to add one.
      const first = page.locator('.nothing').getByRole('button', { name: 'Add a task' });
      await first.focus();
      await queue(running, 'Water the plants');
      await has(page.getByRole('button', { name: 'Water the plants' }));
      // The form gives way to what came of it.
      await page.getByRole('banner').getByRole('button', { name: 'Enrol an agent' }).press('Enter');
      await page.getByRole('textbox', { name: 'Agent id' }).press('Enter');
      await has(page.getByRole('dialog').getByRole('button', { name: 'Copy command' }));
      await page.keyboard.press('Escape');
      // A button is gone when it was pressed; then the panel with all that is in it.
      await page.getByRole('button', { name: 'Water the plants' }).press('Enter');
      await panel(page).getByRole('button', { name: 'Cancel task' }).press('Enter');
      await has(panel(page).getByRole('group', { name: 'About this task' }));
      const [before = ''] = (await running.client.call('tasks.list', {})).tasks.map(({ id }) => id);
      await queue(running, 'Mow the lawn', { after: [before] });
      await page.getByRole('button', { name: 'Mow the lawn' }).press('Enter');
      await panel(page).locator('.link').press('Enter');
      await shows(panel(page), 'Water the plants');
      await has(panel(page).getByRole('group', { name: 'About this task' }));
      await panel(page).getByRole('button', { name: 'Close' }).press('Enter');
      await has(page.getByRole('button', { name: 'Water the plants' }));
      await page.keyboard.press('/');
      await page.keyboard.type('lawn');
      await page.keyboard.press('ArrowDown');
      await has(page.getByRole('button', { name: 'Mow the lawn' }));
      // What is read stays in its place, also at the top.
      await page.getByRole('searchbox', { name: 'Filter tasks' }).press('Escape');
      await page.getByRole('button', { name: 'Mow the lawn' }).focus();
      for (let times = 0; times < 2; times++) {
        const many = Array.from({ length: 60 }, (_, index) => ({ description: `Job ${times} ${index}` }));
        await running.client.call('tasks.create', { tasks: many });
        await page.getByText(`${times * 60 + 62} tasks`).waitFor();
        await has(page.getByRole('button', { name: 'Mow the lawn' }));
        assert.equal(await page.getByRole('button', { name: 'Mow the lawn' }).isVisible(), true);
      }
    }),
);

test('in a narrow window the columns of many tasks fill it', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    await running.client.call('tasks.create', { tasks: Array.from({ length: 60 }, (_, index) => ({ description: `Job ${index}` })) });
    const page = await open({ size: [360, 740] });
    await row(page, 'Job 59').waitFor();
    const columns = await page
      .getByRole('table', { name: 'Tasks' })
      .getByRole('columnheader')
      .evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().width));
    assert.equal(Math.round(columns.reduce((sum, width) => sum + width, 0)), 360, JSON.stringify(columns));
  }),
);

test('a task that says nothing has a name, and a long result can be read by keys', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open({ size: [360, 740] });
    const id = await queue(running, ' \n ', { maxAttempts: 1 });
    await page
      .getByRole('button', { name: `Task ${id.slice(-6)}` })
      .last()
      .click();
    await shows(panel(page).locator('.what'), `Task ${id.slice(-6)}`);
    await shows(panel(page), '1 attempt at most');
    const fixer = await running.agent('fixer-01', { features: all, credit: 1 });
    const held = await accepted(fixer);
    fixer.send({ type: 'task_complete', ...held, result: { output: 'many words '.repeat(2000) } });
    await shows(panel(page).getByTestId('result'), 'many words');
    assert.deepEqual(await accessibilityProblems(page), []);
    await panel(page).getByRole('group', { name: 'Result' }).focus();
    await page.keyboard.press('End');
    await eventually(() =>
      panel(page)
        .getByRole('group', { name: 'Result' })
        .evaluate(({ scrollTop }) => scrollTop > 0),
    );
  }),
);

test(
  'a hub that goes is said to be gone, and one that comes back is followed again, with what happened meanwhile (long form)',
  { skip: noBrowser },
  () =>
    withFleetPage(async (running, open) => {
      const page = await open();
      const fixer = await running.agent('fixer-01', { features: all, credit: 1 });
      const id = await queue(running, 'Outlive the hub');
      await accepted(fixer);
      await page.goto(`${running.url}/?task=${id}`);
      await shows(panel(page).getByTestId('task-state'), 'Running');
      const { port } = new URL(running.url);
      await running.hub.stop();
      await shows(page.getByTestId('link'), 'Reconnecting');
      await shows(page.getByTestId('link-notice'), 'Agents go on with the tasks that they have.');
      // What was known is still there to be read.
      await row(page, 'Outlive the hub').first().waitFor();
      await running.restart({ port: Number(port) });
      await page
        .getByRole('button', { name: 'Try now' })
        .click({ timeout: 3000 })
        .catch(() => undefined);
      await shows(page.getByTestId('link'), 'Live');
      await shows(row(page, 'fixer-01').first(), 'Offline');
      const back = await running.agent('fixer-01', { features: all, credit: 1, held: [{ task_id: id, generation: 1 }] });
      await shows(row(page, 'fixer-01').first(), 'Busy');
      back.send({ type: 'task_log', task_id: id, generation: 1, stream: 'stdout', offset: 0, text: 'still here\n' });
      await shows(panel(page).locator('.ll'), 'still here');
      back.send({ type: 'task_complete', task_id: id, generation: 1, result: { output: 'kept' } });
      await shows(panel(page).getByTestId('result'), 'kept');
    }),
);

test('a form says that the hub does not answer, until it does again', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const page = await open();
    await page.getByText('No agents yet.').first().waitFor();
    const { port } = new URL(running.url);
    await running.hub.stop();
    await shows(page.getByTestId('link'), 'Reconnecting');
    await page.getByRole('button', { name: 'Add a task' }).first().click();
    await page.keyboard.type('Water the plants');
    await page.keyboard.press('Control+Enter');
    await shows(page.getByRole('alert'), 'Not added. The hub does not answer.');
    await running.restart({ port: Number(port) });
    await shows(page.getByTestId('link'), 'Live');
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+Enter');
    await shows(panel(page), 'Water the plants');
  }),
);

test('a thousand agents and ten thousand tasks are a few rows to the browser (long form)', { skip: noBrowser }, () =>
  withFleetPage(async (running, open) => {
    const { client } = running;
    for (let from = 0; from < 1000; from += 100) {
      const numbers = Array.from({ length: 100 }, (_, index) => String(from + index).padStart(4, '0'));
      await Promise.all(numbers.map((number) => client.call('agents.register', { agent: `agent-${number}` })));
    }
    for (let from = 0; from < 10_000; from += 1000) {
      const calls = Array.from({ length: 10 }, (_, call) =>
        client.call('tasks.create', {
          tasks: Array.from({ length: 100 }, (_, index) => ({ description: `Job ${from + call * 100 + index}`, needs: ['never'] })),
        }),
      );
      await Promise.all(calls);
    }
    const page = await open();
    await page.getByText('1,000 agents · 10,000 tasks').waitFor();
    await page.getByRole('button', { name: 'Queued 10,000' }).waitFor({ timeout: MANY_MS });
    const nodes = (): Promise<number> => page.evaluate(() => document.querySelectorAll('*').length);
    assert.ok((await nodes()) < MOST_NODES, `${await nodes()} nodes`);
    // To the last row of both and back, by keys.
    await page.locator('[data-part=agents] [data-stop]').first().focus();
    await page.keyboard.press('End');
    await eventually(async () => assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'agent-0999'));
    await page.locator('[data-part=tasks] [data-stop]').first().focus();
    await page.keyboard.press('End');
    await page.locator('[data-part=tasks] tr[aria-rowindex="10001"] [data-stop]:focus').waitFor();
    assert.ok((await nodes()) < MOST_NODES, `${await nodes()} nodes`);
    // In another order.
    const age = page.locator('[data-part=tasks]').getByRole('button', { name: 'Age', exact: true });
    await age.click();
    assert.equal(await page.locator('[data-part=tasks] th[aria-sort=ascending]').innerText(), 'Age');
    await age.click();
    await eventually(async () => assert.match(await page.locator('[data-part=tasks] tr[data-row]').first().innerText(), /Job \d{1,3}\b/));
    // One among them, while it is typed and when it changes.
    await page.keyboard.press('/');
    await page.keyboard.type('job 7777');
    await eventually(async () => assert.equal(await page.locator('[data-part=tasks] tr[data-row]').count(), 1));
    const id = (await row(page, 'Job 7777').getAttribute('data-row')) ?? '';
    await client.call('tasks.cancel', { id, reason: 'one too many' });
    await shows(row(page, 'Job 7777'), 'one too many');
  }),
);

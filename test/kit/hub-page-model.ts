// For tests: a hub whose agents, callers and ends come by chance, two pages that somebody looks at and uses by chance, and what each of them must show.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';
import type { HubAgentInfo, HubAuditEntry, HubOperations, HubTaskDetail, HubTaskInfo } from '../../src/contract/hub-operations.ts';
import type { Client } from '../../src/client/client.ts';
import { agentLabels, agentLoad, agentSign, isConnected } from '../../src/workbench/fleet/agent-words.ts';
import { happenings } from '../../src/workbench/fleet/attempts.ts';
import { agentFilter, taskFilter } from '../../src/workbench/fleet/fleet-filter.ts';
import { isOver, nextWords, taskSign } from '../../src/workbench/fleet/task-words.ts';
import { LogLines } from '../../src/workbench/processes/log-lines.ts';
import { shortId, taskTitle } from '../../src/workbench/tasks/task-text.ts';
import { count } from '../../src/workbench/words.ts';
import { accessibilityProblems } from './browser.ts';
import { eventually } from './eventually.ts';
import { assertFocusKept, hasFocus } from './focus-kept.ts';
import type { FakeAgent, RunningHub } from './hub.ts';
import type { Random } from './random.ts';

export const pageModelOptions = { leaseMs: 2500, plainLeaseMs: 4000, acceptWithinMs: 1500 };
const allFeatures = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'];
const MOST_NODES = 2000;
/** The page looks again at what is held every ten seconds: what it shows before that, it was told. */
const TOLD_WITHIN_MS = 6000;
const BACK_WITHIN_MS = 20_000;
const LOG_LIMITS = { lines: 5000, characters: 2 * 1024 * 1024 };
const MOST_SHOWN = 20_000;
const HOUR_MS = 3_600_000;
const MANY_TASKS = 60;

const agentIds = ['fixer-1', 'fixer-2', 'fixer-10', 'Builder.x', `long-${'n'.repeat(100)}`] as const;
const capabilities = ['python', 'odoo', '<b data-evil>bold</b>', 'ünïcödé', `wide-${'w'.repeat(120)}`] as const;
const texts = [
  'Make the report read the CSV\nIt has all the dates.',
  'x'.repeat(3000),
  `${'many words and more of them '.repeat(200)}`,
  'שלום עולם, תקן את הדוח',
  'grüße 漢字 🚀👩‍👩‍👧 é',
  '\u001b[31mred\u001b[0m and \u001b]8;;http://example.org\u0007a link',
  'nul \u0000 bell \u0007 back \b form \f delete \u007f',
  '\u202Egnihtemos sdrawkcab\u202C and on',
  '<img src=x onerror="globalThis.evil = 1"><b data-evil>bold</b>',
  '</td></tr><script>globalThis.evil = 1</script>',
  ' \n\t\n  the third line\r\nwindows',
  '   ',
  '\u200b',
  'state:failed agent:fixer-1 "quoted" \\ %41 & # ?',
  'a\u2028b\u2029c\u0085d',
] as const;
const filters = [
  'report',
  'state:failed',
  'state:running',
  'state:done python',
  'agent:fixer-1',
  'nothing has this',
  'priority:urgent',
  '',
];
const agentFilters = ['fixer', 'state:connected', 'label:python', 'nobody', 'state:offline', ''];
const wideSizes = [
  { width: 1440, height: 900 },
  { width: 1000, height: 620 },
  { width: 1920, height: 1080 },
];
const narrowSizes = [
  { width: 360, height: 740 },
  { width: 390, height: 844 },
  { width: 360, height: 420 },
];

interface Worker {
  id: string;
  token: string | undefined;
  agent: FakeAgent | undefined;
  hasLeases: boolean;
  credit: number;
  capabilities: string[];
  /** Tasks that it was told of and has not answered for, with their fence. */
  offered: Map<string, number>;
  held: Map<string, number>;
  /** What it wrote of each grant, bytes. */
  written: Map<string, number>;
}

interface Looker {
  name: string;
  page: Page;
  isNarrow: boolean;
  /** Something was reached by keys, so the focus must stay somewhere. */
  hasFocus: boolean;
  doing: string;
}

interface SeenTable {
  rows: number;
  sorted: { title: string; down: boolean } | undefined;
  current: string | undefined;
  drawn: { at: number; key: string; cells: string[] }[];
}

interface Seen {
  link: string;
  figures: string[];
  status: string;
  address: { agents: string; tasks: string; task: string | null };
  filters: { agents: string; tasks: string };
  agents: SeenTable | string;
  tasks: SeenTable | string;
  panel:
    | {
        title: string;
        facts: Record<string, string>;
        timeline: string[];
        result: string | undefined;
        late: string[];
        log: { lines: string; from: number; drawn: string[] };
        problem: string | undefined;
        buttons: string[];
      }
    | undefined;
}

interface HubState {
  agents: HubAgentInfo[];
  tasks: HubTaskInfo[];
  now: number;
}

type Open = (options: { size: [number, number]; theme: 'dark' | 'light' }) => Promise<Page>;

export class HubPageModel {
  /** What happened, for whoever asks why it failed. */
  readonly told: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #random: Random;
  readonly #running: RunningHub;
  readonly #open: Open;
  readonly #workers: Worker[];
  readonly #tasks: string[] = [];
  #lookers: Looker[] = [];
  #isUp = true;

  constructor(random: Random, running: RunningHub, open: Open) {
    this.#random = random;
    this.#running = running;
    this.#open = open;
    this.#workers = agentIds.map((id) => ({
      ...{ id, token: undefined, agent: undefined, hasLeases: true, credit: 1, capabilities: [] },
      ...{ offered: new Map(), held: new Map(), written: new Map() },
    }));
  }

  async start(): Promise<void> {
    const wide = { name: 'wide', page: await this.#open({ size: [1440, 900], theme: 'dark' }), isNarrow: false };
    const narrow = { name: 'narrow', page: await this.#open({ size: [360, 740], theme: 'light' }), isNarrow: true };
    this.#lookers = [wide, narrow].map((looker) => ({ ...looker, hasFocus: false, doing: '' }));
    for (const { page } of this.#lookers) {
      page.setDefaultTimeout(8000);
      await page.context().addInitScript(withoutLooks);
      await page.reload();
      await page.locator('[data-known=true]').waitFor();
    }
  }

  /** Things happen to the fleet, and each page is used once; what must hold at any time is looked at after each. */
  async step(): Promise<void> {
    const places = await Promise.all(this.#lookers.map((looker) => scrollPlaces(looker.page)));
    for (let times = 2 + this.#random.below(8); times > 0; times--) await this.#happen();
    await sleep(this.#random.below(250));
    for (const [index, looker] of this.#lookers.entries()) {
      await this.#check(looker, 'what happened to the fleet');
      await this.#checkPlaces(looker, places[index] as Place[]);
    }
    for (const looker of this.#lookers) {
      await this.#use(looker);
      await this.#check(looker, looker.doing);
    }
  }

  /** The hub goes, the pages are used without it, and it comes again at its place. */
  async restart(): Promise<void> {
    this.#tell('the hub stops');
    const { port } = new URL(this.#running.url);
    this.#isUp = false;
    await this.#running.hub.stop();
    for (const { page } of this.#lookers) await page.getByTestId('link').filter({ hasText: 'Reconnecting' }).waitFor();
    for (let times = this.#random.below(3); times > 0; times--)
      for (const looker of this.#lookers) {
        await this.#use(looker);
        await this.#check(looker, looker.doing);
      }
    this.#tell('the hub starts');
    await this.#running.restart({ port: Number(port) });
    this.#isUp = true;
    for (const worker of this.#workers) this.#lost(worker);
    for (const { page } of this.#lookers) await page.getByTestId('link').filter({ hasText: 'Live' }).waitFor({ timeout: BACK_WITHIN_MS });
  }

  /** Each page shows what the hub says, and is well formed. */
  async compare(): Promise<void> {
    this.#tell('both are compared with the hub');
    for (const looker of this.#lookers) {
      await this.#shows(looker.page, looker.name);
      assert.deepEqual(await accessibilityProblems(looker.page), [], `${looker.name}: ${this.#last()}`);
      await this.#check(looker, 'a look at it');
    }
  }

  /** What each shows, a page that is opened now shows as well. */
  async compareFresh(): Promise<void> {
    for (const { name, page } of this.#lookers) {
      const size = page.viewportSize() ?? { width: 1440, height: 900 };
      const fresh = await this.#open({ size: [size.width, size.height], theme: 'dark' });
      try {
        await fresh.goto(page.url());
        await fresh.locator('[data-known=true]').waitFor();
        await this.#shows(fresh, `${name}, opened anew`);
        await this.#shows(page, name);
      } finally {
        await fresh.close();
      }
    }
  }

  close(): void {
    for (const { agent } of this.#workers) agent?.end();
  }

  get pages(): readonly { name: string; page: Page }[] {
    return this.#lookers;
  }

  // What happens to the fleet.

  async #happen(): Promise<void> {
    const random = this.#random;
    const worker = random.of(this.#workers);
    if (worker.agent !== undefined && worker.agent.socket.readyState !== worker.agent.socket.OPEN) this.#lost(worker);
    if (worker.agent !== undefined) this.#read(worker);
    const chance = random.below(100);
    if (worker.agent === undefined ? chance < 60 : chance < 2) await this.#come(worker);
    else if (worker.agent !== undefined && chance < 68) this.#work(worker, worker.agent);
    else if (chance < 80) await this.#queue(chance === 79 ? MANY_TASKS : 1 + random.below(3));
    else if (chance < 85) await this.#askFor('tasks.cancel');
    else if (chance < 90) await this.#askFor('tasks.retry');
    else if (chance < 93) await this.#enrol(worker);
    else if (chance < 95) await this.#callQuietly(`new secret of ${worker.id}`, 'agents.rotate', { agent: worker.id }, ['NOT_FOUND']);
    else await sleep(random.below(400));
  }

  #work(worker: Worker, agent: FakeAgent): void {
    const random = this.#random;
    const chance = random.below(100);
    const [offer] = [...worker.offered].slice(random.below(Math.max(1, worker.offered.size)));
    const [grant] = [...worker.held].slice(random.below(Math.max(1, worker.held.size)));
    if (chance < 6) {
      this.#tell(`${worker.id} goes`);
      agent.end();
      this.#lost(worker);
    } else if (chance < 8) {
      this.#tell(`${worker.id} drains`);
      agent.send({ type: 'agent_restarting' });
    } else if (offer !== undefined && chance < 50) {
      const [task_id, generation] = offer;
      worker.offered.delete(task_id);
      if (random.below(6) === 0) {
        this.#tell(`${worker.id} refuses ${shortId(task_id)}`);
        agent.send({ type: 'task_rejected', task_id, generation, reason: random.of(texts) });
      } else {
        this.#tell(`${worker.id} takes ${shortId(task_id)}`);
        worker.held.set(task_id, generation);
        agent.send({ type: 'task_accepted', task_id, generation });
      }
    } else if (grant === undefined || chance < 20) this.#ping(worker, agent);
    else {
      const [task_id, generation] = grant;
      const of = { task_id, generation };
      if (chance < 35)
        agent.send({ type: 'task_progress', ...of, progress: random.below(101), execution_event: { text: random.of(texts) } });
      else if (chance < 75) this.#log(worker, agent, of);
      else if (chance < 80)
        // Of a grant that it had before, or never.
        agent.send({ type: 'task_complete', ...of, generation: Math.max(0, generation - 1), result: { output: random.of(texts) } });
      else {
        worker.held.delete(task_id);
        this.#tell(`${worker.id} ends ${shortId(task_id)}`);
        if (random.below(3) === 0) agent.send({ type: 'task_failed', ...of, reason: random.of(texts), retryable: random.below(3) > 0 });
        else agent.send({ type: 'task_complete', ...of, result: this.#result(), ...this.#report(task_id) });
      }
    }
  }

  #log(worker: Worker, agent: FakeAgent, of: { task_id: string; generation: number }): void {
    const random = this.#random;
    const stream = random.of(['stdout', 'stderr']);
    const times = random.below(8) === 0 ? 400 : 1;
    let text = '';
    for (let line = 0; line < times; line++)
      text += `${times > 1 ? `line ${line}` : random.of(texts)}${random.of(['\n', '\n', '\r\n', '', '\r'])}`;
    const key = `${of.task_id} ${of.generation} ${stream}`;
    const offset = worker.written.get(key) ?? 0;
    worker.written.set(key, offset + Buffer.byteLength(text));
    agent.send({ type: 'task_log', ...of, stream, offset, text });
    this.#tell(`${worker.id} writes ${times} to ${stream} of ${shortId(of.task_id)}`);
  }

  #result(): object {
    const random = this.#random;
    return random.of([
      { output: random.of(texts) },
      { output: 'y'.repeat(60_000), files: 3 },
      { nested: { list: Array.from({ length: 200 }, (_, index) => `value ${index}`), empty: null } },
      {},
    ]);
  }

  #report(task_id: string): object {
    const random = this.#random;
    if (random.below(3) > 0) return {};
    const status = random.of(['pass', 'fail', 'auto_pass', random.of(texts)]);
    const checks = [{ type: 'test', target: random.of(texts), status, output: '', duration_ms: 1 }];
    return { verification_report: { task_id, run_number: 1, status, started_at: 1, duration_ms: 1, timeout_ms: 1, checks } };
  }

  #ping(worker: Worker, agent: FakeAgent): void {
    const held = [...worker.held].map(([task_id, generation]) => ({ task_id, generation }));
    const offered = [...worker.offered].map(([task_id, generation]) => ({ task_id, generation }));
    worker.credit = this.#random.below(4);
    agent.send({ type: 'ping', ...(worker.hasLeases ? { credit: worker.credit, held: [...held, ...offered] } : {}) });
  }

  /** What the hub told it. */
  #read(worker: Worker): void {
    for (const frame of worker.agent?.frames.splice(0) ?? []) {
      const id = String(frame['task_id']);
      if (frame.type === 'task_assign') worker.offered.set(id, Number(frame['generation']));
      else if (frame.type === 'task_reassign') {
        worker.held.delete(id);
        worker.offered.delete(id);
      } else if (frame.type === 'task_cancelled' && this.#random.below(3) > 0) {
        const generation = worker.held.get(id) ?? worker.offered.get(id);
        worker.held.delete(id);
        worker.offered.delete(id);
        if (generation !== undefined)
          worker.agent?.send({ type: 'task_failed', task_id: id, generation, reason: 'cancelled', retryable: false });
      } else if (frame.type === 'pong')
        for (const { task_id } of (frame['nack'] ?? []) as { task_id: string }[]) {
          worker.held.delete(task_id);
          worker.offered.delete(task_id);
        }
    }
  }

  async #come(worker: Worker): Promise<void> {
    const random = this.#random;
    const { id } = worker;
    if (worker.token === undefined) await this.#enrol(worker);
    const { token } = worker;
    if (token === undefined) return;
    // Whoever is connected already is replaced.
    this.#tell(`${id} comes`);
    worker.agent?.end();
    const agent = await this.#running.agent(id, { token, identify: false });
    if (random.below(3) === 0) worker.held.clear();
    worker.offered.clear();
    worker.agent = agent;
    worker.hasLeases = random.below(5) > 0;
    worker.credit = random.below(4);
    worker.capabilities = capabilities.filter(() => random.below(2) === 0);
    const held = [...worker.held].map(([task_id, generation]) => ({ task_id, generation }));
    agent.send({
      type: 'identify',
      agent_id: id,
      token,
      name: random.of([id, 'סוכן', '<i data-evil>name</i>', 'n'.repeat(200)]),
      status: 'idle',
      capabilities: worker.capabilities,
      labels: random.of([{}, { os: 'linux', 'data center': 'grüße' }, { '<u data-evil>': '\u202Eabc' }]),
      client_type: 'sidecar',
      protocol_version: 1,
      version: '1.2.3',
      ...(worker.hasLeases ? { features: allFeatures, held, credit: worker.credit } : {}),
    });
    await Promise.race([agent.next('identified'), sleep(2000)]);
  }

  #lost(worker: Worker): void {
    worker.agent = undefined;
    worker.offered.clear();
  }

  /** Makes it known, or ends all of its secrets. */
  async #enrol(worker: Worker): Promise<void> {
    const { id } = worker;
    const { client } = this.#running;
    if (worker.token === undefined) {
      this.#tell(`${id} is registered`);
      const answer = await client.call('agents.register', { agent: id }).catch(unless('ALREADY_THERE'));
      worker.token = answer?.token;
      return;
    }
    this.#tell(`${id} is revoked`);
    await client.call('agents.revoke', { agent: id });
    worker.token = undefined;
    worker.held.clear();
    this.#lost(worker);
  }

  async #queue(many: number): Promise<void> {
    const random = this.#random;
    const tasks = Array.from({ length: many }, (_, index) => ({
      description: many > 3 ? `Job ${index} of many` : random.of(texts),
      priority: random.of(['urgent', 'high', 'normal', 'normal', 'low'] as const),
      needs: random.below(4) === 0 ? [random.of(capabilities)] : [],
      maxAttempts: 1 + random.below(3),
      backoffMs: random.below(600),
      ...(random.below(8) === 0 ? { agent: random.of(agentIds) } : {}),
      ...(random.below(6) === 0 && this.#tasks.length > 0 ? { after: [random.of(this.#tasks)] } : {}),
      ...(random.below(8) === 0 ? { group: 'one <b data-evil>', atOnce: 1 } : {}),
      ...(random.below(10) === 0 ? { runAt: Date.now() + random.below(3000) } : {}),
      ...(random.below(10) === 0 ? { deadline: Date.now() + 500 + random.below(5000) } : {}),
      ...(random.below(10) === 0 ? { metadata: { much: 'z'.repeat(100_000) } } : {}),
    }));
    this.#tell(`${many} tasks are queued`);
    const answer = await this.#running.client.call('tasks.create', { tasks });
    this.#tasks.push(...answer.tasks.map(({ id }) => id));
  }

  async #askFor(operation: 'tasks.cancel' | 'tasks.retry'): Promise<void> {
    if (this.#tasks.length === 0) return;
    const id = this.#random.of(this.#tasks.slice(-20));
    const reason = operation === 'tasks.cancel' ? { reason: this.#random.of(texts).slice(0, 2000) } : {};
    await this.#callQuietly(`${operation} of ${shortId(id)}`, operation, { id, ...reason }, ['TASK_STATE']);
  }

  async #callQuietly(what: string, operation: 'agents.rotate' | 'tasks.cancel' | 'tasks.retry', input: object, allowed: string[]) {
    this.#tell(what);
    const client = this.#running.client as Client<HubOperations>;
    await client.call(operation, input as never).catch(unless(...allowed));
  }

  // What somebody does with a page.

  async #use(looker: Looker): Promise<unknown> {
    const { page } = looker;
    const random = this.#random;
    const state = await page.evaluate(usableNow);
    const doing = state.dialog ? 'leave a dialog' : this.#choose(looker, state);
    looker.doing = doing;
    this.#tell(`${looker.name}: ${doing}`);
    this.counts[doing] = (this.counts[doing] ?? 0) + 1;
    switch (doing) {
      case 'leave a dialog':
        return this.#keys(looker, 'Escape');
      case 'filter tasks':
        return this.#filter(looker, 'tasks', random.of(filters));
      case 'filter agents':
        return this.#filter(looker, 'agents', random.of(agentFilters));
      case 'empty the filter':
        await page.keyboard.press('/');
        return this.#keys(looker, 'Escape');
      case 'show all':
        return this.#press(looker, page.getByRole('button', { name: 'Show all' }).first());
      case 'take a shortcut': {
        const group = page.getByRole('group', { name: random.of(['Tasks by state', 'Agents by state']) }).getByRole('button');
        return this.#press(looker, group.nth(random.below(3)));
      }
      case 'sort': {
        const heads = page.locator('[data-part=tasks] .sort').filter({ visible: true });
        const many = await heads.count();
        return many === 0 ? undefined : this.#press(looker, heads.nth(random.below(many)));
      }
      case 'walk the tasks':
      case 'walk the agents': {
        const part = doing === 'walk the tasks' ? 'tasks' : 'agents';
        const field = page.locator(`[data-part=${part}] [data-filter]`);
        await field.focus();
        await this.#keys(looker, 'ArrowDown');
        for (let times = random.below(6); times > 0; times--)
          await this.#keys(looker, random.of(['ArrowDown', 'ArrowDown', 'ArrowUp', 'End', 'Home', 'PageDown', 'PageUp']));
        if (random.below(2) === 0) await this.#keys(looker, 'Enter');
        return;
      }
      case 'click a task': {
        const rows = page.locator('[data-part=tasks] tr[data-row] [data-stop]');
        const many = Math.min(await rows.count(), 4);
        return many === 0 ? undefined : this.#press(looker, rows.nth(random.below(many)));
      }
      case 'scroll':
        looker.hasFocus = false;
        return page.evaluate((to) => {
          for (const box of document.querySelectorAll('.fleet-rows')) box.scrollTop = (box.scrollHeight * to) / 100;
        }, random.below(100));
      case 'cancel the task':
        return this.#press(looker, page.getByTestId('task-panel').getByRole('button', { name: 'Cancel task' }));
      case 'queue it again':
        return this.#press(looker, page.getByTestId('task-panel').getByRole('button', { name: 'Queue it again' }));
      case 'copy the link':
        return this.#press(looker, page.getByRole('button', { name: 'Copy link' }));
      case 'copy the log':
        return this.#press(looker, page.getByRole('button', { name: 'Copy the log' }));
      case 'close the panel':
        return this.#press(looker, page.getByRole('button', { name: 'Close (Esc)' }));
      case 'leave the panel':
        return this.#keys(looker, 'Escape');
      case 'go to another':
        return this.#press(looker, page.getByTestId('task-panel').locator('.kv .link').first());
      case 'dismiss':
        return this.#press(looker, page.getByRole('button', { name: 'Dismiss' }).first());
      case 'do as a message says':
        return this.#press(looker, page.getByTestId('toast').getByRole('button', { name: 'Queue it again' }).first());
      case 'add a task':
        return this.#add(looker);
      case 'revoke':
        return this.#revoke(looker);
      case 'enrol':
        if (!(await this.#press(looker, page.getByRole('banner').getByRole('button', { name: 'Enrol' })))) return;
        await page.getByRole('dialog').waitFor();
        await page.keyboard.insertText(random.of(['', 'no way', 'new-1', 'fixer-1']));
        return this.#keys(looker, 'Enter');
      case 'new secret':
        return this.#press(looker, page.locator('[data-part=agents] .acts .ib').filter({ visible: true }).first());
      case 'open its work':
        return this.#press(looker, page.locator('[data-part=agents] .link').filter({ visible: true }).first());
      case 'switch the theme':
        return this.#keys(looker, 'Alt+t');
      case 'resize':
        return page.setViewportSize(random.of(looker.isNarrow ? narrowSizes : wideSizes));
      case 'go back':
        looker.hasFocus = false;
        await page.goBack();
        return page.locator('[data-known=true]').waitFor();
      case 'go forward':
        looker.hasFocus = false;
        await page.goForward();
        return page.locator('[data-known=true]').waitFor();
      case 'reload':
        looker.hasFocus = false;
        await page.reload();
        return page.locator('[data-known=true]').waitFor();
    }
  }

  #choose({ isNarrow }: Looker, state: Usable): Action {
    const always: Action[] = ['switch the theme', 'resize'];
    const withHub: Action[] = [
      'reload',
      ...(state.canGoBack ? (['go back'] as const) : []),
      ...(state.canGoForward ? (['go forward'] as const) : []),
    ];
    const inPanel = panelActions.filter((action) => state.can.includes(action));
    const inMessages = messageActions.filter((action) => state.can.includes(action));
    const inTables: Action[] = [
      ...(['filter tasks', 'filter agents', 'empty the filter', 'take a shortcut', 'sort', 'walk the tasks', 'walk the tasks'] as const),
      ...(['walk the agents', 'click a task', 'click a task', 'scroll', 'add a task', 'add a task', 'enrol'] as const),
      ...tableActions.filter((action) => state.can.includes(action)),
    ];
    // On a narrow page the panel lies over the tables.
    const isCovered = state.panel && isNarrow;
    return this.#random.of([
      ...(this.#random.below(5) === 0 ? always : []),
      ...(this.#isUp && this.#random.below(4) === 0 ? withHub : []),
      ...inPanel,
      ...(state.panel ? (['leave the panel'] as const) : []),
      ...inMessages,
      ...(isCovered ? inPanel : inTables),
      ...(isCovered ? (['close the panel'] as const) : []),
    ]);
  }

  async #filter(looker: Looker, part: 'tasks' | 'agents', text: string): Promise<void> {
    const { page } = looker;
    await page.locator(`[data-part=${part}] [data-filter]`).focus();
    looker.hasFocus = true;
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    await page.keyboard.type(text);
    await this.#keepsFocus(looker, `typing ${text}`);
  }

  async #add(looker: Looker): Promise<void> {
    const { page } = looker;
    const random = this.#random;
    const buttons = page.getByRole('button', { name: 'Add a task' });
    if (!(await this.#press(looker, random.below(2) === 0 ? buttons.first() : buttons.last()))) return;
    await page.getByRole('dialog').waitFor();
    await page.keyboard.insertText(random.of(texts));
    if (random.below(3) === 0) {
      await page.keyboard.press('Tab');
      await page.keyboard.insertText(random.of(capabilities));
    }
    if (random.below(3) === 0) await page.locator('#task-priority').selectOption(random.of(['urgent', 'low']));
    await this.#keys(looker, 'Control+Enter');
  }

  async #revoke(looker: Looker): Promise<void> {
    const { page } = looker;
    if (!(await this.#press(looker, page.locator('[data-part=agents] .acts .ib + .ib').filter({ visible: true }).first()))) return;
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    const button = dialog.getByRole('button', { name: this.#random.of(['Keep it', 'Revoke']) });
    const id = /^Revoke (.*)$/.exec((await dialog.getAttribute('aria-label')) ?? '')?.[1];
    const isRevoked = (await button.innerText()).startsWith('Revoke');
    await this.#press(looker, button);
    const worker = this.#workers.find((one) => one.id === id);
    if (worker !== undefined && isRevoked && this.#isUp) Object.assign(worker, { token: undefined });
  }

  /** By keys, or by the mouse where no message lies over it; false where it went before. */
  async #press(looker: Looker, what: Locator): Promise<boolean> {
    const { page } = looker;
    const byMouse = this.#random.below(3) === 0 && (await page.locator('.toast, .banner').count()) === 0;
    try {
      if (byMouse) {
        looker.hasFocus = false;
        await what.click({ timeout: 1500 });
        return true;
      }
      await what.focus({ timeout: 1500 });
    } catch (error) {
      // It went meanwhile, or the panel came over it.
      if ((await what.count()) === 0 || !(await what.first().isVisible())) return false;
      if (byMouse && (await page.getByTestId('task-panel').isVisible())) return false;
      throw error;
    }
    const key = this.#random.of(['Enter', ' ']);
    const isThere = (await what.count()) > 0 && (await what.first().evaluate((element) => element === document.activeElement));
    if (isThere) await this.#keys(looker, key);
    return isThere;
  }

  async #keys(looker: Looker, key: string): Promise<void> {
    looker.hasFocus ||= await hasFocus(looker.page);
    await looker.page.keyboard.press(key);
    await this.#keepsFocus(looker, key);
  }

  async #keepsFocus(looker: Looker, after: string): Promise<void> {
    if (!looker.hasFocus) return;
    await assertFocusKept(looker.page, () => `${looker.name}: the focus is lost after ${after}, ${looker.doing}: ${this.#last()}`);
  }

  // What must hold.

  async #check(looker: Looker, after: string): Promise<void> {
    const { name, page } = looker;
    const said = `${name}, after ${after}: ${this.#last()}`;
    const { nodes, evil, over } = await page.evaluate(healthNow);
    assert.ok(nodes < MOST_NODES, `${nodes} nodes; ${said}`);
    assert.equal(evil, '', said);
    assert.equal(over, 0, `the page is wider than its window by ${over}; ${said}`);
    await this.#keepsFocus(looker, after);
  }

  async #checkPlaces({ name, page }: Looker, before: Place[]): Promise<void> {
    const now = await scrollPlaces(page);
    for (const place of before) {
      const same = now.find(({ part }) => part === place.part);
      // Where rows come and go by what happens to them, what stands first may be one that went.
      if (same === undefined || same.isEnd || place.isMoved || place.top === 0) continue;
      assert.equal(
        same.first,
        place.first,
        `${name}: the ${place.part} scrolled by themselves, ${place.top} to ${same.top}: ${this.#last()}`,
      );
    }
  }

  async #shows(page: Page, name: string): Promise<void> {
    let seen: Seen | undefined;
    await eventually(async () => {
      // Others have the computer as well.
      await sleep(60);
      const state = await this.#hubState();
      seen = await page.evaluate(seenNow);
      const { client } = this.#running;
      const { task } = seen.address;
      const [detail, audit, log] = await Promise.all([
        task === null ? undefined : client.call('tasks.get', { id: task }),
        task === null ? undefined : client.call('tasks.audit', { task, limit: 10_000 }),
        task === null ? [] : this.#logOf(task),
      ]);
      compareSeen(seen, state, detail, audit?.entries ?? [], log);
    }, TOLD_WITHIN_MS).catch((error: unknown) => {
      throw new assert.AssertionError({ message: `${name}: ${(error as Error).message}\n${this.#last()}` });
    });
    const shown = seen?.agents;
    this.counts['rows compared'] =
      (this.counts['rows compared'] ?? 0) +
      (typeof seen?.tasks === 'object' ? seen.tasks.drawn.length : 0) +
      (typeof shown === 'object' ? shown.drawn.length : 0);
    if (seen?.panel !== undefined) this.counts['panels compared'] = (this.counts['panels compared'] ?? 0) + 1;
  }

  async #hubState(): Promise<HubState> {
    const { client } = this.#running;
    const tasks: HubTaskInfo[] = [];
    for (let more = true; more; ) {
      const before = tasks.at(-1)?.id;
      const page = await client.call('tasks.list', { limit: 1000, ...(before === undefined ? {} : { before }) });
      tasks.push(...page.tasks);
      ({ more } = page);
    }
    const { agents } = await client.call('agents.list', {});
    return { agents, tasks, now: Date.now() };
  }

  async #logOf(id: string): Promise<{ stream: 'stdout' | 'stderr'; text: string; generation: number }[]> {
    const entries = [];
    for await (const entry of this.#running.client.stream('tasks.log', { id })) entries.push(entry);
    return entries;
  }

  #tell(what: string): void {
    this.told.push(what);
  }

  #last(): string {
    return this.told.slice(-25).join('; ');
  }
}

const panelActions = ['cancel the task', 'queue it again', 'copy the link', 'copy the log', 'close the panel', 'go to another'] as const;
const messageActions = ['dismiss', 'do as a message says'] as const;
const tableActions = ['show all', 'revoke', 'new secret', 'open its work'] as const;
type Action =
  | (typeof panelActions)[number]
  | (typeof messageActions)[number]
  | (typeof tableActions)[number]
  | 'leave a dialog'
  | 'leave the panel'
  | 'filter tasks'
  | 'filter agents'
  | 'empty the filter'
  | 'take a shortcut'
  | 'sort'
  | 'walk the tasks'
  | 'walk the agents'
  | 'click a task'
  | 'scroll'
  | 'add a task'
  | 'enrol'
  | 'switch the theme'
  | 'resize'
  | 'go back'
  | 'go forward'
  | 'reload';

function unless(...reasons: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!reasons.includes((error as { reason?: string }).reason ?? '')) throw error;
    return undefined;
  };
}

function compareSeen(
  seen: Seen,
  { agents, tasks, now }: HubState,
  detail: HubTaskDetail | undefined,
  entries: HubAuditEntry[],
  log: { stream: 'stdout' | 'stderr'; text: string; generation: number }[],
): void {
  const number = (value: number): string => value.toLocaleString('en');
  const those = (...states: HubTaskInfo['state'][]): HubTaskInfo[] => tasks.filter(({ state }) => states.includes(state));
  assert.equal(seen.link, 'Live');
  assert.deepEqual(seen.figures, [
    `${number(agents.filter(isConnected).length)} of ${number(agents.length)}`,
    number(those('running', 'offered').length),
    number(those('ready', 'scheduled').length),
    number(those('succeeded').filter(({ updatedAt }) => updatedAt > now - HOUR_MS).length),
    number(those('failed', 'dead').length),
  ]);
  assert.equal(seen.status, `${count(agents.length, 'agent')} · ${count(tasks.length, 'task')}`);
  assert.deepEqual([seen.filters.agents.trim(), seen.filters.tasks.trim()], [seen.address.agents, seen.address.tasks]);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const byName = new Intl.Collator('en', { numeric: true });
  compareTable(
    seen.agents,
    agents.toSorted((a, b) => byName.compare(a.id, b.id)).filter(agentFilter(seen.filters.agents)),
    agents.length === 0 ? 'No agents yet. Enrol one to run tasks on another machine.' : `No agent matches “${seen.filters.agents.trim()}”.`,
    agentOrders,
    (agent) => agentCells(agent, byId),
  );
  compareTable(
    seen.tasks,
    tasks.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)).filter(taskFilter(seen.filters.tasks)),
    tasks.length === 0 ? 'No tasks. Agents and people can add one.' : `No task matches “${seen.filters.tasks.trim()}”.`,
    taskOrders,
    (task) => taskCells(task, now),
  );
  if (typeof seen.tasks !== 'string' && seen.tasks.current !== undefined) assert.equal(seen.tasks.current, seen.address.task);
  assert.equal(seen.panel !== undefined, seen.address.task !== null);
  if (seen.panel === undefined) return;
  assert.equal(seen.panel.problem, undefined);
  assert.ok(detail !== undefined);
  const { panel } = seen;
  const { facts } = panel;
  assert.equal(panel.title, taskTitle(detail));
  assert.equal(facts['State']?.split(' ')[0], taskSign(detail).word.split(' ')[0]);
  const ofAttempt =
    detail.attempt === 0 ? `${count(detail.maxAttempts, 'attempt')} at most` : `attempt ${detail.attempt} of ${detail.maxAttempts}`;
  assert.equal(facts['Agent'], `${detail.holder ?? 'none yet'} ${ofAttempt}`);
  assert.equal(facts['Fence']?.split(' ')[0], String(detail.generation));
  assert.equal(facts['Asks for'], detail.needs.join('') || 'nothing special');
  assert.equal(facts['Priority'], detail.priority);
  assert.equal(facts['Id'], detail.id);
  const canRetry = ['failed', 'dead', 'cancelled'].includes(detail.state);
  assert.deepEqual(panel.buttons, [
    ...(!isOver(detail) && detail.cancelBy === null ? ['Cancel task'] : []),
    ...(canRetry ? ['Queue it again'] : []),
  ]);
  assert.deepEqual(
    panel.timeline,
    happenings(entries, detail).map(({ title, text }) => `${title}|${text.trim()}`),
  );
  assert.equal(panel.result, detail.result === null ? undefined : cut(JSON.stringify(detail.result, null, 2)));
  assert.deepEqual(
    panel.late,
    detail.late.map(({ result, reason }) => cut(result === null ? (reason ?? 'null') : JSON.stringify(result, null, 2))),
  );
  const lines = linesOf(log);
  const none = isOver(detail) ? 'No log is kept of it.' : 'Nothing was written yet.';
  assert.equal(panel.log.lines, lines.length === 0 ? none : count(lines.length, 'line'));
  assert.deepEqual(panel.log.drawn, lines.slice(panel.log.from, panel.log.from + panel.log.drawn.length));
  assert.equal(panel.log.drawn.length > 0, lines.length > 0);
}

function cut(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function linesOf(log: { stream: 'stdout' | 'stderr'; text: string; generation: number }[]): string[] {
  const lines = new LogLines(LOG_LIMITS);
  let last = 0;
  for (const { stream, text, generation } of log) {
    if (last !== 0 && last !== generation) lines.add('stdout', `\n— fence ${generation} —\n`);
    last = generation;
    lines.add(stream, text);
  }
  return lines.lines.map(({ stream, text }) => `${stream === 'stderr' ? 'stderr: ' : ''}${text}`);
}

type Orders<Row> = Record<string, (row: Row) => string | number>;
const taskOrders: Orders<HubTaskInfo> = {
  Task: taskTitle,
  State: (task) => taskSign(task).word,
  Agent: ({ holder }) => holder ?? '',
  Attempt: ({ attempt }) => attempt,
  Fence: ({ generation }) => generation,
  Age: ({ createdAt }) => -createdAt,
};
const agentOrders: Orders<HubAgentInfo> = {};

function compareTable<Row extends { id: string }>(
  seen: SeenTable | string,
  given: Row[],
  none: string,
  orders: Orders<Row>,
  cells: (row: Row) => string[],
): void {
  if (typeof seen === 'string' || given.length === 0)
    return assert.equal(typeof seen === 'string' ? seen : 'rows', given.length === 0 ? none : 'rows');
  assert.equal(seen.rows, given.length);
  const order = seen.sorted === undefined ? undefined : orders[seen.sorted.title];
  const rows = order === undefined ? given : inOrder(given, order, seen.sorted?.down === true);
  assert.ok(seen.drawn.length >= Math.min(rows.length, 3), `${seen.drawn.length} of ${rows.length} rows are drawn`);
  for (const { at, key, cells: shown } of seen.drawn) {
    const row = rows[at];
    assert.equal(key, row?.id, `row ${at}`);
    const expected = cells(row as Row);
    assert.deepEqual(shown.slice(0, expected.length).map(timeless), expected.map(timeless));
  }
}

function inOrder<Row>(rows: Row[], order: (row: Row) => string | number, isDown: boolean): Row[] {
  const collator = new Intl.Collator('en', { numeric: true });
  const compare = (a: string | number, b: string | number): number =>
    typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
  return rows.toSorted((a, b) => (isDown ? compare(order(b), order(a)) : compare(order(a), order(b))));
}

function taskCells(task: HubTaskInfo, now: number): string[] {
  const { id, priority, holder, attempt, generation } = task;
  const chip = priority === 'urgent' || priority === 'high' ? priority : '';
  return [
    shortId(id),
    `${taskTitle(task)}${chip}`,
    taskSign(task).word,
    holder ?? 'none yet',
    String(attempt),
    generation === 0 ? '' : String(generation),
    nextWords(task, now),
  ];
}

function agentCells(agent: HubAgentInfo, tasks: ReadonlyMap<string, HubTaskInfo>): string[] {
  const labels = agentLabels(agent);
  const { taken, room } = agentLoad(agent);
  const [first] = agent.tasks;
  const isThere = agent.state !== 'offline';
  return [
    agent.id,
    agentSign(agent).word,
    `${labels.slice(0, 4).join('')}${labels.length > 4 ? `+${labels.length - 4}` : ''}`,
    isThere ? `${taken} / ${room}` : '',
    first === undefined
      ? isThere
        ? 'idle'
        : 'no link'
      : `${taskTitle(tasks.get(first.id) ?? { id: first.id, description: '' })}${agent.tasks.length > 1 ? `+${agent.tasks.length - 1}` : ''}`,
  ];
}

/** Without what differs by when one looks. */
function timeless(text: string): string {
  return (
    text
      // That one is silent is seen by looks alone.
      .replace(/^(Silent|Online|Busy)$/, 'there')
      .replace(/\d+:\d\d left|lease ran out/, 'lease')
      .replace(/^stops (in|at) .*$/, 'stops')
      .replace(/^(again|starts) (in|at) .*$|^any moment$|^waits for \d+ tasks?$/, 'soon')
  );
}

interface Place {
  part: string;
  top: number;
  first: string | undefined;
  /** No further: as the other table becomes smaller, more of this one is in sight. */
  isEnd: boolean;
  /** What is there, or its order, depends on what happens. */
  isMoved: boolean;
}

async function scrollPlaces(page: Page): Promise<Place[]> {
  return page.evaluate(async () => {
    // What was scrolled is drawn with the next frame.
    for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
    return [...document.querySelectorAll<HTMLElement>('[data-part]')].flatMap((section) => {
      const box = section.querySelector('.fleet-rows');
      if (box === null) return [];
      const head = box.getBoundingClientRect().top + (box.querySelector('thead')?.getBoundingClientRect().height ?? 0);
      const rows = [...box.querySelectorAll<HTMLElement>('tr[data-row]')];
      const first = rows.find((row) => row.getBoundingClientRect().bottom > head + 1)?.dataset['row'];
      const filter = section.querySelector<HTMLInputElement>('[data-filter]')?.value ?? '';
      const isSorted = box.querySelector('[aria-sort]') !== null;
      const isEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 1;
      return [{ part: section.dataset['part'] ?? '', top: box.scrollTop, first, isEnd, isMoved: isSorted || filter !== '' }];
    });
  });
}

// In the page.

/** So that nothing is seen by a look alone that should have been told. */
function withoutLooks(): void {
  const LOOK_MS = 10_000;
  const { setInterval: original } = globalThis;
  Object.assign(globalThis, { setInterval: (run: () => void, ms: number) => (ms === LOOK_MS ? 0 : original(run, ms)) });
}

interface Usable {
  dialog: boolean;
  panel: boolean;
  can: string[];
  canGoBack: boolean;
  canGoForward: boolean;
}

function usableNow(): Usable {
  const isThere = (selector: string): boolean =>
    [...document.querySelectorAll<HTMLElement>(selector)].some((element) => element.checkVisibility());
  const says = (selector: string, text: string): boolean =>
    [...document.querySelectorAll<HTMLElement>(selector)].some(({ textContent }) => textContent.includes(text));
  const { navigation } = globalThis as unknown as { navigation: { canGoBack: boolean; canGoForward: boolean } };
  const places: [string, boolean][] = [
    ['cancel the task', says('.drw button', 'Cancel task')],
    ['queue it again', says('.drw button', 'Queue it again')],
    ['copy the link', isThere('.drw [aria-label="Copy link"]')],
    ['copy the log', isThere('.drw [aria-label="Copy the log"]')],
    ['close the panel', isThere('.drw [aria-label="Close (Esc)"]')],
    ['go to another', isThere('.drw .kv .link')],
    ['dismiss', isThere('.toast [aria-label=Dismiss]')],
    ['do as a message says', says('.toast button', 'Queue it again')],
    ['show all', says('.nothing button', 'Show all')],
    ['revoke', isThere('[data-part=agents] .acts .ib + .ib')],
    ['new secret', isThere('[data-part=agents] .acts .ib')],
    ['open its work', isThere('[data-part=agents] .link')],
  ];
  return {
    dialog: isThere('dialog[open]'),
    panel: isThere('.drw'),
    can: places.filter(([, can]) => can).map(([name]) => name),
    canGoBack: navigation.canGoBack,
    canGoForward: navigation.canGoForward,
  };
}

function healthNow(): { nodes: number; evil: string; over: number } {
  const markup = document.querySelector('[data-evil], img[src="x"], td script')?.outerHTML ?? '';
  const { documentElement: root, body } = document;
  // What is wider than one of these can't be seen.
  const boxes = [root, body, ...document.querySelectorAll('main, .drw, .drw > .scroll')];
  return {
    nodes: document.querySelectorAll('*').length,
    evil: 'evil' in globalThis ? 'what an agent said was run' : markup,
    over: Math.max(root.scrollLeft, ...boxes.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)),
  };
}

function seenNow(): Seen {
  const textOf = (selector: string, within: ParentNode = document): string => within.querySelector(selector)?.textContent.trim() ?? '';
  const table = (part: string): SeenTable | string => {
    const section = document.querySelector(`[data-part=${part}]`);
    const box = section?.querySelector('table');
    if (section === null || box === null || box === undefined) return textOf('.nothing p', section ?? document);
    const sorted = box.querySelector('[aria-sort]');
    return {
      rows: Number(box.getAttribute('aria-rowcount')) - 1,
      sorted: sorted === null ? undefined : { title: sorted.textContent.trim(), down: sorted.getAttribute('aria-sort') === 'descending' },
      current: box.querySelector<HTMLElement>('tr[aria-current]')?.dataset['row'],
      drawn: [...box.querySelectorAll<HTMLTableRowElement>('tr[data-row]')].map((row) => ({
        at: Number(row.getAttribute('aria-rowindex')) - 2,
        key: row.dataset['row'] ?? '',
        cells: [...row.cells].map(({ textContent }) => textContent.trim()),
      })),
    };
  };
  const query = new URLSearchParams(location.search);
  const panel = document.querySelector('.drw');
  const names = [...(panel?.querySelectorAll('.kv dt') ?? [])].map((name) => [
    name.textContent,
    name.nextElementSibling?.textContent ?? '',
  ]);
  const box = panel?.querySelector('.log');
  const shift = box?.querySelector<HTMLElement>('.log-lines > div')?.style.transform ?? '';
  return {
    link: textOf('[data-testid=link]'),
    figures: [...document.querySelectorAll('.kpi dd')].map(({ textContent }) => textContent.trim()),
    status: textOf('.status .num'),
    address: { agents: query.get('agents') ?? '', tasks: query.get('tasks') ?? '', task: query.get('task') },
    filters: {
      agents: document.querySelector<HTMLInputElement>('[data-part=agents] [data-filter]')?.value ?? '',
      tasks: document.querySelector<HTMLInputElement>('[data-part=tasks] [data-filter]')?.value ?? '',
    },
    agents: table('agents'),
    tasks: table('tasks'),
    panel:
      panel === null
        ? undefined
        : {
            title: textOf('.what', panel),
            facts: Object.fromEntries(names) as Record<string, string>,
            timeline: [...panel.querySelectorAll('.tl li')].map((item) => `${textOf('b', item)}|${textOf('p', item)}`),
            result: panel.querySelector('[data-testid=result] pre')?.textContent ?? undefined,
            late: [...panel.querySelectorAll('[data-testid=late] pre')].map(({ textContent }) => textContent),
            log: {
              lines: textOf('.log-title .num', panel) || textOf('.log p', panel),
              from: Math.round(Number(/-?[\d.]+/.exec(shift)?.[0] ?? 0) / 18),
              drawn: [...(box?.querySelectorAll('.ll') ?? [])].map(({ textContent }) => textContent),
            },
            problem: panel.querySelector('[role=alert]')?.textContent ?? undefined,
            buttons: [...panel.querySelectorAll('.task-acts button')].map(({ textContent }) => textContent.trim()),
          },
  };
}

// For tests: a sidecar whose folder is changed by chance from all sides, two windows of its page used by chance, and what must hold of them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';
import { type Client, createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { accessibilityProblems, pageToken, type Workbenches } from './browser.ts';
import { eventually } from './eventually.ts';
import { assertFocusKept, FOCUS_WITHIN_MS, hasFocus } from './focus-kept.ts';
import type { Random } from './random.ts';
import { compareSeen, healthNow, type Seen, seenNow, type Truth, truthOf } from './workbench-model-page.ts';
import { openYjsClient, type YjsClient } from './yjs-client.ts';

const RESTS_WITHIN_MS = 15_000;
const BACK_WITHIN_MS = 20_000;
const MOST_NODES = 4000;

export const modelFiles: Record<string, string> = {
  'README.md': '# Loans\n\nalpha beta\n',
  'a.txt': 'alpha\n',
  'b.txt': 'beta\nalpha\n',
  'c 10.txt': 'ten\n',
  'c 9.txt': 'nine\n',
  'models/loan.py': 'class Loan:\n    days = 14\n',
  'models/deep/er/one.txt': 'one\n',
  'models/member.py': 'class Member:\n    pass\n',
  'docs/ünï.md': 'alpha\n',
  '.gitignore': '*.log\nbuild/\n',
};

const names = ['x.txt', 'y.md', 'z.py', 'new 1.txt', 'Übung.txt', 'noise.log', 'w.json', '漢字.txt', 'a-b.ts', 'Q.txt'] as const;
const folders = ['src', 'Lib', 'build', 'sub dir', 'é'] as const;
const sizes = [
  { width: 1440, height: 900 },
  { width: 1000, height: 620 },
  { width: 760, height: 700 },
] as const;

interface Looker {
  name: string;
  page: Page;
  /** Something was reached by keys, so the focus must stay somewhere. */
  hasFocus: boolean;
  /** What had it when that was looked at last. */
  hadFocus: string;
  doing: string;
}

type Action =
  | 'leave a dialog'
  | 'open by name'
  | 'open in the tree'
  | 'walk the tree'
  | 'fold all'
  | 'switch tabs'
  | 'beside'
  | 'close a tab'
  | 'type'
  | 'undo'
  | 'make a file'
  | 'make a folder'
  | 'rename'
  | 'delete'
  | 'drag'
  | 'search'
  | 'replace'
  | 'source control'
  | 'stage'
  | 'commit'
  | 'discard'
  | 'compare'
  | 'activity'
  | 'history'
  | 'keep a checkpoint'
  | 'terminal'
  | 'press a button of a message'
  | 'look at keys'
  | 'walk the regions'
  | 'switch the theme'
  | 'resize'
  | 'reload';

/** What takes no text away: what is typed among these is there in the end. */
const gentle: readonly Action[] = [
  ...(['open by name', 'open by name', 'open in the tree', 'walk the tree', 'fold all', 'switch tabs', 'beside', 'close a tab'] as const),
  ...(['type', 'type', 'type', 'type', 'make a file', 'make a folder', 'rename', 'rename', 'drag', 'search', 'source control'] as const),
  ...(['stage', 'commit', 'compare', 'activity', 'history', 'keep a checkpoint', 'look at keys', 'walk the regions', 'resize'] as const),
  ...(['switch the theme', 'reload'] as const),
];
const rough: readonly Action[] = [
  ...gentle,
  ...(['undo', 'undo', 'delete', 'delete', 'replace', 'discard', 'press a button of a message', 'terminal'] as const),
];

export class WorkbenchModel {
  /** What happened, for whoever asks why it failed. */
  readonly told: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #random: Random;
  readonly #workbenches: Workbenches;
  readonly #client: Client<Operations>;
  #lookers: Looker[] = [];
  #clients: { path: string; client: YjsClient }[] = [];
  #isUp = true;
  /** Nothing takes text away in this round. */
  #isGentle = false;
  #words = 0;
  /** Typed, and seen in its window, in a gentle round. */
  #kept: string[] = [];
  /** By whose window: names of the tabs whose file was gone when it was looked at last. They go along with the folder that they were in. */
  readonly #dead = new Map<string, string[]>();

  constructor(random: Random, workbenches: Workbenches) {
    this.#random = random;
    this.#workbenches = workbenches;
    this.#client = createClient<Operations>({ url: workbenches.url, token: pageToken });
  }

  async start(): Promise<void> {
    const { page } = this.#workbenches;
    this.#lookers = [
      { name: 'Ada', page: await page({ name: 'Ada' }), hasFocus: false, hadFocus: '', doing: '' },
      { name: 'Ben', page: await page({ name: 'Ben', theme: 'light', size: [1000, 620] }), hasFocus: false, hadFocus: '', doing: '' },
    ];
    for (const { page: one } of this.#lookers) {
      one.setDefaultTimeout(8000);
      // Who leaves with something unsent is asked, and does.
      one.on('dialog', (dialog) => void dialog.accept());
      await one.context().addInitScript(notedSockets);
      await one.reload();
      await one.locator('[data-known=true]').waitFor();
    }
  }

  close(): void {
    for (const { client } of this.#clients) client.destroy();
    this.#client.close();
  }

  get pages(): readonly { name: string; page: Page }[] {
    return this.#lookers;
  }

  /** Some steps, with an end of the sidecar among them, then all is at rest and is compared. */
  async round(steps: number): Promise<void> {
    const random = this.#random;
    this.#isGentle = random.below(2) === 0;
    this.#tell(this.#isGentle ? '— a gentle round' : '— a rough round');
    const endsAt = random.below(3) === 0 ? random.below(steps) : -1;
    for (let step = 0; step < steps; step++) {
      if (step === endsAt) await this.#end();
      await this.#step();
    }
    await this.compare();
  }

  async #step(): Promise<void> {
    for (let times = this.#random.below(4); times > 0; times--) await this.#happen();
    for (const looker of this.#lookers) {
      await this.#check(looker, 'what others did');
      await this.#use(looker);
      await this.#check(looker, looker.doing);
    }
  }

  async #end(): Promise<void> {
    const isKill = this.#random.below(2) === 0;
    this.#tell(isKill ? 'the sidecar is killed' : 'the sidecar stops');
    this.#isUp = false;
    await (isKill ? this.#workbenches.kill() : this.#workbenches.stop());
    for (let times = this.#random.below(3); times > 0; times--)
      for (const looker of this.#lookers) {
        await this.#use(looker);
        await this.#check(looker, looker.doing);
      }
    if (!this.#isGentle) for (let times = this.#random.below(3); times > 0; times--) this.#changeDisk();
    this.#tell('the sidecar starts');
    await this.#workbenches.restart();
    this.#isUp = true;
    if (this.#random.below(2) === 0)
      for (const { page } of this.#lookers) await page.getByTestId('link').filter({ hasText: 'Live' }).waitFor({ timeout: BACK_WITHIN_MS });
  }

  /** All is at rest, and each window shows what the sidecar and the disk say. */
  async compare(): Promise<void> {
    this.#tell('all is compared');
    for (const looker of this.#lookers) {
      await this.#leaveOverlay(looker);
      await this.#leaveTerminal(looker);
    }
    await this.#atRest();
    // A field for a name comes when its folder is listed: that waited for the link.
    for (const looker of this.#lookers) await this.#leaveOverlay(looker);
    const truth = await this.#truth();
    this.#checkWords(truth);
    for (const looker of this.#lookers) {
      await this.#shows(looker.page, looker.name);
      await this.#searches(looker);
      await this.#walkTabs(looker);
      await this.#find(looker, truth);
      await this.#check(looker, 'a look at it');
    }
  }

  /** What the windows show, one that is opened now shows as well. */
  async compareFresh(): Promise<void> {
    const { page } = this.#workbenches;
    const fresh = await page({ name: 'Eve', size: [1440, 900] });
    this.#tell('Eve comes');
    const looker = { name: 'Eve', page: fresh, hasFocus: false, hadFocus: '', doing: '' };
    await this.#unfoldAll(looker);
    await this.#shows(fresh, 'Eve');
    for (const one of this.#lookers) {
      await this.#unfoldAll(one);
      await this.#shows(one.page, one.name);
      assert.deepEqual(await accessibilityProblems(one.page), [], `${one.name}: ${this.#last()}`);
    }
    await fresh.close();
  }

  // What others do.

  async #happen(): Promise<void> {
    const chance = this.#random.below(100);
    if (chance < 35) await this.#typeElsewhere();
    else if (chance < 65) this.#changeDisk();
    else if (chance < 80) await this.#callApi();
    else if (chance < 90) this.#git();
    else if (chance < 95) await this.#cut();
    else await sleep(this.#random.below(300));
  }

  async #typeElsewhere(): Promise<void> {
    const random = this.#random;
    if (this.#clients.length < 2 && random.below(3) === 0) {
      const file = random.of(this.#files());
      if (file === undefined || this.#clients.some((one) => one.path === file)) return;
      this.#tell(`Cyd opens ${file}`);
      const client = openYjsClient(this.#workbenches.url, { token: pageToken, room: encodeURI(file), name: 'Cyd' });
      this.#clients.push({ path: file, client });
      client.provider.awareness.setLocalStateField('cursor', null);
      return;
    }
    const one = random.of(this.#clients);
    if (one === undefined) return;
    if (random.below(5) === 0) {
      this.#tell(`Cyd leaves ${one.path}`);
      this.#clients = this.#clients.filter((other) => other !== one);
      one.client.destroy();
    } else if (random.below(6) === 0) one.client.cut();
    else if (one.client.provider.synced) {
      const word = this.#word();
      const { text } = one.client;
      this.#tell(`Cyd types ${word} into ${one.path}`);
      text.insert(random.of([0, text.length]), ` ${word} `);
    }
    await sleep(random.below(60));
  }

  #changeDisk(): void {
    const random = this.#random;
    const { root } = this.#workbenches;
    const at = (name: string): string => path.join(root, name);
    const files = this.#files();
    const [file] = [random.of(files)];
    const dirs = this.#folders();
    const folder = random.of(dirs);
    const kinds = this.#isGentle
      ? (['append', 'make', 'make a folder', 'rename', 'rename a folder'] as const)
      : (['append', 'save', 'save', 'make', 'make a folder', 'rename', 'rename a folder', 'remove', 'remove a folder'] as const);
    const kind = random.of<string>(kinds);
    const isFree = (name: string): boolean => !fs.existsSync(at(name));
    if (kind === 'append' && file !== undefined) {
      this.#tell(`a program appends to ${file}`);
      fs.appendFileSync(at(file), `disk ${this.#word()}\n`);
    } else if (kind === 'save' && file !== undefined) {
      this.#tell(`a program saves ${file}`);
      const lines = fs.readFileSync(at(file), 'utf8').split('\n');
      lines.splice(random.below(lines.length), random.below(2), `disk ${this.#word()}`);
      if (random.below(2) === 0) fs.writeFileSync(at(file), lines.join('\n'));
      else {
        fs.writeFileSync(at(`${file}.tmp`), lines.join('\n'));
        fs.renameSync(at(`${file}.tmp`), at(file));
      }
    } else if (kind === 'make') {
      const name = join(random.of(['', ...dirs]), random.of(names));
      if (!isFree(name)) return;
      this.#tell(`a program makes ${name}`);
      fs.writeFileSync(at(name), `disk ${this.#word()}\n`);
    } else if (kind === 'make a folder') {
      const name = join(random.of(['', ...dirs]), random.of(folders));
      if (!isFree(name) || name.split('/').length > 4) return;
      this.#tell(`a program makes the folder ${name}`);
      fs.mkdirSync(at(name));
      for (const each of names.slice(0, random.below(3))) fs.writeFileSync(at(join(name, each)), `disk ${this.#word()}\n`);
    } else if (kind === 'rename' && file !== undefined) {
      const name = join(random.of(['', ...dirs]), random.of(names));
      if (!isFree(name) && (this.#isGentle || random.below(3) > 0)) return;
      if (!isFree(name) && fs.statSync(at(name)).isDirectory()) return;
      this.#tell(`a program renames ${file} to ${name}`);
      fs.renameSync(at(file), at(name));
    } else if (kind === 'rename a folder' && folder !== undefined) {
      const name = join(random.of(['', ...dirs]), random.of(folders));
      if (!isFree(name) || within(folder, name) || name.split('/').length > 4) return;
      this.#tell(`a program renames the folder ${folder} to ${name}`);
      fs.renameSync(at(folder), at(name));
    } else if (kind === 'remove' && file !== undefined && files.length > 4) {
      this.#tell(`a program removes ${file}`);
      fs.rmSync(at(file));
    } else if (kind === 'remove a folder' && folder !== undefined && random.below(2) === 0) {
      this.#tell(`a program removes the folder ${folder}`);
      fs.rmSync(at(folder), { recursive: true });
    }
  }

  async #callApi(): Promise<void> {
    if (!this.#isUp) return;
    const random = this.#random;
    const files = this.#files();
    const file = random.of(files);
    if (file === undefined) return;
    const to = join(random.of(['', ...this.#folders()]), random.of(names));
    const kind = random.of(this.#isGentle ? ['edit', 'move', 'create'] : ['edit', 'write', 'move', 'create', 'remove', 'move a folder']);
    const call = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      this.#tell(`a call ${what}`);
      await work().catch((error: unknown) => this.#tell(`refused: ${(error as { reason?: string }).reason}`));
    };
    const client = this.#client;
    if (kind === 'edit')
      await call(`edits ${file}`, async () => {
        const { text } = await client.call('files.read', { path: file });
        const [line = ''] = text.split('\n');
        await client.call('files.edit', { path: file, edits: [{ find: line, replace: `${line} call ${this.#word()}` }] });
      });
    else if (kind === 'write')
      await call(`writes ${file}`, () => client.call('files.write', { path: file, text: `written ${this.#word()}\nalpha\n` }));
    else if (kind === 'move') await call(`moves ${file} to ${to}`, () => client.call('files.move', { from: file, to }));
    else if (kind === 'create') await call(`makes ${to}`, () => client.call('files.create', { path: to, text: `made ${this.#word()}\n` }));
    else if (kind === 'remove' && files.length > 4) await call(`removes ${file}`, () => client.call('files.remove', { path: file }));
    else if (kind === 'move a folder') {
      const folder = random.of(this.#folders());
      const place = random.of(folders);
      if (folder !== undefined && !within(folder, place))
        await call(`moves the folder ${folder} to ${place}`, () => client.call('files.move', { from: folder, to: place }));
    }
  }

  #git(): void {
    const random = this.#random;
    const command = random.of(this.#isGentle ? ['commit', 'add'] : ['commit', 'commit', 'add', 'branch', 'checkout', 'checkout', 'reset']);
    const git = (...given: string[]): void => {
      this.#tell(`git ${given.join(' ')}`);
      try {
        const who = ['-c', 'user.name=Lead', '-c', 'user.email=lead@example.org', '-c', 'commit.gpgsign=false'];
        execFileSync('git', ['-C', this.#workbenches.root, ...who, ...given], { stdio: ['ignore', 'pipe', 'pipe'] });
      } catch {
        // Nothing to commit, what would be overwritten, or the sidecar is at it.
        this.#tell('git refused');
      }
    };
    if (command === 'add') git('add', '-A');
    else if (command === 'commit') {
      git('add', '-A');
      git('commit', '-q', '-m', `Commit ${this.#words}`);
    } else if (command === 'branch') git('checkout', '-q', '-b', `branch-${this.#words}`);
    else if (command === 'reset') git('reset', '-q', '--hard');
    else {
      const all = execFileSync('git', ['-C', this.#workbenches.root, 'branch', '--format=%(refname:short)'], { encoding: 'utf8' });
      git('checkout', '-q', random.of(all.trim().split('\n')));
    }
  }

  async #cut(): Promise<void> {
    const { name, page } = this.#random.of(this.#lookers);
    this.#tell(`the connection of ${name} is cut`);
    await page.evaluate(() => {
      const { sockets } = globalThis as unknown as { sockets?: Set<WebSocket> };
      for (const socket of sockets ?? []) socket.close();
    });
  }

  // What somebody does with a page.

  async #use(looker: Looker): Promise<unknown> {
    const { page } = looker;
    const random = this.#random;
    const hasOverlay = (await page.locator('[role=dialog]').count()) > 0;
    let doing: Action = hasOverlay ? 'leave a dialog' : random.of(this.#isGentle ? gentle : rough);
    if (doing === 'reload' && (!this.#isUp || random.below(2) === 0)) doing = 'type';
    looker.doing = doing;
    this.#tell(`${looker.name}: ${doing}`);
    await this.#leaveTerminal(looker);
    this.counts[doing] = (this.counts[doing] ?? 0) + 1;
    switch (doing) {
      case 'leave a dialog':
        return this.#leaveOverlay(looker);
      case 'open by name': {
        const file = random.of(this.#files());
        if (file === undefined) return;
        this.#tell(file);
        await this.#keys(looker, 'Control+p');
        const field = page.getByRole('combobox', { name: 'Go to file' });
        await field.fill(file);
        await sleep(random.below(100));
        await this.#keys(looker, random.of(['Enter', 'Enter', 'Control+Enter', 'Escape']));
        return;
      }
      case 'open in the tree': {
        await this.#keys(looker, 'Control+Shift+e');
        const rows = page.locator('.tree [role=treeitem]');
        const many = await rows.count();
        if (many === 0) return;
        return this.#click(looker, rows.nth(random.below(many)), random.below(4) === 0 ? 2 : 1);
      }
      case 'walk the tree':
        await this.#keys(looker, 'Control+Shift+e');
        for (let times = 1 + random.below(6); times > 0; times--)
          await this.#keys(
            looker,
            random.of(['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'End', 'Home', 'm']),
          );
        if (random.below(2) === 0) await this.#keys(looker, random.of(['Enter', ' ', 'Control+Enter']));
        return;
      case 'fold all':
        await this.#keys(looker, 'Control+Shift+e');
        return this.#click(looker, page.getByRole('button', { name: 'Collapse all' }));
      case 'switch tabs':
        return this.#keys(looker, random.of(['Control+PageDown', 'Control+PageUp']));
      case 'beside':
        return this.#keys(looker, 'Control+\\');
      case 'close a tab':
        if (random.below(2) === 0) return this.#keys(looker, 'Alt+w');
        return this.#click(looker, page.locator('.tabs [role=tab] .x').first());
      case 'type':
        return this.#type(looker);
      case 'undo':
        if (!(await this.#toEditor(looker))) return;
        for (let times = 1 + random.below(3); times > 0; times--)
          await this.#keys(looker, random.of(['Control+z', 'Control+z', 'Control+y']));
        return;
      case 'make a file':
      case 'make a folder': {
        await this.#keys(looker, 'Control+Shift+e');
        if (!(await this.#isIn(looker, '.tree'))) return;
        await this.#keys(looker, doing === 'make a file' ? 'a' : 'Shift+A');
        return this.#giveName(looker, random.of(doing === 'make a file' ? [...names, 'in/side.txt'] : folders));
      }
      case 'rename':
        await this.#keys(looker, 'Control+Shift+e');
        if (!(await this.#isIn(looker, '.tree'))) return;
        for (let times = random.below(5); times > 0; times--) await this.#keys(looker, random.of(['ArrowDown', 'ArrowUp', 'End']));
        await this.#keys(looker, 'F2');
        return this.#giveName(looker, random.of([...names, ...folders]));
      case 'delete':
        await this.#keys(looker, 'Control+Shift+e');
        if (!(await this.#isIn(looker, '.tree'))) return;
        for (let times = random.below(5); times > 0; times--)
          await this.#keys(looker, random.of(['ArrowDown', 'Shift+ArrowDown', 'ArrowUp']));
        return this.#files().length > 6 ? this.#keys(looker, 'Delete') : undefined;
      case 'drag':
        return this.#drag(looker);
      case 'search':
        await this.#keys(looker, 'Control+Shift+f');
        if (!(await this.#isIn(looker, '.sr-form'))) return;
        await page.keyboard.type(random.of(['alpha', 'disk', 'w1', 'no such thing']));
        await sleep(random.below(300));
        await this.#keys(looker, 'ArrowDown');
        for (let times = random.below(4); times > 0; times--)
          await this.#keys(looker, random.of(['ArrowDown', 'ArrowLeft', 'ArrowRight', 'Enter', ' ']));
        return;
      case 'replace': {
        await this.#keys(looker, 'Control+Shift+h');
        const [from, to] = random.of([
          ['alpha', 'beta'],
          ['beta', 'alpha'],
        ] as const);
        await page.getByRole('textbox', { name: 'Search text' }).fill(from);
        await page.getByTestId('replacement').fill(to);
        const button = page.getByRole('button', { name: /^Replace \d+ places?/ });
        await button.waitFor({ timeout: 1000 }).catch(() => undefined);
        if (!(await button.isVisible()) || !(await button.isEnabled())) return;
        await button.focus();
        await this.#keys(looker, 'Enter');
        return;
      }
      case 'source control':
        return this.#keys(looker, 'Control+Shift+g');
      case 'stage':
      case 'discard': {
        await this.#keys(looker, 'Control+Shift+g');
        const rows = page.locator('.scm [data-testid=change] [data-row]');
        await rows
          .first()
          .waitFor({ timeout: 500 })
          .catch(() => undefined);
        const many = await rows.count();
        if (many === 0) return;
        const row = rows.nth(random.below(many));
        if (!(await this.#focus(looker, row))) return;
        await this.#keys(looker, doing === 'discard' ? 'Delete' : random.of(['+', '-', 'Enter', 'ArrowDown']));
        return;
      }
      case 'commit':
        await this.#keys(looker, 'Control+Shift+g');
        if (!(await this.#focus(looker, page.getByRole('textbox', { name: 'Commit message' })))) return;
        await page.keyboard.type(`From the page ${this.#words}`);
        return this.#keys(looker, 'Control+Enter');
      case 'compare':
        await this.#keys(looker, 'Alt+d');
        return this.#keys(looker, random.of(['F7', 'F7', 'Escape']));
      case 'activity':
        return this.#keys(looker, 'Control+Shift+y');
      case 'history':
        return this.#keys(looker, 'Alt+h');
      case 'keep a checkpoint':
        await this.#command(looker, 'Keep a checkpoint now');
        await page
          .getByRole('dialog')
          .waitFor({ timeout: 1000 })
          .catch(() => undefined);
        if ((await page.getByRole('dialog').count()) === 0) return;
        await page.keyboard.type('kept');
        return this.#keys(looker, 'Enter');
      case 'terminal':
        await this.#keys(looker, 'Control+`');
        await sleep(random.below(300));
        return this.#keys(looker, 'Control+`');
      case 'press a button of a message': {
        const buttons = page.locator('.toast button').filter({ hasNotText: /for good/ });
        const many = await buttons.count();
        if (many === 0) return;
        if (!(await this.#focus(looker, buttons.nth(random.below(many))))) return;
        this.#tell(await page.evaluate(() => document.activeElement?.closest('.toast')?.textContent ?? 'it is gone'));
        return this.#keys(looker, 'Enter');
      }
      case 'look at keys':
        await this.#command(looker, 'Keys');
        return this.#leaveOverlay(looker);
      case 'walk the regions':
        for (let times = 1 + random.below(4); times > 0; times--) await this.#keys(looker, random.of(['F6', 'F6', 'Shift+F6']));
        return;
      case 'switch the theme':
        return this.#keys(looker, 'Alt+t');
      case 'resize':
        return page.setViewportSize(random.of(sizes));
      case 'reload':
        looker.hasFocus = false;
        await page.reload();
        return page.locator('[data-known=true]').waitFor();
    }
  }

  async #leaveOverlay(looker: Looker): Promise<void> {
    const { page } = looker;
    for (let times = 0; times < 3 && (await page.locator('[role=dialog], .name-field').count()) > 0; times++) {
      if ((await page.locator('.name-field input').count()) > 0) await page.locator('.name-field input').focus();
      await this.#keys(looker, 'Escape');
      await sleep(20);
    }
  }

  /** All but a few keys are for the program in it. */
  async #leaveTerminal(looker: Looker): Promise<void> {
    if (!(await this.#isIn(looker, '.term'))) return;
    await this.#keys(looker, 'Control+`');
    // The focus goes with the next frame.
    await eventually(async () => !(await this.#isIn(looker, '.term')), FOCUS_WITHIN_MS);
  }

  async #type(looker: Looker): Promise<void> {
    const { page } = looker;
    const random = this.#random;
    if (!(await this.#toEditor(looker))) return;
    await this.#keys(looker, random.of(['Control+End', 'Control+Home', 'End', 'ArrowUp', 'ArrowDown']));
    for (let times = 1 + random.below(3); times > 0; times--) {
      const word = this.#word();
      await page.keyboard.type(`${word} `);
      const isSeen = (await this.#isIn(looker, '.cm-content')) && (await page.evaluate(seenNow)).document?.text.includes(word) === true;
      this.#tell(`${looker.name} types ${word}${isSeen ? '' : ', which is not seen'}`);
      if (isSeen && this.#isGentle) this.#kept.push(word);
      if (random.below(3) === 0) await page.keyboard.press('Enter');
    }
  }

  async #toEditor(looker: Looker): Promise<boolean> {
    // Of two documents in sight the one that is worked in.
    const place = await looker.page
      .locator('.tabs [role=tab][aria-selected=true]')
      .getAttribute('aria-controls', { timeout: 50 })
      .catch(() => null);
    if (place === null) return false;
    const editor = looker.page.locator(`#${place} [data-testid=editor] .cm-content`);
    return (await editor.count()) > 0 && this.#focus(looker, editor.first());
  }

  async #giveName(looker: Looker, name: string): Promise<void> {
    const { page } = looker;
    const field = page.locator('.name-field input');
    if ((await field.count()) === 0) await sleep(100);
    if ((await field.count()) === 0 || !(await this.#isIn(looker, '.name-field'))) return;
    await page.keyboard.press('Control+a');
    await page.keyboard.type(name);
    this.#tell(
      `${await page
        .locator('.tree [role=treeitem].cur')
        .getAttribute('data-path', { timeout: 50 })
        .catch(() => null)}: ${name}`,
    );
    await this.#keys(looker, this.#random.of(['Enter', 'Enter', 'Enter', 'Escape']));
    // What is wrong with it is said below it, and it stays.
    if ((await field.count()) > 0) await this.#keys(looker, 'Escape');
  }

  async #drag(looker: Looker): Promise<void> {
    const { page } = looker;
    await this.#keys(looker, 'Control+Shift+e');
    const rows = page.locator('.tree [role=treeitem]');
    const many = await rows.count();
    if (many < 2) return;
    const [from, to] = [rows.nth(this.#random.below(many)), rows.nth(this.#random.below(many))];
    looker.hasFocus = false;
    try {
      this.#tell(`${await from.getAttribute('data-path')} to ${await to.getAttribute('data-path')}`);
      await from.dragTo(to, { timeout: 1500 });
    } catch (error) {
      // It went meanwhile, or a message lies over it.
      this.#tell((error as Error).message.split('\n')[0] ?? '');
    }
  }

  async #command(looker: Looker, title: string): Promise<void> {
    const { page } = looker;
    await this.#keys(looker, 'Control+Shift+p');
    await page.getByRole('combobox', { name: 'Commands' }).fill(`>${title}`);
    await page.getByRole('option', { name: title }).first().waitFor();
    await this.#keys(looker, 'Enter');
  }

  async #focus(looker: Looker, what: Locator): Promise<boolean> {
    try {
      await what.focus({ timeout: 1500 });
      looker.hasFocus = true;
      return true;
    } catch (error) {
      // It went meanwhile.
      if ((await what.count()) === 0 || !(await what.first().isVisible())) return false;
      throw error;
    }
  }

  async #click(looker: Looker, what: Locator, times = 1): Promise<void> {
    looker.hasFocus = false;
    try {
      await what.click({ timeout: 1500, clickCount: times });
    } catch (error) {
      // It went meanwhile, or a message lies over it.
      this.#tell(`not clicked: ${(error as Error).message.split('\n')[0]}`);
    }
  }

  async #keys(looker: Looker, key: string): Promise<void> {
    looker.hasFocus ||= await hasFocus(looker.page);
    await looker.page.keyboard.press(key);
    await this.#keepsFocus(looker, key);
  }

  async #keepsFocus(looker: Looker, after: string): Promise<void> {
    if (!looker.hasFocus) return;
    const { page, name, doing, hadFocus } = looker;
    await assertFocusKept(page, () => `${name}: the focus is lost of ${hadFocus}, after ${after}, ${doing}: ${this.#last()}`);
    looker.hadFocus = await page.evaluate(() => {
      const { activeElement: one } = document;
      const places = [...document.querySelectorAll('[data-testid]')].filter((place) => one !== null && place.contains(one));
      return `${one?.tagName} ${one?.className} ${one?.getAttribute('aria-label')} in ${places.map((place) => place.getAttribute('data-testid')).join(' ')}`;
    });
  }

  #isIn(looker: Looker, selector: string): Promise<boolean> {
    return looker.page.evaluate((within) => (document.activeElement?.closest(within) ?? null) !== null, selector);
  }

  // What must hold.

  async #check(looker: Looker, after: string): Promise<void> {
    const { name, page } = looker;
    const { over, twice, dangling, nodes } = await page.evaluate(healthNow);
    const said = `${name}, after ${after}: ${this.#last()}`;
    assert.equal(over, 0, `the page is wider than its window by ${over}; ${said}`);
    assert.deepEqual(twice, [], said);
    if (dangling.length > 0)
      // What was drawn in between is whole in a moment.
      await eventually(async () => assert.deepEqual((await page.evaluate(healthNow)).dangling, [], said), FOCUS_WITHIN_MS);
    assert.ok(nodes < MOST_NODES, `${nodes} nodes; ${said}`);
    await this.#keepsFocus(looker, after);
  }

  async #atRest(): Promise<void> {
    await eventually(async () => {
      await sleep(60);
      for (const { page } of this.#lookers) {
        const { link } = await page.evaluate(seenNow);
        assert.match(link, /^Live/);
      }
      for (const { path: at, client } of this.#clients)
        assert.ok(
          client.provider.synced || client.closes.at(-1) === (this.#folders().includes(at) ? 4415 : 4404),
          `Cyd is linked to ${at}: ${client.closes.join(' ')}; ${this.#last()}`,
        );
      const { documents } = await this.#client.call('documents.list', {});
      for (const { path: at, state } of documents) assert.match(state, /saved|deleted/, at);
    }, BACK_WITHIN_MS);
  }

  async #truth(): Promise<Truth> {
    let truth: Truth | undefined;
    await eventually(async () => {
      await sleep(60);
      truth = await truthOf(this.#client, this.#disk());
    }, RESTS_WITHIN_MS).catch((error: unknown) => {
      throw new assert.AssertionError({ message: `${(error as Error).message}\n${this.#last()}` });
    });
    return truth as Truth;
  }

  async #shows(page: Page, name: string): Promise<Seen> {
    let seen: Seen | undefined;
    // Failures that were said are no fault by themselves: others were in the way.
    const failures = page.locator('.toast.bad');
    for (let times = await failures.count(); times > 0; times--) {
      this.#tell(`${name} is told: ${await failures.first().innerText()}`);
      await failures.first().getByRole('button', { name: 'Dismiss' }).click();
      const looker = this.#lookers.find((one) => one.page === page);
      if (looker !== undefined) looker.hasFocus = false;
    }
    await eventually(async () => {
      // Others have the computer as well.
      await sleep(60);
      const truth = await truthOf(this.#client, this.#disk());
      seen = await page.evaluate(seenNow);
      compareSeen(seen, truth, name);
    }, RESTS_WITHIN_MS).catch((error: unknown) => {
      throw new assert.AssertionError({ message: `${name}: ${(error as Error).message}\n${this.#last()}` });
    });
    this.counts['rows compared'] = (this.counts['rows compared'] ?? 0) + (seen?.tree?.rows.length ?? 0);
    return seen as Seen;
  }

  /** Each tab in turn shows what it is of; those of files that were there in a gentle round have theirs still. */
  async #walkTabs(looker: Looker): Promise<void> {
    const { name, page } = looker;
    const { length } = (await page.evaluate(seenNow)).tabs;
    const before = [...(this.#dead.get(name) ?? [])];
    const dead: string[] = [];
    for (let at = 0; at < length; at++) {
      await page.keyboard.press('Control+PageDown');
      const seen = await this.#shows(page, name);
      this.counts['tabs compared'] = (this.counts['tabs compared'] ?? 0) + 1;
      const shown = seen.tabs.find(({ isSelected }) => isSelected);
      if (shown === undefined || seen.panel === undefined || !/deleted|missing|refused/.test(seen.panel.kind)) continue;
      dead.push(path.posix.basename(shown.path));
      const known = before.indexOf(path.posix.basename(shown.path));
      if (this.#isGentle) assert.ok(known >= 0, `${name}: the tab of ${shown.path} lost its file: ${this.#last()}`);
      if (known >= 0) before.splice(known, 1);
    }
    this.#dead.set(name, dead);
  }

  /** The search that is shown, asked again, finds what the sidecar finds. */
  async #searches({ name, page }: Looker): Promise<void> {
    const { search } = await page.evaluate(seenNow);
    if (search === undefined || search.pattern === '') return;
    await page.getByRole('button', { name: 'Search again' }).first().click();
    const stream = this.#client.stream('search.text', { pattern: search.pattern, caseSensitive: false });
    for await (const _ of stream);
    const { matches, files } = await stream.end;
    const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
    const wanted = matches === 0 ? 'No results' : `${many(matches, 'result')} in ${many(files, 'file')}`;
    await eventually(async () => assert.equal((await page.evaluate(seenNow)).search?.summary, wanted), RESTS_WITHIN_MS).catch(
      (error: unknown) => {
        throw new assert.AssertionError({ message: `${name} searches ${search.pattern}: ${(error as Error).message}\n${this.#last()}` });
      },
    );
    this.counts['searches compared'] = (this.counts['searches compared'] ?? 0) + 1;
  }

  /** What is there is found by its name, and what is not there is not. */
  async #find({ name, page }: Looker, { texts }: Truth): Promise<void> {
    const file = this.#random.of([...texts.keys()]);
    if (file === undefined) return;
    await page.keyboard.press('Control+p');
    const field = page.getByRole('combobox', { name: 'Go to file' });
    await field.fill(file).catch(async (error: unknown) => {
      const instead = await page.evaluate(() =>
        [document.activeElement, document.querySelector('[role=dialog]')].map((one) => one?.outerHTML.slice(0, 200)).join(' and '),
      );
      throw new assert.AssertionError({ message: `${name}: ${(error as Error).message}\nThere is ${instead}.\n${this.#last()}` });
    });
    const options = async (): Promise<string[]> =>
      page.locator('#found [role=option]').evaluateAll((all) => all.map((one) => one.textContent.replace(/\s+/g, ' ').trim()));
    await eventually(async () => {
      const [first] = await options();
      assert.ok(first?.includes(path.posix.basename(file)), `${file} is found first: ${first}`);
    }, RESTS_WITHIN_MS).catch((error: unknown) => {
      throw new assert.AssertionError({ message: `${name}: ${(error as Error).message}\n${this.#last()}` });
    });
    await page.keyboard.press('Escape');
    await field.waitFor({ state: 'detached' });
  }

  async #unfoldAll({ page }: Looker): Promise<void> {
    await page.setViewportSize({ width: 1440, height: 1600 });
    await page.keyboard.press('Control+Shift+e');
    const folded = page.locator('.tree [role=treeitem][aria-expanded=false] .nm');
    for (let times = 0; times < 60 && (await folded.count()) > 0; times++) {
      await folded.first().click();
      await sleep(60);
    }
  }

  /** No word is there twice, and those of a gentle round are there. */
  #checkWords({ texts }: Truth): void {
    const found = new Map<string, string[]>();
    for (const [file, text] of texts) for (const [word] of text.matchAll(/w\d+w/g)) found.set(word, [...(found.get(word) ?? []), file]);
    for (const word of this.#kept)
      assert.equal(found.get(word)?.length ?? 0, 1, `${word} is there once: ${found.get(word)}; ${this.#last()}`);
    for (const [word, files] of found)
      assert.equal(new Set(files).size, files.length, `${word} is twice in one file: ${files}; ${this.#last()}`);
    this.counts['words compared'] = (this.counts['words compared'] ?? 0) + this.#kept.length;
    this.#kept = [];
  }

  // What there is.

  #word(): string {
    this.#words += 1;
    return `w${this.#words}w`;
  }

  /** By path: the text, or that it is a folder. */
  #disk(): Map<string, string | undefined> {
    const { root } = this.#workbenches;
    const found = new Map<string, string | undefined>();
    const visit = (folder: string): void => {
      for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
        // What is being written stands beside its place for a moment.
        if (entry.name === '.git' || /^\.outrigger-.*\.tmp$/.test(entry.name)) continue;
        const at = join(folder, entry.name);
        if (entry.isDirectory()) {
          found.set(at, undefined);
          visit(at);
        } else found.set(at, fs.readFileSync(path.join(root, at), 'utf8'));
      }
    };
    for (;;)
      try {
        found.clear();
        visit('');
        return found;
      } catch (error) {
        // The sidecar, too, renames and removes.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
  }

  #files(): string[] {
    return [...this.#disk()].filter(([, text]) => text !== undefined).map(([at]) => at);
  }

  #folders(): string[] {
    return [...this.#disk()].filter(([, text]) => text === undefined).map(([at]) => at);
  }

  #tell(what: string): void {
    this.told.push(what);
  }

  #last(): string {
    return this.told.slice(-80).join('; ');
  }
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function within(folder: string, name: string): boolean {
  return name === folder || name.startsWith(`${folder}/`);
}

/** In the page, before all else: so that a test can cut what it has open. */
function notedSockets(): void {
  const sockets = new Set<WebSocket>();
  const { WebSocket: Original } = globalThis;
  class Noted extends Original {
    constructor(...given: ConstructorParameters<typeof Original>) {
      super(...given);
      sockets.add(this);
      this.addEventListener('close', () => sockets.delete(this));
    }
  }
  Object.assign(globalThis, { WebSocket: Noted, sockets });
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { main } from './command.ts';
import { eventually } from './eventually.ts';
import { requireTool, toolPath } from './require-tools.ts';

const repository = path.join(import.meta.dirname, '..', '..');
// Plain JavaScript, shared with what runs before anything is installed.
const stampModule = '../../scripts/workbench-stamp.mjs';
const launchArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For a test's `skip` option. */
export const noBrowser = requireTool('chromium');
export const noBrowserOrGit = requireTool('chromium', 'git');

export const pageToken = 'token-of-the-page-tests-0123456789abcdef';

export interface ServedFolder {
  readonly url: string;
  readonly root: string;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** As it should end. */
  stop(): Promise<void>;
  /** The same folder, state and port again, after `kill` or `stop`. */
  restart(): Promise<void>;
  /** A token with less than all access. */
  scopedToken(access: 'read' | 'write'): string;
}

export interface PageOptions {
  /** How others see who sits there. */
  name?: string;
  theme?: 'light' | 'dark';
  size?: [width: number, height: number];
  token?: string;
  /** Of the address, instead of the login. */
  at?: string;
}

export interface Workbenches extends ServedFolder {
  /** Opens the workbench as another person: a browser context of its own. What goes wrong in it fails the test at the end. */
  page(options?: PageOptions): Promise<Page>;
}

/** A real sidecar on a scratch folder with these files, and a real browser to look at it. `expected`: what a page may report and be right. */
export async function withWorkbench(
  files: Record<string, string>,
  run: (workbenches: Workbenches) => Promise<void>,
  options: { git?: boolean; env?: Readonly<Record<string, string>>; state?: string; expected?: RegExp } = {},
): Promise<void> {
  await buildPages();
  const scratch = mkdtempSync(path.join(tmpdir(), 'outrigger-page-'));
  const root = path.join(scratch, 'workspace');
  mkdirSync(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  if (options.git === true) {
    git(root, 'init', '-q', '-b', 'main');
    git(root, 'add', '-A');
    git(root, 'commit', '-q', '-m', 'The first loans');
  }
  const served = new Served(root, options.state ?? path.join(scratch, 'state'), options.env ?? {});
  const people = new People();
  try {
    await served.start(0);
    await run(Object.assign(served, { page: (options: PageOptions = {}) => people.open(served.url, options) }));
    people.assertNoProblems(...served.atItsEnds, ...(options.expected === undefined ? [] : [options.expected]));
  } finally {
    await people.leave();
    await served.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function buildPages(): Promise<void> {
  const { workbenchIsFresh } = (await import(stampModule)) as { workbenchIsFresh: (root: string) => boolean };
  if (!workbenchIsFresh(repository))
    execFileSync(process.execPath, ['scripts/build.mjs', 'workbench', '--quiet'], { cwd: repository, stdio: 'ignore' });
}

/** For its own tests to close. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: toolPath('chromium') ?? 'chromium', args: launchArguments });
}

/** A real browser for pages that something else serves; what goes wrong in one fails the test at the end. `expected`: as for `withWorkbench`. */
export async function withPages(
  run: (open: (url: string, options: PageOptions) => Promise<Page>) => Promise<void>,
  { expected }: { expected?: RegExp } = {},
): Promise<void> {
  await buildPages();
  const people = new People();
  try {
    await run((url, options) => people.open(url, options));
    people.assertNoProblems(...(expected === undefined ? [] : [expected]));
  } finally {
    await people.leave();
  }
}

/** git in the scratch folder, as a person called Lead. */
export function git(root: string, ...command: string[]): string {
  const who = ['-c', 'user.name=Lead', '-c', 'user.email=lead@example.org', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', ['-C', root, ...who, ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

const STOP_MS = 10_000;

class Served implements ServedFolder {
  readonly root: string;
  url = '';
  /** What pages may have reported, for how it was ended. */
  readonly atItsEnds: RegExp[] = [];
  readonly #state: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;

  constructor(root: string, state: string, env: Readonly<Record<string, string>>) {
    this.root = root;
    this.#state = state;
    this.#env = env;
  }

  async start(port: number): Promise<void> {
    const command = [main, 'serve', this.root, '--port', String(port), '--state', this.#state, '--log-level', 'warn'];
    const child = spawn(process.execPath, command, {
      cwd: repository,
      env: { ...process.env, ...this.#env, OUTRIGGER_TOKEN: pageToken },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    this.url = await new Promise<string>((resolve, reject) => {
      let log = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-20_000);
        const match = /Open\s+(http:\/\/[^\s/]+)/.exec(log);
        if (match?.[1] !== undefined) resolve(match[1]);
      });
      child.once('exit', (code) => reject(new Error(`The sidecar ended with ${code}:\n${log}`)));
    });
    // What is put into the folder before it is known is no change to it.
    await eventually(async () => (await fetch(`${this.url}/readyz`)).ok);
  }

  kill(): Promise<void> {
    this.atItsEnds.push(cutShort, comesOrGoes);
    return this.#end('SIGKILL');
  }

  /** As it should end: its programs end with it. */
  async stop(): Promise<void> {
    this.atItsEnds.push(comesOrGoes);
    const timer = setTimeout(() => void this.#child?.kill('SIGKILL'), STOP_MS);
    await this.#end('SIGTERM');
    clearTimeout(timer);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async restart(): Promise<void> {
    await this.start(Number(new URL(this.url).port));
  }

  scopedToken(access: 'read' | 'write'): string {
    const answer = execFileSync(
      process.execPath,
      [main, 'call', 'tokens.create', JSON.stringify({ name: `a ${access}er`, access }), '--url', this.url, '--json'],
      { cwd: repository, env: { ...process.env, OUTRIGGER_TOKEN: pageToken }, encoding: 'utf8' },
    );
    return (JSON.parse(answer) as { secret: string }).secret;
  }
}

/** One for all tests of a file: what people do in it, each has in a context of its own. */
let shared: Promise<Browser> | undefined;
after(async () => (await shared)?.close());

/** The browser's words for a body that ends in its middle, as what a killed sidecar was sending does. */
const cutShort = /ERR_CONTENT_LENGTH_MISMATCH|ERR_INCOMPLETE_CHUNKED_ENCODING/;
/** For what a sidecar answers that is stopping, or starts again. */
const comesOrGoes = /status of 503/;

/** Those of one test. */
class People {
  readonly #contexts: BrowserContext[] = [];
  readonly #problems: string[] = [];

  async open(url: string, options: PageOptions): Promise<Page> {
    const browser = await (shared ??= launchBrowser());
    const { theme = 'dark', size: [width, height] = [1440, 900] } = options;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce' });
    this.#contexts.push(context);
    return openPage(context, url, options, this.#problems);
  }

  /** Throws when something went wrong in a page, or left its origin; what `expected` matches was meant to happen. */
  assertNoProblems(...expected: readonly RegExp[]): void {
    const problems = this.#problems.filter((problem) => !expected.some((one) => one.test(problem)));
    if (problems.length > 0) throw new Error(`The page reported:\n${problems.join('\n')}`);
  }

  async leave(): Promise<void> {
    for (const context of this.#contexts) await context.close();
  }
}

async function openPage(context: BrowserContext, url: string, options: PageOptions, problems: string[]): Promise<Page> {
  const { name, token = pageToken } = options;
  // A frame with a sandbox has no storage, and no name.
  const setName = (given: string): void => void (globalThis.origin !== 'null' && localStorage.setItem('outrigger.name', given));
  if (name !== undefined) await context.addInitScript(setName, name);
  // A window gives it to the page that somebody looks at.
  await context.grantPermissions(['clipboard-write'], { origin: url });
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.stack ?? error.message));
  page.on('console', (message) => {
    // A lost link is part of what is tested, and a script in a frame that may run none; the browser says so in its own words.
    const expected =
      /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection|status of 40[134]|^Blocked script execution in 'about:srcdoc'/;
    if (message.type() === 'error' && !expected.test(message.text())) problems.push(`${message.text()} (${message.location().url})`);
  });
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== url) problems.push(`A request left the origin: ${request.url()}`);
  });
  await page.goto(options.at ?? `${url}/?token=${encodeURIComponent(token)}`);
  // Before the workspace is known its keys do nothing.
  if (options.at === undefined) await page.locator('[data-known=true]').waitFor();
  return page;
}

/** Opens a file by its name, or by `name:line`, as somebody would who knows the keys; its text is there then. */
export async function openFile(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+p');
  const field = page.getByRole('combobox', { name: 'Go to file' });
  await field.fill(name);
  await page
    .getByRole('listbox', { name: 'Go to file' })
    .getByRole('option')
    .first()
    .filter({ hasText: path.basename(name).split(':')[0] as string })
    .waitFor();
  await page.keyboard.press('Enter');
  await field.waitFor({ state: 'detached' });
  await page.locator('.cm-content').filter({ visible: true }).waitFor();
}

/** Runs a command of the page by its title, as somebody would who knows the keys. */
export async function command(page: Page, title: string): Promise<void> {
  await page.keyboard.press('Control+Shift+p');
  const field = page.getByRole('combobox', { name: 'Commands' });
  await field.fill(`>${title}`);
  await page.getByRole('listbox', { name: 'Commands' }).getByRole('option', { name: title }).first().waitFor();
  await page.keyboard.press('Enter');
  await field.waitFor({ state: 'detached' });
}

/** What axe finds wrong, as lines to read. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  // Half a megabyte, which a page that was looked at before has already.
  if (await page.evaluate(() => !('axe' in globalThis)))
    await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run: (
          options: object,
        ) => Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${help}\n  ${html.slice(0, 300)}\n  ${failureSummary ?? ''}`),
    );
  });
}

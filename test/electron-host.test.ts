// examples/electron-host without Electron: its main side and its page, with a real sidecar as the child and a real browser.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { createApp, folderArgument } from '../examples/electron-host/src/app.ts';
import { createBridge } from '../examples/electron-host/src/bridge.ts';
import { pageHandler, pageUrl } from '../examples/electron-host/src/serve-page.ts';
import type { Answer, Snapshot, WorkspaceApi } from '../examples/electron-host/src/workspace-api.ts';
import { accessibilityProblems, launchBrowser, noBrowser } from './kit/browser.ts';
import { main } from './kit/command.ts';
import { ElectronStandIn, type StandInWindow } from './kit/electron-stand-in.ts';
import { eventually } from './kit/eventually.ts';

const example = path.join(import.meta.dirname, '..', 'examples', 'electron-host');
const binary = {
  command: process.execPath,
  args: [main],
  env: {},
  source: 'test',
};
const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-electron-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));
process.env['XDG_STATE_HOME'] = path.join(scratch, 'state');

const files = {
  'README.md': '# Loans\n\nWho has which book, and until when.\n',
  'src/loans.ts': loans(),
  'src/members.ts': 'export interface Member {\n  name: string;\n  since: number;\n}\n\nexport const members: Member[] = [];\n',
  'src/report/overdue.ts':
    "import { overdue } from '../loans.ts';\n\nexport function report(today: number): string {\n  return overdue(today).map(({ title }) => title).join('\\n');\n}\n",
};

function loans(): string {
  return `/** Books that are out, the first due first. */
export interface Loan {
  title: string;
  member: string;
  dueAt: number;
}

export class Shelf {
  readonly #loans = new Map<string, Loan>();

  lend(title: string, member: string, dueAt: number): Loan {
    const loan = { title, member, dueAt };
    this.#loans.set(title, loan);
    return loan;
  }

  takeBack(title: string): boolean {
    return this.#loans.delete(title);
  }

  get all(): Loan[] {
    return [...this.#loans.values()].toSorted((a, b) => a.dueAt - b.dueAt);
  }
}

export const shelf = new Shelf();

export function overdue(today: number): Loan[] {
  return shelf.all.filter(({ dueAt }) => dueAt < today);
}
`;
}

let folders = 0;
function makeFolder(name = 'lending-library'): string {
  const root = path.join(scratch, `folder-${folders++}`, name);
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  }
  return root;
}

interface RunningApp {
  electron: ElectronStandIn;
  window: StandInWindow;
  /** What the page has, over the same channels. */
  workspace: WorkspaceApi;
  log: string[];
  /** Waits until the child answers. */
  pid(): Promise<number>;
}

async function withApp(run: (app: RunningApp) => Promise<void>, options: Partial<Parameters<typeof createApp>[1]> = {}): Promise<void> {
  const electron = new ElectronStandIn();
  const log: string[] = [];
  const page = path.join(example, 'src', 'page');
  await createApp(electron, { folder: makeFolder(), page, preload: '/preload.cjs', binary, log: (line) => log.push(line), ...options });
  const [window] = electron.windows;
  assert.ok(window !== undefined);
  const workspace = bridgeTo(electron, window);
  const pid = async (): Promise<number> => {
    let known: number | undefined;
    await eventually(async () => {
      const { sidecar } = value(await workspace.snapshot());
      known = sidecar.name === 'running' ? sidecar.pid : undefined;
      return known !== undefined;
    }, 15_000);
    return known as number;
  };
  try {
    await run({ electron, window, workspace, log, pid });
  } finally {
    electron.app.quit();
    await eventually(() => electron.exited, 10_000);
  }
}

function bridgeTo(electron: ElectronStandIn, window: StandInWindow): WorkspaceApi {
  const listeners = new Map<string, (event: unknown, ...args: unknown[]) => void>();
  window.webContents.onSent = ({ channel, args }) => listeners.get(channel)?.({}, ...args);
  return createBridge({
    invoke: (channel, ...args) => electron.invoke(window, channel, args),
    on: (channel, listener) => listeners.set(channel, listener),
    off: (channel) => listeners.delete(channel),
  });
}

function value<T>(answer: Answer<T>): T {
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.value;
}

function problem(answer: Answer<unknown>): { reason: string; message: string } {
  assert.ok(!answer.ok, JSON.stringify(answer));
  return answer.problem;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it is gone.
    return false;
  }
}

const overdueQuery = { pattern: 'OVERDUE', regex: false, caseSensitive: false };

describe('the main process', () => {
  test('opens the folder of the command line with its sidecar, and answers files, text, a file and its outline', async () => {
    await withApp(async ({ window, workspace, pid }) => {
      assert.equal(window.title, 'lending-library');
      await pid();
      assert.ok(window.shown);
      const found = value(await workspace.findFiles('over'));
      assert.equal(found.files[0]?.path, 'src/report/overdue.ts');
      assert.deepEqual(found.files[0]?.ranges, [[11, 15]]);
      const text = value(await workspace.searchText(overdueQuery));
      assert.deepEqual(text.files.map(({ path: at, matches }) => `${at} ${matches.length}`).toSorted(), [
        'src/loans.ts 1',
        'src/report/overdue.ts 2',
      ]);
      assert.equal(text.by, 'sidecar');
      assert.equal(value(await workspace.readFile('src/loans.ts')).text, files['src/loans.ts']);
      const { symbols } = value(await workspace.outline('src/loans.ts'));
      assert.deepEqual(
        symbols.filter(({ depth }) => depth === 0).map(({ name }) => name),
        ['Loan', 'Shelf', 'shelf', 'overdue'],
      );
      assert.equal(problem(await workspace.outline('README.md')).reason, 'NO_LANGUAGE');
    });
  });

  test('kill -9 of the child: what is asked meanwhile says what happens, it comes back by itself and searches again', async () => {
    await withApp(async ({ workspace, window, pid }) => {
      const first = await pid();
      process.kill(first, 'SIGKILL');
      await eventually(async () => value(await workspace.snapshot()).sidecar.name === 'restarting');
      const lost = problem(await workspace.outline('src/loans.ts'));
      assert.match(lost.reason, /^(CONNECTION_LOST|STARTING)$/);
      assert.match(lost.message, /started again in \d+ ms|is starting/);
      assert.equal(value(await workspace.searchText(overdueQuery)).files.length, 2, 'Node answers what it can meanwhile');
      const second = await pid();
      assert.notEqual(second, first);
      assert.equal(value(await workspace.searchText(overdueQuery)).by, 'sidecar');
      assert.equal(value(await workspace.outline('src/loans.ts')).symbols.length > 0, true);
      const names = window.webContents.sent.map(({ args }) => (args[0] as Snapshot).sidecar.name);
      assert.deepEqual([...new Set(names.slice(names.indexOf('restarting')))], ['restarting', 'running']);
    });
  });

  test('without a sidecar Node reads the folder, which is said, and a start again says why it fails', async () => {
    await withApp(
      async ({ workspace }) => {
        await eventually(async () => value(await workspace.snapshot()).sidecar.name === 'fallback');
        assert.deepEqual(
          value(await workspace.findFiles('mem')).files.map(({ path: at }) => at),
          ['src/members.ts'],
        );
        assert.equal(value(await workspace.searchText(overdueQuery)).by, 'node');
        assert.match(problem(await workspace.outline('src/loans.ts')).message, /without the sidecar/);
        assert.equal(problem(await workspace.startAgain()).reason, 'TOOL_MISSING');
      },
      { binary: { command: '/no/such/sidecar', args: [], env: {}, source: 'test' } },
    );
  });

  test('closing the window ends the child within five seconds, and the program quits after it', async () => {
    await withApp(
      async ({ electron, window, pid }) => {
        const child = await pid();
        const begun = performance.now();
        window.close();
        assert.ok(!electron.exited, 'not before the child is gone');
        await eventually(() => !isAlive(child), 5000);
        await eventually(() => electron.exited);
        assert.ok(performance.now() - begun < 5000);
      },
      { platform: 'linux' },
    );
  });

  test('on macOS the program outlives its window, and the next one begins without a folder', async () => {
    await withApp(
      async ({ electron, window, pid }) => {
        const child = await pid();
        window.close();
        await eventually(() => !isAlive(child), 5000);
        assert.ok(!electron.exited);
        electron.app.emit('activate');
        const [next] = electron.windows as [StandInWindow];
        assert.equal(value(await bridgeTo(electron, next).snapshot()).folder, undefined);
      },
      { platform: 'darwin' },
    );
  });

  test('quitting ends the child, also one that was asked to end by nobody else', async () => {
    await withApp(async ({ electron, pid }) => {
      const child = await pid();
      electron.app.quit();
      assert.ok(!electron.exited && isAlive(child));
      await eventually(() => electron.exited);
      assert.ok(!isAlive(child));
    });
  });

  test('another folder by the dialog takes the place of the first, whose child ends; a canceled dialog changes nothing (long form)', async () => {
    await withApp(async ({ electron, workspace, window, pid }) => {
      const first = await pid();
      assert.equal(value(await workspace.openFolder()).folder?.name, 'lending-library');
      const other = makeFolder('other');
      fs.writeFileSync(path.join(other, 'only-here.txt'), '');
      electron.chosenFolder = other;
      assert.equal(value(await workspace.openFolder()).folder?.name, 'other');
      assert.equal(window.title, 'other');
      const second = await pid();
      assert.notEqual(second, first);
      assert.equal(value(await workspace.findFiles('only')).files.length, 1);
      await eventually(() => !isAlive(first));
      electron.chosenFolder = path.join(scratch, 'gone');
      assert.match(problem(await workspace.openFolder()).message, /There is no folder .*gone/);
      assert.equal(await pid(), second);
    });
  });

  test('a folder that is not there is said, and the program goes on without', async () => {
    await withApp(
      async ({ workspace }) => {
        const { folder, notice } = value(await workspace.snapshot());
        assert.equal(folder, undefined);
        assert.match(notice ?? '', /There is no folder .*nowhere/);
        assert.match(problem(await workspace.findFiles('')).message, /No folder is open/);
      },
      { folder: path.join(scratch, 'nowhere') },
    );
  });

  test('a change of the folder is told, many at once as few (long form)', async () => {
    await withApp(async ({ workspace, pid }) => {
      await pid();
      const heard: number[] = [];
      const root = value(await workspace.snapshot()).folder?.path as string;
      const stop = workspace.onSnapshot(({ changes }) => heard.push(changes));
      let first = 0;
      // The watch begins at some moment after the child is ready.
      await eventually(() => {
        fs.writeFileSync(path.join(root, `first-${first++}.txt`), '');
        return heard.length > 0;
      }, 10_000);
      const [before, told] = [heard.at(-1) as number, heard.length];
      for (let index = 0; index < 40; index++) fs.writeFileSync(path.join(root, `new-${index}.txt`), 'x');
      await eventually(() => (heard.at(-1) as number) >= before + 40, 10_000);
      assert.ok(heard.length - told < 20, `${heard.length - told} tellings`);
      stop();
    });
  });
});

describe('what the page may not', () => {
  test('the window is isolated, sandboxed, without Node, and shows no other page', async () => {
    await withApp(
      async ({ electron, window }) => {
        const { contextIsolation, sandbox, nodeIntegration, webviewTag, preload } = window.options.webPreferences;
        assert.deepEqual([contextIsolation, sandbox, nodeIntegration, webviewTag, preload], [true, true, false, false, '/preload.cjs']);
        for (const event of ['will-frame-navigate', 'will-redirect', 'will-attach-webview'] as const)
          assert.equal(window.webContents.allows(event), false, event);
        assert.deepEqual(window.webContents.windowOpen?.(), { action: 'deny' });
        const decided: boolean[] = [];
        electron.permission?.(window.webContents, 'media', (allowed) => decided.push(allowed));
        assert.deepEqual([decided, electron.permissionCheck?.()], [[false], false]);
        assert.deepEqual(electron.schemes, [{ scheme: 'page', privileges: { standard: true, secure: true } }]);
        assert.equal(window.url, pageUrl);
      },
      { folder: undefined },
    );
  });

  test('another frame, window or address is answered with FORBIDDEN', async () => {
    await withApp(
      async ({ electron, window }) => {
        const ask = async (from: Parameters<ElectronStandIn['invoke']>[3]): Promise<string> => {
          const answer = (await electron.invoke(window, 'workspace:snapshot', [], from)) as Answer<unknown>;
          return answer.ok ? 'answered' : answer.problem.reason;
        };
        assert.equal(await ask({}), 'answered');
        for (const from of [
          { sender: {} },
          { senderFrame: null },
          { senderFrame: { url: pageUrl, parent: {} } },
          { senderFrame: { url: 'https://example.org/', parent: null } },
          { senderFrame: { url: 'page://workspace.example.org/', parent: null } },
        ])
          assert.equal(await ask(from), 'FORBIDDEN', JSON.stringify(from));
      },
      { folder: undefined },
    );
  });

  test('questions of another form are refused, and no path leads out of the folder', async () => {
    await withApp(async ({ electron, window, workspace, pid }) => {
      const ask = async (name: string, given: unknown): Promise<string> =>
        problem((await electron.invoke(window, `workspace:${name}`, [given])) as Answer<unknown>).reason;
      for (const [name, given] of [
        ['findFiles', 7],
        ['findFiles', 'x'.repeat(1001)],
        ['searchText', undefined],
        ['searchText', { pattern: '' }],
        ['searchText', { pattern: ['a'] }],
        ['readFile', ''],
        ['readFile', { path: 'README.md' }],
        ['outline', null],
      ] as const)
        assert.equal(await ask(name, given), 'BAD_INPUT', `${name} ${String(given).slice(0, 20)}`);
      await pid();
      for (const outside of ['../folder-0', '/etc/hostname', 'src/../../x'])
        assert.match(problem(await workspace.readFile(outside)).reason, /^(BAD_PATH|PATH_ESCAPES|BAD_INPUT)$/, outside);
    });
  });

  test('the page can load its own three files and nothing else, under a policy that allows only those', async () => {
    const serve = pageHandler(path.join(example, 'src', 'page'));
    const page = await serve({ url: pageUrl });
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.equal((await serve({ url: `${pageUrl}page.css` })).headers.get('content-type'), 'text/css; charset=utf-8');
    for (const other of ['result-list.ts', '../main.mjs', '%2e%2e/main.mjs', 'index.html/..%2f..%2fmain.mjs'])
      assert.equal((await serve({ url: `${pageUrl}${other}` })).status, 404, other);
  });
});

test('the folder is the first argument that is no flag', () => {
  const here = path.resolve('here');
  assert.equal(folderArgument(['/app', 'here'], true), here);
  assert.equal(folderArgument(['/electron', '.', '--inspect', 'here'], false), here);
  assert.equal(folderArgument(['/electron', '.'], false), undefined);
});

describe('the page', { skip: noBrowser }, () => {
  const out = path.join(scratch, 'page');
  let preload = '';
  let browser: Browser | undefined;

  before(async () => {
    execFileSync(process.execPath, [path.join(example, 'build.mjs'), out]);
    const bundled = await build({
      stdin: {
        contents: `import { createBridge } from './bridge.ts';
          const heard = new Set();
          globalThis.hearFromMain = (channel, ...args) => heard.forEach((each) => each.channel === channel && each.listener({}, ...args));
          globalThis.workspace = createBridge({
            invoke: (channel, ...args) => askMain(channel, args),
            on: (channel, listener) => heard.add({ channel, listener }),
            off: () => undefined,
          });`,
        resolveDir: path.join(example, 'src'),
      },
      bundle: true,
      write: false,
    });
    preload = bundled.outputFiles[0]?.text ?? '';
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  /** The page as it is built, in a browser, with the main process behind the same functions as in Electron. */
  async function withPage(
    run: (shown: RunningApp & { page: Page }) => Promise<void>,
    { theme = 'light', ...options }: Partial<Parameters<typeof createApp>[1]> & { theme?: 'light' | 'dark' } = {},
  ): Promise<void> {
    await withApp(
      async (app) => {
        const context = await (browser as Browser).newContext({
          viewport: { width: 1180, height: 760 },
          colorScheme: theme,
          reducedMotion: 'reduce',
        });
        try {
          const page = await context.newPage();
          const problems: string[] = [];
          page.on('pageerror', (error) => problems.push(String(error)));
          page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
          const serve = app.electron.pages.get('page');
          assert.ok(serve !== undefined);
          // A browser knows no schemes of ours: the same handler answers under another one.
          await page.route('**/*', async (route) => {
            const { pathname } = new URL(route.request().url());
            const answer = await serve({ url: new URL(pathname.slice(1), pageUrl).href });
            await route.fulfill({ status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() });
          });
          await page.exposeFunction('askMain', (channel: string, args: unknown[]) => app.electron.invoke(app.window, channel, args));
          await page.addInitScript(preload);
          app.window.webContents.onSent = ({ channel, args }) =>
            void page
              .evaluate(
                ([to, what]) => (globalThis as unknown as { hearFromMain: (...args: unknown[]) => void }).hearFromMain(to, what),
                [channel, args[0]],
              )
              .catch(() => undefined);
          await page.goto('http://workspace.test/');
          await run({ ...app, page });
          assert.deepEqual(problems, []);
        } finally {
          app.window.webContents.onSent = () => undefined;
          await context.close();
        }
      },
      { page: path.join(out, 'page'), ...options },
    );
  }

  const shots = process.env['SCREENSHOTS'];
  const shoot = async (page: Page, name: string): Promise<void> => {
    if (shots !== undefined) await page.screenshot({ path: path.join(shots, `electron-host-${name}.png`) });
  };

  for (const theme of ['light', 'dark'] as const)
    test(`finds and opens by keys alone, in ${theme} colours that everybody can read`, async () => {
      await withPage(
        async ({ page }) => {
          await page.getByText('Running', { exact: true }).waitFor();
          await page.getByText('4 files').waitFor();
          await page.keyboard.press('Control+p');
          await page.keyboard.type('lon');
          await page.getByText('1 file', { exact: true }).waitFor();
          assert.equal(await page.locator('#files [aria-selected=true] .name').textContent(), 'loans.ts');
          await page.keyboard.press('Enter');
          await page.getByRole('heading', { name: 'src/loans.ts' }).waitFor();
          await page.locator('#outline').getByText('takeBack').waitFor();
          await shoot(page, `files-${theme}`);
          await page.keyboard.press('Control+Shift+F');
          await page.keyboard.type('overdue');
          await page.getByText(/3 lines in 2 files · [\d.]+ ms/).waitFor();
          assert.deepEqual(
            await page.locator('#lines mark').allTextContents(),
            ['overdue', 'overdue', 'overdue', 'overdue'].slice(0, await page.locator('#lines mark').count()),
          );
          await page.keyboard.press('ArrowDown');
          await page.keyboard.press('ArrowDown');
          await page.keyboard.press('Enter');
          await page.locator('#file-text .here').waitFor();
          const chosen = await page.locator('#lines [aria-selected=true]').textContent();
          const here = await page.locator('#file-text .here').textContent();
          assert.equal(chosen?.replace(/\s+/g, ''), here?.replace(/\s+/g, ''));
          await shoot(page, `text-${theme}`);
          assert.deepEqual(await accessibilityProblems(page), []);
        },
        { theme },
      );
    });

  test('shows that the child restarts, asks again what failed, and says why a folder is read without it (long form)', async () => {
    await withPage(async ({ page, pid }) => {
      await page.locator('[data-state=running]').waitFor();
      await page.keyboard.type('memb');
      await page.getByText('1 file', { exact: true }).waitFor();
      process.kill(await pid(), 'SIGKILL');
      await page.locator('[data-state=restarting]').waitFor();
      assert.match((await page.locator('#notice').textContent()) ?? '', /ended by itself \(signal SIGKILL\)[^]* It is start/);
      await shoot(page, 'restarting');
      await page.keyboard.type('er');
      await page.locator('[data-state=running]').waitFor();
      await page.getByText('Running again').waitFor();
      await page.getByText('1 file', { exact: true }).waitFor();
      assert.ok(await page.locator('#notice').isHidden());
    });
    await withPage(
      async ({ page }) => {
        await page.getByText('Without sidecar').waitFor();
        await page.getByRole('button', { name: 'Start again' }).waitFor();
        assert.match((await page.locator('#notice').textContent()) ?? '', /can't be started/);
        await page.getByText('4 files').waitFor();
        await shoot(page, 'fallback');
      },
      { binary: { command: '/no/such/sidecar', args: [], env: {}, source: 'test' } },
    );
  });

  test('shows changes of the folder and of the opened file, and takes no file for a page (long form)', async () => {
    await withPage(async ({ page, workspace }) => {
      await page.locator('[data-state=running]').waitFor();
      await page.getByText('4 files').waitFor();
      while ((await page.locator('#files [aria-selected=true] .name').textContent()) !== 'members.ts')
        await page.keyboard.press('ArrowDown');
      const root = value(await workspace.snapshot()).folder?.path as string;
      fs.writeFileSync(path.join(root, 'x.html'), '<img src=x onerror="document.title=1"><script>document.title = 2</script>');
      await page.getByText('5 files').waitFor();
      assert.equal(await page.locator('#files [aria-selected=true] .name').textContent(), 'members.ts', 'what was marked stays marked');
      await page.getByText('x.html').click();
      await page.locator('#file-text').getByText('<script>').waitFor();
      fs.writeFileSync(path.join(root, 'x.html'), 'calm');
      await page.locator('#file-text').getByText('calm').waitFor();
      assert.equal(await page.title(), 'lending-library');
    });
  });

  test('what comes late for words that stand there no more is not shown (long form)', async () => {
    await withPage(async ({ page }) => {
      await page.locator('[data-state=running]').waitFor();
      await page.evaluate(() => {
        const host = (globalThis as unknown as { workspace: { searchText: (query: unknown) => Promise<unknown> } }).workspace;
        const ask = host.searchText;
        host.searchText = async (query) => {
          const answer = await ask(query);
          await new Promise((resolve) => setTimeout(resolve, 400));
          document.body.dataset['late'] = 'yes';
          return answer;
        };
      });
      await page.keyboard.press('Control+Shift+f');
      await page.locator('#text-query').fill('member');
      await page.waitForTimeout(250);
      await page.locator('#text-query').fill('');
      await page.locator('[data-late=yes]').waitFor();
      await page.waitForTimeout(50);
      assert.deepEqual([await page.locator('#lines').innerText(), await page.locator('#text-note').innerText()], ['', '']);
    });
  });

  test('without a folder it offers to open one (long form)', async () => {
    await withPage(
      async ({ page, electron }) => {
        await page.getByRole('heading', { name: 'Open a folder' }).waitFor();
        await shoot(page, 'empty');
        assert.deepEqual(await accessibilityProblems(page), []);
        electron.chosenFolder = makeFolder();
        await page.keyboard.press('Control+o');
        await page.getByText('4 files').waitFor();
        assert.equal(await page.title(), 'lending-library');
      },
      { folder: undefined },
    );
  });
});

describe('the package', () => {
  const manifest = JSON.parse(fs.readFileSync(path.join(example, 'shell', 'package.json'), 'utf8')) as {
    main: string;
    build: {
      asar: boolean;
      files: string[];
      extraResources: { from: string; to: string; filter: string[] }[];
      mac: Record<string, unknown>;
    };
  };

  test('is built into one file for each of its three parts, which name no package but Electron', () => {
    const out = path.join(scratch, 'out');
    execFileSync(process.execPath, [path.join(example, 'build.mjs'), out]);
    assert.deepEqual(
      fs.readdirSync(out, { recursive: true }).map(String).toSorted(),
      [
        'main.mjs',
        'page',
        path.join('page', 'index.html'),
        path.join('page', 'page.css'),
        path.join('page', 'page.js'),
        'preload.cjs',
      ].toSorted(),
    );
    const imported = (file: string): string[] => {
      const text = fs.readFileSync(path.join(out, file), 'utf8');
      const found = [...text.matchAll(/\bfrom\s*"([^"]+)"|\b(?:require|import)\("([^"]+)"\)/g)].map(
        ([, one, other]) => (one ?? other) as string,
      );
      return [...new Set(found.filter((name) => !name.startsWith('node:')))].toSorted();
    };
    assert.deepEqual(['main.mjs', 'preload.cjs', 'page/page.js'].map(imported), [['electron'], ['electron'], []]);
    assert.equal(manifest.main, 'out/main.mjs');
    assert.deepEqual(manifest.build.files, ['out/**']);
  });

  test('its sidecar lies where the supervisor looks for it, and may be run', {
    skip: process.platform === 'win32' && 'Windows has no execute bit',
  }, async () => {
    const { resolveBinary } = await import('outrigger/supervisor');
    const { afterPack } = (await import(pathToFileURL(path.join(example, 'shell', 'after-pack.mjs')).href)) as {
      afterPack: (context: object) => void;
    };
    const [extra] = manifest.build.extraResources;
    assert.ok(extra !== undefined);
    assert.equal(
      path.resolve(example, 'shell', extra.from),
      path.join(import.meta.dirname, '..', 'dist', 'single'),
      'where npm run binary writes it',
    );
    for (const [electronPlatformName, below] of [
      ['linux', 'resources'],
      ['darwin', 'Workspace.app/Contents/Resources'],
    ] as const) {
      const appOutDir = path.join(scratch, `packed-${electronPlatformName}`);
      const context = { appOutDir, electronPlatformName, packager: { appInfo: { productFilename: 'Workspace' } } };
      assert.throws(() => afterPack(context), /npm run binary/);
      const resources = path.join(appOutDir, below);
      fs.mkdirSync(path.join(resources, extra.to), { recursive: true });
      // As an artifact of a CI system comes back: without the right to be run.
      fs.writeFileSync(path.join(resources, extra.to, extra.filter[0] as string), '#!/bin/sh\n', { mode: 0o644 });
      const found = resolveBinary({ env: {}, resourcesPath: resources });
      assert.equal(found?.source, 'packaged');
      assert.ok(spawnSync(found.command).error, 'it can not be run yet');
      afterPack(context);
      assert.equal(spawnSync(found.command).status, 0);
    }
    assert.deepEqual(manifest.build.mac['binaries'], [`Contents/Resources/${extra.to}/${extra.filter[0]}`]);
  });
});

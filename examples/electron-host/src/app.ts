import path from 'node:path';
import { OutriggerError } from 'outrigger/supervisor';
import type { AppWindow, Contents, ElectronParts, IpcEvent } from './electron-parts.ts';
import { OpenFolder, type OpenFolderOptions } from './open-folder.ts';
import { pageHandler, pageScheme, pageUrl } from './serve-page.ts';
import { type Answer, channelOf, type Problem, type RequestName, type Snapshot, snapshotChannel, type TextQuery } from './workspace-api.ts';

const maxQueryLength = 1000;
const maxPathLength = 4096;

export interface AppOptions {
  /** Opened at the start. */
  folder: string | undefined;
  /** The folder of index.html, page.css and page.js. */
  page: string;
  /** The path of the preload script. */
  preload: string;
  binary?: OpenFolderOptions['binary'];
  log?: (line: string) => void;
  platform?: NodeJS.Platform;
}

/**
 * The main process: one window, one folder, one sidecar. The sidecar starts with the folder and ends with the window, and the program
 * does not quit before it ended. Call it before Electron is ready; resolves when the window is there.
 */
export async function createApp<Window extends AppWindow>(electron: ElectronParts<Window>, options: AppOptions): Promise<void> {
  await new DesktopApp(electron, options).start();
}

/** The folder that a command line names: the first argument that is no flag. A packaged program has no script before it. */
export function folderArgument(argv: readonly string[], packaged: boolean): string | undefined {
  const named = argv.slice(packaged ? 1 : 2).find((argument) => !argument.startsWith('-'));
  return named === undefined ? undefined : path.resolve(named);
}

class DesktopApp<Window extends AppWindow> {
  readonly #electron: ElectronParts<Window>;
  readonly #options: AppOptions;
  #window: Window | undefined;
  #folder: OpenFolder | undefined;
  #notice: string | undefined;
  /** Folders whose children have not ended yet. */
  readonly #closing = new Set<Promise<void>>();
  /** Of the newest question of each kind. */
  readonly #asked = new Map<RequestName, AbortController>();

  constructor(electron: ElectronParts<Window>, options: AppOptions) {
    this.#electron = electron;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { app, protocol, session } = this.#electron;
    protocol.registerSchemesAsPrivileged([{ scheme: pageScheme, privileges: { standard: true, secure: true } }]);
    app.on('web-contents-created', (_event, contents) => confine(contents));
    app.on('window-all-closed', () => {
      if ((this.#options.platform ?? process.platform) !== 'darwin') app.quit();
    });
    app.on('activate', () => {
      if (this.#window === undefined) this.#openWindow();
    });
    app.on('will-quit', (event) => {
      this.#closeFolder();
      if (this.#closing.size === 0) return;
      event.preventDefault();
      void Promise.all(this.#closing).then(() => app.quit());
    });
    await app.whenReady();
    // It needs neither camera nor clipboard nor notifications.
    session.defaultSession.setPermissionRequestHandler((_contents, _permission, decide) => decide(false));
    session.defaultSession.setPermissionCheckHandler(() => false);
    protocol.handle(pageScheme, pageHandler(this.#options.page));
    this.#answerRequests();
    this.#openWindow();
    if (this.#options.folder === undefined) return;
    try {
      this.#openFolder(this.#options.folder);
    } catch (error) {
      this.#notice = this.#problemOf('openFolder', error).message;
    }
  }

  #openWindow(): void {
    const window = new this.#electron.BrowserWindow({
      title: 'Workspace',
      width: 1180,
      height: 760,
      minWidth: 640,
      minHeight: 420,
      // Shown with its first picture, not white.
      show: false,
      webPreferences: {
        preload: this.#options.preload,
        contextIsolation: true,
        sandbox: true,
        nodeIntegration: false,
        webviewTag: false,
        spellcheck: false,
      },
    });
    this.#window = window;
    window.once('ready-to-show', () => window.show());
    window.once('closed', () => {
      this.#window = undefined;
      this.#closeFolder();
    });
    window.loadURL(pageUrl).catch((error: unknown) => this.#log(`the page can't be loaded: ${String(error)}`));
  }

  #answerRequests(): void {
    this.#answer('snapshot', () => this.#snapshot());
    this.#answer('openFolder', async () => {
      const { canceled, filePaths } = await this.#electron.dialog.showOpenDialog(this.#ownWindow(), { properties: ['openDirectory'] });
      const [chosen] = filePaths;
      if (!canceled && chosen !== undefined) this.#openFolder(chosen);
      return this.#snapshot();
    });
    this.#answer('startAgain', async () => {
      await this.#ownFolder().startAgain();
      return this.#snapshot();
    });
    this.#answer('findFiles', (query) => this.#ownFolder().findFiles(text('query', query, 0, maxQueryLength), this.#newest('findFiles')));
    this.#answer('searchText', (query) => this.#ownFolder().searchText(textQuery(query), this.#newest('searchText')));
    this.#answer('readFile', (file) => this.#ownFolder().readFile(text('path', file, 1, maxPathLength)));
    this.#answer('outline', (file) => this.#ownFolder().outline(text('path', file, 1, maxPathLength)));
  }

  #answer(name: RequestName, run: (given: unknown) => unknown): void {
    this.#electron.ipcMain.handle(channelOf(name), async (event, given): Promise<Answer<unknown>> => {
      if (!this.#isOurs(event)) return { ok: false, problem: { reason: 'FORBIDDEN', message: 'Only the page of this window may ask.' } };
      try {
        return { ok: true, value: await run(given) };
      } catch (error) {
        return { ok: false, problem: this.#problemOf(name, error) };
      }
    });
  }

  /** Our page, in the top frame of our window. */
  #isOurs({ sender, senderFrame }: IpcEvent): boolean {
    if (this.#window === undefined || sender !== this.#window.webContents || senderFrame === null) return false;
    return senderFrame.parent === null && senderFrame.url.startsWith(pageUrl);
  }

  #openFolder(root: string): void {
    const folder: OpenFolder = new OpenFolder(root, {
      ...(this.#options.binary === undefined ? {} : { binary: this.#options.binary }),
      log: (line) => this.#log(line),
      onSnapshot: (snapshot) => {
        if (this.#folder === folder) this.#send(snapshot);
      },
    });
    this.#closeFolder();
    this.#folder = folder;
    this.#notice = undefined;
    this.#window?.setTitle(path.basename(root));
    this.#send(folder.snapshot);
  }

  #closeFolder(): void {
    const folder = this.#folder;
    if (folder === undefined) return;
    this.#folder = undefined;
    const closing = folder
      .close()
      .catch((error: unknown) => this.#log(`the sidecar could not be ended: ${String(error)}`))
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #snapshot(): Snapshot {
    if (this.#folder !== undefined) return this.#folder.snapshot;
    const none: Snapshot = { folder: undefined, sidecar: { name: 'none' }, changes: 0 };
    return this.#notice === undefined ? none : { ...none, notice: this.#notice };
  }

  #send(snapshot: Snapshot): void {
    if (this.#window !== undefined && !this.#window.isDestroyed()) this.#window.webContents.send(snapshotChannel, snapshot);
  }

  #ownWindow(): Window {
    if (this.#window === undefined) throw new OutriggerError('STOPPING', 'The window is closed.');
    return this.#window;
  }

  #ownFolder(): OpenFolder {
    if (this.#folder === undefined) throw new OutriggerError('FILE_NOT_FOUND', 'No folder is open. Open one first.');
    return this.#folder;
  }

  /** Ends the question before this one: nobody waits for its answer any more. */
  #newest(name: RequestName): AbortSignal {
    this.#asked.get(name)?.abort();
    const controller = new AbortController();
    this.#asked.set(name, controller);
    return controller.signal;
  }

  #problemOf(name: RequestName, error: unknown): Problem {
    if (error instanceof OutriggerError) return { reason: error.reason, message: error.message };
    // Details of our own faults are for the log.
    this.#log(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return { reason: 'INTERNAL', message: 'Something went wrong; the log of the program says what.' };
  }

  #log(line: string): void {
    this.#options.log?.(line);
  }
}

/** A page that is not ours never gets into a window of ours, whatever asks for it. */
function confine(contents: Contents): void {
  const prevent = (event: { preventDefault(): void }): void => event.preventDefault();
  contents.on('will-frame-navigate', prevent);
  contents.on('will-redirect', prevent);
  contents.on('will-attach-webview', prevent);
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}

/** Whatever runs in the page may ask anything. */
function text(name: string, given: unknown, min: number, max: number): string {
  if (typeof given === 'string' && given.length >= min && given.length <= max) return given;
  throw new OutriggerError('BAD_INPUT', `"${name}" must be a text of ${min} to ${max} characters.`);
}

function textQuery(given: unknown): TextQuery {
  const { pattern, regex, caseSensitive } = (given ?? {}) as Record<string, unknown>;
  return { pattern: text('pattern', pattern, 1, maxQueryLength), regex: regex === true, caseSensitive: caseSensitive === true };
}

import { EventEmitter } from 'node:events';
import type { AppWindow, Contents, ElectronParts, IpcEvent, WindowOptions } from '../../examples/electron-host/src/electron-parts.ts';

/** What happened in a stand-in, in order. */
export interface Sent {
  channel: string;
  args: unknown[];
}

/**
 * The parts of Electron that the example uses, behaving as documented: https://www.electronjs.org/docs/latest/api/app. What is handed from
 * one process to another is cloned, `quit` closes the windows and asks `will-quit`, and a window that is destroyed throws.
 */
export class ElectronStandIn implements ElectronParts {
  readonly windows: StandInWindow[] = [];
  readonly schemes: { scheme: string; privileges: { standard: boolean; secure: boolean } }[] = [];
  readonly pages = new Map<string, (request: { url: string }) => Response | Promise<Response>>();
  readonly #handlers = new Map<string, (event: IpcEvent, ...args: unknown[]) => unknown>();
  readonly #events = new EventEmitter();
  /** What the person chooses in the next dialog; undefined cancels it. */
  chosenFolder: string | undefined;
  /** What the program decided for each permission that was asked for. */
  permission: ((contents: unknown, permission: unknown, decide: (allowed: boolean) => void) => void) | undefined;
  permissionCheck: (() => boolean) | undefined;
  ready = false;
  exited = false;
  #quitting = false;

  readonly app: ElectronParts['app'] & { emit: (event: string, ...args: unknown[]) => void };
  readonly BrowserWindow: ElectronParts['BrowserWindow'];

  constructor() {
    const events = this.#events;
    this.app = {
      whenReady: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        this.ready = true;
      },
      quit: () => this.#quit(),
      on: (event: string, listener: (...args: never[]) => void) => events.on(event, listener as (...args: unknown[]) => void),
      emit: (event, ...args) => void events.emit(event, ...args),
    };
    const standIn = this;
    this.BrowserWindow = class extends StandInWindow {
      constructor(options: WindowOptions) {
        if (!standIn.ready) throw new Error('Cannot create BrowserWindow before app is ready');
        super(options, (window) => standIn.#closed(window));
        standIn.windows.push(this);
        events.emit('web-contents-created', {}, this.webContents);
      }
    };
  }

  readonly ipcMain: ElectronParts['ipcMain'] = {
    handle: (channel, listener) => {
      if (this.#handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
      this.#handlers.set(channel, listener);
    },
  };

  readonly dialog: ElectronParts['dialog'] = {
    showOpenDialog: async () => ({
      canceled: this.chosenFolder === undefined,
      filePaths: this.chosenFolder === undefined ? [] : [this.chosenFolder],
    }),
  };

  readonly protocol: ElectronParts['protocol'] = {
    registerSchemesAsPrivileged: (schemes) => {
      if (this.ready) throw new Error('protocol.registerSchemesAsPrivileged should be called before app is ready');
      this.schemes.push(...schemes);
    },
    handle: (scheme, handler) => void this.pages.set(scheme, handler),
  };

  readonly session: ElectronParts['session'] = {
    defaultSession: {
      setPermissionRequestHandler: (handler) => (this.permission = handler),
      setPermissionCheckHandler: (handler) => (this.permissionCheck = handler),
    },
  };

  /** ipcRenderer.invoke of the page in `window`; `from` is another frame or sender. */
  async invoke(window: StandInWindow, channel: string, args: readonly unknown[], from: Partial<IpcEvent> = {}): Promise<unknown> {
    const handler = this.#handlers.get(channel);
    if (handler === undefined) throw new Error(`Error invoking remote method '${channel}': Error: No handler registered for '${channel}'`);
    const event: IpcEvent = { sender: window.webContents, senderFrame: { url: window.url, parent: null }, ...from };
    return structuredClone(await handler(event, ...args.map((arg) => structuredClone(arg))));
  }

  #quit(): void {
    this.#quitting = true;
    for (const window of [...this.windows]) window.close();
    let prevented = false;
    this.#events.emit('will-quit', { preventDefault: () => (prevented = true) });
    if (prevented) this.#quitting = false;
    else this.exited = true;
  }

  #closed(window: StandInWindow): void {
    this.windows.splice(this.windows.indexOf(window), 1);
    // Not told when the windows close because the program quits.
    if (this.windows.length === 0 && !this.#quitting) this.#events.emit('window-all-closed');
  }
}

export class StandInWindow implements AppWindow {
  readonly options: WindowOptions;
  readonly webContents: StandInContents;
  url = '';
  title: string;
  shown = false;
  readonly #events = new EventEmitter();
  readonly #onClosed: (window: StandInWindow) => void;
  #destroyed = false;

  constructor(options: WindowOptions, onClosed: (window: StandInWindow) => void) {
    this.options = options;
    this.title = options.title;
    this.webContents = new StandInContents(() => this.#destroyed);
    this.#onClosed = onClosed;
  }

  async loadURL(url: string): Promise<void> {
    this.#check();
    this.url = url;
    await new Promise((resolve) => setImmediate(resolve));
    this.#events.emit('ready-to-show');
  }

  setTitle(title: string): void {
    this.#check();
    this.title = title;
  }

  show(): void {
    this.#check();
    this.shown = true;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  once(event: string, listener: () => void): unknown {
    return this.#events.once(event, listener);
  }

  close(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#events.emit('closed');
    this.#onClosed(this);
  }

  #check(): void {
    if (this.#destroyed) throw new TypeError('Object has been destroyed');
  }
}

class StandInContents implements Contents {
  readonly sent: Sent[] = [];
  /** Hears what the page hears. */
  onSent: (sent: Sent) => void = () => undefined;
  windowOpen: (() => { action: 'deny' }) | undefined;
  readonly #events = new EventEmitter();
  readonly #destroyed: () => boolean;

  constructor(destroyed: () => boolean) {
    this.#destroyed = destroyed;
  }

  send(channel: string, ...args: unknown[]): void {
    if (this.#destroyed()) throw new TypeError('Object has been destroyed');
    const sent = { channel, args: structuredClone(args) };
    this.sent.push(sent);
    this.onSent(sent);
  }

  setWindowOpenHandler(handler: () => { action: 'deny' }): void {
    this.windowOpen = handler;
  }

  on(event: string, listener: (event: { preventDefault(): void }) => void): unknown {
    return this.#events.on(event, listener);
  }

  /** Whether the program let it happen. */
  allows(event: 'will-frame-navigate' | 'will-redirect' | 'will-attach-webview'): boolean {
    let prevented = false;
    this.#events.emit(event, { preventDefault: () => (prevented = true) });
    return !prevented;
  }
}

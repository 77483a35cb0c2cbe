// The parts of Electron that the main process uses, as small as that. They are handed in, so that the program runs without Electron.

export interface ElectronParts<Window extends AppWindow = AppWindow> {
  app: App;
  BrowserWindow: new (options: WindowOptions) => Window;
  ipcMain: { handle(channel: string, listener: (event: IpcEvent, ...args: unknown[]) => unknown): void };
  dialog: {
    showOpenDialog(window: Window, options: { properties: 'openDirectory'[] }): Promise<{ canceled: boolean; filePaths: string[] }>;
  };
  protocol: {
    registerSchemesAsPrivileged(schemes: { scheme: string; privileges: { standard: boolean; secure: boolean } }[]): void;
    handle(scheme: string, handler: (request: { url: string }) => Response | Promise<Response>): void;
  };
  session: {
    defaultSession: {
      setPermissionRequestHandler(handler: (contents: unknown, permission: unknown, decide: (allowed: boolean) => void) => void): void;
      setPermissionCheckHandler(handler: () => boolean): void;
    };
  };
}

export interface App {
  whenReady(): Promise<void>;
  quit(): void;
  on(event: 'activate' | 'window-all-closed', listener: () => void): unknown;
  on(event: 'will-quit', listener: (event: Preventable) => void): unknown;
  on(event: 'web-contents-created', listener: (event: unknown, contents: Contents) => void): unknown;
}

export interface AppWindow {
  readonly webContents: Contents;
  loadURL(url: string): Promise<void>;
  setTitle(title: string): void;
  show(): void;
  isDestroyed(): boolean;
  once(event: 'ready-to-show', listener: () => void): unknown;
  once(event: 'closed', listener: () => void): unknown;
}

export interface Contents {
  send(channel: string, ...args: unknown[]): void;
  setWindowOpenHandler(handler: () => { action: 'deny' }): void;
  on(event: 'will-frame-navigate', listener: (event: Preventable) => void): unknown;
  on(event: 'will-redirect', listener: (event: Preventable) => void): unknown;
  on(event: 'will-attach-webview', listener: (event: Preventable) => void): unknown;
}

export interface WindowOptions {
  title: string;
  width: number;
  height: number;
  minWidth: number;
  minHeight: number;
  show: boolean;
  webPreferences: {
    preload: string;
    contextIsolation: true;
    sandbox: true;
    nodeIntegration: false;
    webviewTag: false;
    spellcheck: false;
  };
}

export interface IpcEvent {
  readonly sender: object;
  /** Null when the frame is gone. */
  readonly senderFrame: { readonly url: string; readonly parent: object | null } | null;
}

export interface Preventable {
  preventDefault(): void;
}

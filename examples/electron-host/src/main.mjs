import path from 'node:path';
import { app, BrowserWindow, dialog, ipcMain, protocol, session } from 'electron';
import { createApp, folderArgument } from './app.ts';

const out = import.meta.dirname;
// Not awaited: Electron is ready only after this module has ended.
createApp(
  { app, BrowserWindow, dialog, ipcMain, protocol, session },
  {
    folder: folderArgument(process.argv, app.isPackaged),
    page: path.join(out, 'page'),
    preload: path.join(out, 'preload.cjs'),
    // Packaged, it is found below process.resourcesPath; while this example lies in its checkout, in dist of that.
    binary: app.isPackaged ? {} : { workspaceDev: path.join(out, '..', '..', '..', '..', 'dist', 'outrigger.mjs') },
    log: (line) => console.error(line),
  },
).catch((error) => {
  console.error(error);
  app.exit(1);
});

// Bundled to CommonJS: Electron's sandbox runs preload scripts as one file of that kind.
import { contextBridge, ipcRenderer } from 'electron';
import { createBridge } from './bridge.ts';

contextBridge.exposeInMainWorld('workspace', createBridge(ipcRenderer));

import { channelOf, type RequestName, type Snapshot, snapshotChannel, type WorkspaceApi } from './workspace-api.ts';

/** The part of Electron's ipcRenderer that is used. */
export interface RendererIpc {
  invoke(channel: string, ...args: unknown[]): Promise<unknown>;
  on(channel: string, listener: (event: unknown, ...args: unknown[]) => void): unknown;
  off(channel: string, listener: (event: unknown, ...args: unknown[]) => void): unknown;
}

/** What the page gets of the main process: these functions and nothing else; neither channels nor events of IPC. */
export function createBridge(ipc: RendererIpc): WorkspaceApi {
  const ask = <Name extends RequestName>(name: Name, ...args: Parameters<WorkspaceApi[Name]>): ReturnType<WorkspaceApi[Name]> =>
    // The main process answers each channel with what WorkspaceApi says of it.
    ipc.invoke(channelOf(name), ...args) as ReturnType<WorkspaceApi[Name]>;
  return {
    snapshot: () => ask('snapshot'),
    openFolder: () => ask('openFolder'),
    startAgain: () => ask('startAgain'),
    findFiles: (query) => ask('findFiles', query),
    searchText: (query) => ask('searchText', query),
    readFile: (path) => ask('readFile', path),
    outline: (path) => ask('outline', path),
    onSnapshot: (listener) => {
      const heard = (_event: unknown, snapshot: unknown): void => listener(snapshot as Snapshot);
      ipc.on(snapshotChannel, heard);
      return () => void ipc.off(snapshotChannel, heard);
    },
  };
}

import fs from 'node:fs';
import path from 'node:path';
import { openWorkspace, OutriggerError, type OpenWorkspaceOptions, type Workspace } from 'outrigger/supervisor';
import type { FoundFiles, FoundText, OpenedFile, Outline, SidecarState, Snapshot, TextQuery } from './workspace-api.ts';

const maxFiles = 200;
const maxLines = 500;
/** UTF-16 units of a file that are shown. */
const maxShown = 500_000;
/** Files that Node alone looks through by name. */
const maxWalked = 20_000;
/** Changes within this time are told as one. */
const tellAfterMs = 150;
/** A child that was asked to end is killed after this. */
const killAfterMs = 4000;
const meanwhile = 'Meanwhile Node reads the folder: slower, and without outlines.';

export interface OpenFolderOptions {
  /** Where the sidecar is looked for; see resolveBinary. */
  binary?: OpenWorkspaceOptions['binary'];
  log: (line: string) => void;
  onSnapshot: (snapshot: Snapshot) => void;
}

/** Its log tells of trouble alone: the last line of it is part of the message when it ends by itself. */
const stdioArgs = (root: string): string[] => ['stdio', '--root', root, '--log-level', 'warn'];

/** One folder with its sidecar. Everything asked of it waits until it is open. */
export class OpenFolder {
  readonly #root: string;
  readonly #onSnapshot: (snapshot: Snapshot) => void;
  readonly #workspace: Promise<Workspace>;
  #opened: Workspace | undefined;
  #warning: string | undefined;
  /** How the last child ended. */
  #ended = '';
  #changes = 0;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  /** Throws when `root` is no folder; all else comes later, by the snapshot. */
  constructor(root: string, { binary, log, onSnapshot }: OpenFolderOptions) {
    if (fs.statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new OutriggerError('FILE_NOT_FOUND', `There is no folder ${root}.`);
    this.#root = path.resolve(root);
    this.#onSnapshot = onSnapshot;
    this.#workspace = this.#open({
      root: this.#root,
      supervisor: { args: stdioArgs, onLog: log, killAfterMs },
      ...(binary === undefined ? {} : { binary }),
    });
    // Each request says so again, to whoever asks.
    this.#workspace.catch((error: unknown) => log(`${root} can't be opened: ${String(error)}`));
  }

  get snapshot(): Snapshot {
    return { folder: { name: path.basename(this.#root), path: this.#root }, sidecar: this.#sidecar(), changes: this.#changes };
  }

  async findFiles(query: string, signal: AbortSignal): Promise<FoundFiles> {
    const workspace = await this.#workspace;
    const { supervisor } = workspace;
    if (supervisor !== undefined && supervisor.state.name !== 'failed')
      return (await supervisor.request('search.files', { query, limit: maxFiles }, { signal })) as FoundFiles;
    const { paths, truncated } = await workspace.glob('*', { limit: maxWalked, signal });
    const wanted = query.toLowerCase();
    const found = paths.filter((file) => file.toLowerCase().includes(wanted));
    return { files: found.slice(0, maxFiles).map((file) => ({ path: file })), truncated: truncated || found.length > maxFiles };
  }

  async searchText(query: TextQuery, signal: AbortSignal): Promise<FoundText> {
    const workspace = await this.#workspace;
    const by = workspace.backend;
    const begun = performance.now();
    const { files, truncated } = await workspace.search({ ...query, maxResults: maxLines }, { signal });
    return { files, truncated, by, elapsedMs: performance.now() - begun };
  }

  async readFile(file: string): Promise<OpenedFile> {
    const { path: at, text } = await (await this.#workspace).readFile(file);
    return { path: at, text: text.slice(0, maxShown), cut: text.length > maxShown };
  }

  /** Throws NO_LANGUAGE for a file whose language has no outline, and PART_OFF while Node alone reads the folder. */
  async outline(file: string): Promise<Outline> {
    const { supervisor } = await this.#workspace;
    if (supervisor === undefined || supervisor.state.name === 'failed')
      throw new OutriggerError('PART_OFF', 'There are no outlines without the sidecar. Start it again to see them.');
    return (await supervisor.request('outline', { path: file })) as Outline;
  }

  /** After the child was given up. Throws when it can't be started this time either. */
  async startAgain(): Promise<void> {
    const workspace = await this.#workspace;
    if (workspace.supervisor === undefined) throw new OutriggerError('TOOL_MISSING', this.#warning ?? 'No sidecar was found.');
    await workspace.supervisor.start(workspace.getRoot());
  }

  /** Resolves when the child is gone. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#workspace.then(
      (workspace) => workspace.close(),
      () => undefined,
    );
    clearTimeout(this.#timer);
    return this.#closing;
  }

  async #open(options: OpenWorkspaceOptions): Promise<Workspace> {
    const workspace = await openWorkspace({
      ...options,
      onWarning: (message) => {
        this.#warning = message;
        this.#tell();
      },
    });
    if (this.#closing !== undefined) return workspace;
    this.#opened = workspace;
    workspace.supervisor?.onState(() => this.#tell());
    workspace.watch('*', () => {
      this.#changes++;
      this.#timer ??= setTimeout(() => this.#tell(), tellAfterMs);
    });
    this.#tell();
    return workspace;
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closing === undefined) this.#onSnapshot(this.snapshot);
  }

  #sidecar(): SidecarState {
    if (this.#opened === undefined) return { name: 'starting' };
    const { supervisor } = this.#opened;
    if (supervisor === undefined) return { name: 'fallback', message: this.#warning ?? 'No sidecar was found.' };
    const { state } = supervisor;
    switch (state.name) {
      case 'ready':
        return { name: 'running', pid: state.pid, version: state.version, restarts: state.restarts };
      case 'waiting':
        this.#ended = state.error.message;
        return { name: 'restarting', message: `${this.#ended} It is started again in ${state.delayMs} ms.` };
      case 'starting':
        return state.restarts > 0 ? { name: 'restarting', message: `${this.#ended} It is starting again.` } : { name: 'starting' };
      case 'failed':
        return { name: 'fallback', message: `${state.error.message} ${meanwhile}` };
      case 'stopping':
      case 'stopped':
        return { name: 'none' };
    }
  }
}

import { OutriggerError } from '../contract/errors.ts';
import { applyEdits, type ApplyEditsOptions } from './apply-edits.ts';
import type { ApplyEditsResult, FileEdit } from './file-edit.ts';
import { NodeBackend } from './node-backend.ts';
import { resolveBinary, type ResolveBinaryOptions, type SidecarBinary } from './resolve-binary.ts';
import { SidecarBackend } from './sidecar-backend.ts';
import { Supervisor, type SupervisorOptions } from './sidecar-supervisor.ts';
import type {
  CallOptions,
  Disposable,
  FileHash,
  FileStat,
  FileText,
  GlobOptions,
  GlobResult,
  SearchQuery,
  SearchResult,
  WatchEvent,
  WorkspaceBackend,
} from './workspace-backend.ts';

export interface OpenWorkspaceOptions {
  root: string;
  /** What to start, or where to look for it. */
  binary?: SidecarBinary | ResolveBinaryOptions;
  /** Called once at most in the life of the workspace: the sidecar is not there, or can't be relied on, and Node answers instead. */
  onWarning?: (message: string) => void;
  supervisor?: Omit<SupervisorOptions, 'binary'>;
  edits?: ApplyEditsOptions;
}

/** A folder that a host works on. */
export interface Workspace extends WorkspaceBackend {
  /** Who answers now. */
  readonly backend: 'sidecar' | 'node';
  /** The host's own writes; the sidecar never writes. */
  applyEdits(edits: readonly FileEdit[]): Promise<ApplyEditsResult>;
  /** Undefined when no sidecar was found. */
  readonly supervisor: Supervisor | undefined;
}

/**
 * Opens a folder: with a child sidecar when there is one and it answers, else with Node alone. While the child is down, calls are
 * answered by Node; when it is back, by it again. Rejects only when the folder is not there.
 */
export async function openWorkspace(options: OpenWorkspaceOptions): Promise<Workspace> {
  const node = new NodeBackend(options.root);
  const warn = once(options.onWarning ?? ((message) => process.emitWarning(message)));
  let binary: SidecarBinary | undefined;
  try {
    binary = options.binary !== undefined && 'command' in options.binary ? options.binary : resolveBinary(options.binary);
    if (binary === undefined) warn('No sidecar was found; the folder is read by Node alone. Set OUTRIGGER_SIDECAR_PATH to where it is.');
  } catch (error) {
    warn(`${(error as Error).message} The folder is read by Node alone.`);
  }
  if (binary === undefined) return new FallbackWorkspace(node, undefined, warn, options.edits);
  const supervisor = new Supervisor({ ...options.supervisor, binary });
  const workspace = new FallbackWorkspace(node, supervisor, warn, options.edits);
  // The workspace hears of the failure by the state.
  await supervisor.start(node.getRoot()).catch(() => undefined);
  return workspace;
}

/** Failures after which the same question can be asked of Node. */
const passedOn: ReadonlySet<string> = new Set([
  'CONNECTION_LOST',
  'STARTING',
  'STOPPING',
  'DEADLINE',
  'NO_OPERATION',
  'PART_OFF',
  'TOOL_MISSING',
  'TOO_MANY',
]);

class FallbackWorkspace implements Workspace {
  readonly supervisor: Supervisor | undefined;
  readonly #node: NodeBackend;
  readonly #sidecar: SidecarBackend | undefined;
  readonly #warn: (message: string) => void;
  readonly #edits: ApplyEditsOptions;
  #closed = false;

  constructor(node: NodeBackend, supervisor: Supervisor | undefined, warn: (message: string) => void, edits: ApplyEditsOptions = {}) {
    this.#node = node;
    this.supervisor = supervisor;
    this.#sidecar = supervisor === undefined ? undefined : new SidecarBackend(node.getRoot(), supervisor);
    this.#warn = warn;
    this.#edits = edits;
    supervisor?.onState((state) => {
      if (state.name === 'failed') warn(`${state.error.message} The folder is read by Node alone from now on.`);
    });
  }

  get backend(): 'sidecar' | 'node' {
    return this.supervisor?.state.name === 'ready' ? 'sidecar' : 'node';
  }

  getRoot(): string {
    return this.#node.getRoot();
  }

  readFile(path: string, options?: CallOptions): Promise<FileText> {
    return this.#ask('readFile', options, (backend) => backend.readFile(path, options));
  }

  stat(path: string, options?: CallOptions): Promise<FileStat> {
    return this.#ask('stat', options, (backend) => backend.stat(path, options));
  }

  hashFile(path: string, options?: CallOptions): Promise<FileHash> {
    return this.#ask('hashFile', options, (backend) => backend.hashFile(path, options));
  }

  glob(pattern: string | readonly string[], options?: GlobOptions): Promise<GlobResult> {
    return this.#ask('glob', options, (backend) => backend.glob(pattern, options));
  }

  search(query: SearchQuery, options?: CallOptions): Promise<SearchResult> {
    return this.#ask('search', options, (backend) => backend.search(query, options));
  }

  watch(pattern: string | readonly string[], listener: (event: WatchEvent) => void): Disposable {
    let disposed = false;
    let current: Disposable | undefined;
    const byNode = (): void => {
      if (disposed || this.#closed) return;
      current?.dispose();
      current = this.#node.watch(pattern, listener, { readAnew: true });
    };
    const state = this.supervisor?.state.name;
    if (this.#sidecar === undefined || state === 'failed') current = this.#node.watch(pattern, listener);
    else current = this.#sidecar.watch(pattern, listener, once(byNode));
    return {
      dispose: () => {
        disposed = true;
        current?.dispose();
      },
    };
  }

  applyEdits(edits: readonly FileEdit[]): Promise<ApplyEditsResult> {
    return applyEdits(this.getRoot(), edits, this.#edits);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#node.close();
    await this.#sidecar?.close();
  }

  async #ask<T>(what: string, options: CallOptions | undefined, run: (backend: WorkspaceBackend) => Promise<T>): Promise<T> {
    if (this.#closed) throw new OutriggerError('STOPPING', 'The workspace is closed.');
    if (this.#sidecar === undefined || this.backend === 'node') return await run(this.#node);
    try {
      return await run(this.#sidecar);
    } catch (error) {
      if (!(error instanceof OutriggerError) || !passedOn.has(error.reason) || this.#closed || options?.signal?.aborted === true)
        throw error;
      if (error.reason === 'DEADLINE') this.#warn(`The sidecar did not answer ${what} in time; Node answers such calls instead.`);
      return await run(this.#node);
    }
  }
}

function once<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
  let done = false;
  return (...args) => {
    if (done) return;
    done = true;
    run(...args);
  };
}

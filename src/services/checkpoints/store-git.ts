import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { explicitRepository } from '../processes/explicit-repository.ts';
import type { Processes, RunResult } from '../processes/processes.ts';
import type { State } from '../state/state.ts';
import { storeError } from './store-error.ts';

/** Below the state folder. */
const SHADOW = 'checkpoints.git';
/** What git says where a file is that it makes to keep others out. */
const LOCKED = /Unable to create '(.+\.lock)': File exists/;
const MAX_LIST_BYTES = 256 * 1024 * 1024;

/** Where the objects are. Chosen once: trees of the one would name objects of the other. */
export interface Place {
  kind: 'repository' | 'own';
  /** The folder, as it was called then. Older states do not say it. */
  root?: string;
  /** Names our refs, beside those of other sidecars on the same repository. The same in each place, so that those of before are found. */
  name: string;
  /** The repository's, where its objects are used. */
  gitFolder?: string;
  objects?: string;
  format?: string;
  sharing?: string;
  /** Why the folder's own repository is not used. */
  why?: string;
  /** The git folder of the place before, with refs of ours: where it comes back they are dropped. */
  left?: string;
}

export interface Running {
  env: Record<string, string>;
  signal: AbortSignal | undefined;
  stdin?: Uint8Array | string;
  timeoutMs?: number;
  maxOutputBytes?: number;
}

/** Runs git for checkpoints, with an index and a config of our own (`shadow`) over the objects of the place where they are kept. */
export class StoreGit {
  /** Set by who finds it (git-place.ts). */
  place: Place | undefined;
  /** Absolute. */
  readonly shadow: string;
  readonly #processes: Pick<Processes, 'run'>;
  readonly #state: State;
  readonly #options: { root: string; timeoutMs: number };
  #top: string | undefined;

  constructor(dependencies: { processes: Pick<Processes, 'run'>; state: State }, options: { root: string; timeoutMs: number }) {
    this.#processes = dependencies.processes;
    this.#state = dependencies.state;
    this.#options = options;
    this.shadow = path.join(dependencies.state.folder, SHADOW);
  }

  get opened(): Place {
    if (this.place === undefined) throw new OutriggerError('INTERNAL', 'The store of checkpoints is not open.');
    return this.place;
  }

  /** A file of the shadow. */
  write(name: string, content: string): void {
    this.#state.writeFile(`${SHADOW}/${name}`, content);
  }

  /** A file of the shadow, where it is there. */
  remove(name: string): void {
    this.#state.removeFile(`${SHADOW}/${name}`);
  }

  /** The next look at the folder begins from nothing. */
  forgetIndex(): void {
    this.remove('index');
    this.#top = undefined;
  }

  /** The top of the work tree that the folder lies in. */
  async workTree(signal: AbortSignal | undefined): Promise<string> {
    this.#top ??= (await this.git(['rev-parse', '--show-toplevel'], { env: quiet, signal })).stdout.toString().replace(/\n$/, '');
    return this.#top;
  }

  get refs(): string {
    return refsOf(this.opened);
  }

  /** Our own config and index over the objects of the repository. */
  env(): Record<string, string> {
    const { objects } = this.opened;
    return {
      GIT_DIR: this.shadow,
      GIT_WORK_TREE: this.#options.root,
      ...(objects === undefined ? {} : { GIT_OBJECT_DIRECTORY: objects }),
      ...quiet,
    };
  }

  /** For refs, which are the repository's. */
  refEnv(): Record<string, string> {
    const { gitFolder } = this.opened;
    return gitFolder === undefined ? this.env() : { GIT_DIR: gitFolder, ...quiet };
  }

  /** Throws what git failed with: `exits` are the codes of a success. */
  async git(
    args: readonly string[],
    running: Omit<Running, 'env'> & Partial<Pick<Running, 'env'>>,
    exits: readonly number[] = [0],
  ): Promise<RunResult> {
    const request = { env: this.env(), ...running };
    let result = await this.run(args, request);
    if (result.exitCode !== 0 && LOCKED.exec(result.stderr.toString())?.[1]?.startsWith(`${this.shadow}/`) === true) {
      // Of a call of ours that was ended: calls come one at a time.
      this.#removeLocks();
      result = await this.run(args, request);
    }
    if (result.exitCode === null || !exits.includes(result.exitCode)) throw storeError(result.exitCode, result.stderr.toString());
    return result;
  }

  #removeLocks(): void {
    const names = [
      ...fs.readdirSync(this.shadow),
      ...fs.readdirSync(path.join(this.shadow, 'refs'), { recursive: true }).map((name) => `refs/${name.toString()}`),
    ];
    for (const name of names) if (name.endsWith('.lock')) this.remove(name);
  }

  /** However it ends. */
  run(args: readonly string[], running: Running): Promise<RunResult> {
    const { sharing } = this.place ?? {};
    return this.#processes.run({
      argv: ['git', ...commonConfig, ...(sharing === undefined ? [] : ['-c', `core.sharedRepository=${sharing}`]), ...args],
      cwd: this.#options.root,
      env: running.env,
      timeoutMs: running.timeoutMs ?? this.#options.timeoutMs,
      maxOutputBytes: running.maxOutputBytes ?? MAX_LIST_BYTES,
      signal: running.signal,
      ...(running.stdin === undefined ? {} : { stdin: running.stdin }),
    });
  }
}

export const refsOf = ({ name }: Place): string => `refs/outrigger/checkpoints/${name}/`;

const commonConfig = [
  ...explicitRepository,
  ...['--no-pager', '-c', 'core.quotepath=off', '-c', 'core.fsmonitor=false', '-c', 'core.untrackedCache=false', '-c', 'color.ui=false'],
  ...[
    '-c',
    'core.splitIndex=false',
    '-c',
    'gc.auto=0',
    '-c',
    'maintenance.auto=false',
    '-c',
    'core.safecrlf=false',
    '-c',
    'index.version=4',
    '-c',
    // One sync for all objects of a call, where each would have its own. https://git-scm.com/docs/git-config#Documentation/git-config.txt-corefsyncMethod
    'core.fsyncMethod=batch',
  ],
];
/** Git asks nobody, and says all in English. */
export const quiet = {
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_CONFIG_COUNT: '0',
};

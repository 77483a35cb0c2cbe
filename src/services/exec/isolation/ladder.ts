import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../../contract/errors.ts';
import type { ForkServer } from '../../processes/fork-server.ts';
import { type CagedChild, startCaged } from '../../processes/caged-child.ts';
import { shortageOf } from '../../processes/shortage.ts';
import { ForkServers } from './fork-servers.ts';
import { CagedRun } from './caged-run.ts';
import { Cgroups } from './cgroup.ts';
import { type Machine, rungNames } from './evidence.ts';
import { Passages } from './passages.ts';
import {
  carriedEnv,
  launcherArgv,
  namespacesArgv,
  OWN_PROCESSES,
  ownNamespacesArgv,
  type Part,
  type Place,
  SEEN_AT,
  type Surroundings,
  systemFolders,
} from './plan.ts';
import { type Climbed, climb, landlockAbi, type RungSandbox } from './probe.ts';
import type { Interpreter, RunBounds, Sandbox, SandboxedProgram, SandboxRequest } from './sandbox.ts';
import { Settings } from './settings.ts';
import { Slots } from './slots.ts';
import { UserBlocks } from './user-blocks.ts';

export { rungNames };

const HIGHEST = rungNames.length - 1;
/** Users that nobody else has: nothing on Debian gives these numbers away. All sidecars of a machine whose runs root starts share them out. */
const USERS = { from: 61_000, count: 4000 };
const USERS_AT_ONCE = 40;
const DEFAULT_NEW_FILES = 10_000;
/** DEEPEST of native/folders.h. */
const FOLDER_DEPTH = 100;
const DEFAULT_SESSION_BYTES = 1024 * 1024 * 1024;

export interface LadderDependencies {
  /** The built launcher, absolute; undefined: there is none, and only plain processes are left. */
  launcher: string | undefined;
  /** Absolute path of a program on a search path, or undefined. A name with a slash is one of the folder `from`. */
  find(program: string, options: { from: string; searchPath: string | undefined }): string | undefined;
  /** The search path of this process, for bubblewrap. */
  searchPath: string | undefined;
  /** Milliseconds. */
  now: () => number;
  log: (level: 'debug' | 'info' | 'warn', event: string, fields: Record<string, unknown>) => void;
}

export interface LadderOptions {
  /** An absolute folder that is there, where temporary folders of runs are made; others must be able to pass through it, where root runs this. */
  scratch: string;
  /** A file above the folders of runs that their programs may read. */
  above?: string;
  /** No rung above this one is taken. */
  highest?: 0 | 1 | 2 | 3;
  /** Files and folders that a run may make; 10,000 where it is left out. */
  newFiles?: number;
  /** Of all that the folder of a run may hold; 1 GiB where it is left out. */
  sessionBytes?: number;
  /** How cages are started, where both can be: by a server that forks; or each by a program of its own, and namespaces by bubblewrap. */
  starts?: 'server' | 'program';
  /** For tests: parts that are left out, to see what gets through then. */
  without?: readonly Part[];
}

/** Runs programs on the highest rung of four that this machine gives: namespaces, landlock, seccomp, none. */
export class LadderSandbox implements Sandbox, RungSandbox {
  readonly #dependencies: LadderDependencies;
  readonly #options: LadderOptions;
  readonly #without: ReadonlySet<Part>;
  readonly #users = new UserBlocks(USERS, USERS_AT_ONCE);
  readonly #slots: Slots | undefined;
  readonly #running = new Set<CagedRun>();
  readonly #settings: Settings;
  readonly #servers: ForkServers;
  readonly #passages: Passages;
  /** Nobody else makes folders of these names. */
  readonly #name = randomBytes(9).toString('hex');
  #count = 0;
  readonly #links = linksAmong(systemFolders);
  #opened: Promise<Climbed> | undefined;
  #rung = 0;
  #abi = 0;
  #cgroups: Cgroups | undefined;
  #bwrap: string | undefined;
  /** What makes namespaces. */
  #namespaces: Machine['namespaces'];
  #stopping = false;

  constructor(dependencies: LadderDependencies, options: LadderOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#without = new Set(options.without);
    this.#settings = new Settings(options.scratch, dependencies.now);
    this.#servers = new ForkServers(dependencies);
    this.#passages = new Passages(dependencies.now);
    const isRoot = process.getuid?.() === 0 && !this.#without.has('user');
    this.#slots = isRoot ? new Slots(() => this.#users.claim()) : undefined;
  }

  seenAt(folder: string): string {
    return this.#seenAt(this.#rung, folder);
  }

  open(): Promise<Climbed> {
    this.#opened ??= this.#climb().catch((error: unknown) => {
      // It says nothing of the machine: whoever comes next climbs again.
      this.#opened = undefined;
      const { reason, message } = shortageOf('what tries out the cages', error) ?? {};
      if (reason === undefined) throw error;
      throw new OutriggerError(reason, `No code runs before it was tried out what holds it. ${message}`, { cause: error });
    });
    return this.#opened;
  }

  async start(request: SandboxRequest): Promise<SandboxedProgram> {
    await this.open();
    return this.startAt(this.#rung, request);
  }

  async fork(request: SandboxRequest, interpreter: Interpreter): Promise<SandboxedProgram | undefined> {
    await this.open();
    if (this.#rung !== HIGHEST || this.#namespaces !== 'launcher' || this.#isOwnerOf(interpreter.argv[0])) return undefined;
    const server = await this.#servers.of(interpreter);
    if (server === undefined) return undefined;
    try {
      return await this.#startOn(HIGHEST, request, server);
    } catch (error) {
      if (server.isOver && !request.signal.aborted && !this.#stopping) return undefined;
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const running = [...this.#running];
    for (const run of running) run.cancel();
    await Promise.all(running.map((run) => run.gone));
    await this.#servers.close();
    await Promise.all([this.#cgroups?.close(), this.#settings.close()]);
    this.#users.close();
  }

  /** As `start`, on a rung that need not be the one that was chosen. */
  startAt(rung: number, request: SandboxRequest): Promise<SandboxedProgram> {
    return this.#startOn(rung, request, undefined);
  }

  /** Whether programs would own the file: a fork gets at it by /proc/self/exe, outside of its own mounts, and could change its mode. */
  #isOwnerOf(program: string): boolean {
    return this.#slots === undefined && fs.statSync(program, { throwIfNoEntry: false })?.uid === process.getuid?.();
  }

  /** `interpreter`: that of which the program is a fork. */
  async #startOn(rung: number, request: SandboxRequest, interpreter: ForkServer | undefined): Promise<SandboxedProgram> {
    request.signal.throwIfAborted();
    this.#throwIfStopping();
    const { folder } = request;
    const [name, ...args] = request.argv;
    // On the highest rung names are of its own file system, which has the same programs at the same places.
    const inside = this.#seenAt(rung, folder);
    const isInside = name === inside || name.startsWith(`${inside}/`);
    const program = isInside ? name : this.#dependencies.find(name, { from: folder, searchPath: request.env['PATH'] });
    if (program === undefined)
      throw new OutriggerError('TOOL_MISSING', `The program ${name} is not on this machine.`, { details: { tool: name } });
    const resolved: SandboxRequest = { ...request, argv: [program, ...args] };
    const { launcher, now } = this.#dependencies;
    const supervised = rung > 0 && launcher !== undefined;
    const slot = supervised ? await this.#slotFor(rung, resolved) : undefined;
    const { memoryBytes, processes } = request.limits;
    const wantsCgroup = rung === HIGHEST && !this.#without.has('cgroup');
    const cgroup = wantsCgroup
      ? this.#cgroups?.make({ memoryBytes, processes: processes + OWN_PROCESSES[this.#namespaces ?? 'bubblewrap'] })
      : undefined;
    const startedAt = now();
    try {
      const scratch = path.join(this.#options.scratch, `run-${this.#name}-${++this.#count}`);
      const settings = rung === HIGHEST ? this.#settings.bound(request.network) : undefined;
      const seen = [folder, ...request.readable, launcher ?? '', settings?.folder ?? this.#options.scratch];
      const place: Place = {
        uid: slot?.uid,
        sharesUser: slot === undefined && process.getuid?.() !== 0,
        joins: cgroup?.joins ?? [],
        scratch,
        settings,
        isStaged: rung === HIGHEST && slot !== undefined && !this.#passages.areOpen(seen),
      };
      const env = supervised ? carriedEnv(request.env, rung === HIGHEST ? '/tmp' : scratch) : request.env;
      const child = supervised
        ? await this.#startCage(rung, resolved, launcher, place, env, interpreter)
        : await startCaged({ argv: resolved.argv, env, cwd: folder, keepStdinOpen: request.keepStdinOpen, reports: false });
      const run: CagedRun = new CagedRun({
        child,
        request,
        bounds: this.#bounds,
        supervised,
        killsAll: rung === HIGHEST,
        cgroup,
        now,
        startedAt,
        onGone: () => {
          slot?.release();
          this.#running.delete(run);
        },
      });
      this.#running.add(run);
      // It may have been told to stop meanwhile.
      if (this.#stopping) run.cancel();
      return run;
    } catch (error) {
      slot?.release();
      await cgroup?.remove();
      throw startProblem(name, folder, error);
    }
  }

  async #startCage(
    rung: number,
    request: SandboxRequest,
    launcher: string,
    place: Place,
    env: Record<string, string>,
    interpreter: ForkServer | undefined,
  ): Promise<CagedChild> {
    const surroundings: Surroundings = {
      launcher,
      bwrap: this.#bwrap,
      abi: this.#abi,
      bounds: this.#bounds,
      links: this.#links,
      above: this.#options.above,
      users: this.#slots === undefined ? undefined : USERS,
      without: this.#without,
    };
    const { keepStdinOpen, folder } = request;
    const isServed = this.#options.starts !== 'program' && (rung < HIGHEST || this.#namespaces === 'launcher');
    const server = interpreter ?? (isServed ? await this.#servers.of(undefined) : undefined);
    if (server !== undefined) {
      if (!fs.existsSync(folder)) throw Object.assign(new Error(`${folder} is not there.`), { code: 'ENOENT' });
      const argv =
        rung === HIGHEST
          ? ownNamespacesArgv(request, surroundings, place, interpreter !== undefined)
          : launcherArgv(request, rung, surroundings, place).slice(1);
      const order = { argv, env: interpreter === undefined ? env : {}, cwd: '/', keepStdinOpen };
      try {
        return await server.start(order);
      } catch (error) {
        // Somebody ended it; there is another one at once.
        const other = server.isOver && interpreter === undefined ? await this.#servers.of(undefined) : undefined;
        if (other === undefined) throw error;
        return other.start(order);
      }
    }
    const argv = rung === HIGHEST ? namespacesArgv(request, surroundings, place) : launcherArgv(request, rung, surroundings, place);
    return startCaged({ argv, env, cwd: rung === HIGHEST ? '/' : folder, keepStdinOpen, reports: true });
  }

  /**
   * A user of its own, where root runs this. Below the highest rung it has to get at the folders by itself: where one of those above
   * them is closed to others, the program stays root, without what makes root mighty.
   */
  async #slotFor(rung: number, { folder, readable, argv }: SandboxRequest): Promise<{ uid: number; release: () => void } | undefined> {
    if (this.#slots === undefined) return undefined;
    const needed = [folder, ...readable, this.#options.scratch, argv[0]];
    return rung === HIGHEST || this.#passages.areOpen(needed) ? this.#slots.take(folder) : undefined;
  }

  async #climb(): Promise<Climbed> {
    const { find, searchPath, log } = this.#dependencies;
    const launcher = process.platform === 'linux' ? this.#dependencies.launcher : undefined;
    if (launcher !== undefined) {
      this.#bwrap = find('bwrap', { from: '/', searchPath });
      this.#cgroups ??= Cgroups.find();
      const [abi] = await Promise.all([landlockAbi(launcher), this.#settings.make(false), this.#cgroups?.sweep().catch(() => {})]);
      this.#abi = abi;
    }
    const highest = this.#options.highest ?? HIGHEST;
    const ways = [
      ...(this.#options.starts === 'program' ? [] : ['launcher' as const]),
      ...(this.#bwrap === undefined ? [] : ['bubblewrap' as const]),
    ];
    let climbed: Climbed;
    // A system may let bubblewrap make namespaces, and nobody else.
    do {
      this.#namespaces = launcher === undefined ? undefined : ways.shift();
      climbed = await climb(this, {
        launcher,
        namespaces: this.#namespaces,
        cgroups: this.#without.has('cgroup') ? undefined : this.#cgroups?.version,
        abi: this.#abi,
        highest,
        scratch: this.#options.scratch,
      });
    } while (climbed.isolation.rung < highest && highest === HIGHEST && ways.length > 0 && launcher !== undefined);
    this.#rung = climbed.isolation.rung;
    const { rung, name, open } = climbed.isolation;
    log('info', 'code.isolation', { rung, name, open: open.join(' ') });
    return climbed;
  }

  get #bounds(): RunBounds {
    const { sessionBytes = DEFAULT_SESSION_BYTES, newFiles = DEFAULT_NEW_FILES } = this.#options;
    return { sessionBytes, newFiles, folderDepth: FOLDER_DEPTH };
  }

  #seenAt(rung: number, folder: string): string {
    return rung === HIGHEST ? SEEN_AT : folder;
  }

  #throwIfStopping(): void {
    if (this.#stopping) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
  }
}

/** Of these folders, those that are links into another one of them, with what the link says. */
function linksAmong(folders: readonly string[]): Map<string, string> {
  const links = new Map<string, string>();
  for (const folder of folders) {
    try {
      if (fs.realpathSync(folder).startsWith('/usr/')) links.set(folder, fs.readlinkSync(folder));
    } catch {
      // It is not there, or no link.
    }
  }
  return links;
}

function startProblem(program: string, folder: string, error: unknown): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (error instanceof OutriggerError) return error;
  const cause = { cause: error };
  if (code === 'ENOENT' && !fs.existsSync(folder)) return new OutriggerError('FILE_NOT_FOUND', `The folder ${folder} is not there.`, cause);
  if (code.startsWith('ERR_INVALID_ARG'))
    return new OutriggerError('BAD_INPUT', `An argument or a variable of ${program} holds a NUL, and none can.`, cause);
  if (code === 'E2BIG')
    return new OutriggerError('BAD_INPUT', `The arguments and variables of ${program} are more than the system takes.`, cause);
  if (code === 'EACCES')
    return new OutriggerError('FILE_PERMISSION', `${program} may not be run here: its mode says so, or a mount with noexec.`, cause);
  return (
    shortageOf(program, error) ??
    new OutriggerError('TOOL_MISSING', `${program} can't be started: ${message}`, { details: { tool: program }, cause: error })
  );
}

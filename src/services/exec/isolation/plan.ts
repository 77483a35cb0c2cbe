import { REPORT_DESCRIPTOR } from '../../processes/caged-child.ts';
import { baseEnvironment, languages } from '../languages.ts';
import type { RunBounds, SandboxRequest } from './sandbox.ts';
import { type BoundSettings, networkSettings, systemSettings } from './settings.ts';
import type { UserBlock } from './user-blocks.ts';

/** Where the program sees its folder at the highest rung. */
export const SEEN_AT = '/mnt/data';
/** Before each name of the environment on its way through the launcher and bubblewrap. */
const ENV_PREFIX = 'OUTRIGGER_CAGED_';
/** Where the launcher binds what others could not get at, in its own mounts: STAGE of native/inside.h. */
const STAGE = '/mnt';
const INNER_LAUNCHER = '/.launcher';
/** Open files of one process. */
const MAX_OPEN_FILES = 1024;
/** An address space over the limit of memory: libraries lie in it, and what is reserved is not used yet. */
const ADDRESS_SPACE_BYTES = 256 * 1024 * 1024;
/** Processors add up: one process that uses its time is ended by the kernel a little later, should nobody have done it. */
const CPU_SPARE_S = 2;
/** Processes beside those of the program: the launcher as the first of the namespace, and bubblewrap where that made it. */
export const OWN_PROCESSES = { launcher: 1, bubblewrap: 2 };
/** Where a cgroup counts processes and tells of it, the other limit stands back. */
const BEHIND_CGROUP = 16;

/** What the toolchains of Debian read. */
export const systemFolders = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** What a cage is made of. Tests leave one out, and see what gets through then. */
export type Part = 'seccomp' | 'landlock' | 'rlimits' | 'cgroup' | 'watch' | 'tmpfs' | 'user' | 'network';

export interface Surroundings {
  /** The program that makes the cage, absolute. */
  launcher: string;
  /** Absolute; needed by the highest rung alone. */
  bwrap: string | undefined;
  /** Of landlock; 0: there is none. */
  abi: number;
  bounds: RunBounds;
  /** System folders that are links into another one, as /bin is on Debian: by path, what the link says. */
  links: ReadonlyMap<string, string>;
  /** A file above the folders of runs, which need not be there, that may be read where they are seen at their own places. */
  above: string | undefined;
  /** All that programs of sidecars on this machine may be; undefined: they are who we are. */
  users: UserBlock | undefined;
  without: ReadonlySet<Part>;
}

export interface Place {
  /** The user whom the program becomes; undefined: it stays who we are. */
  uid: number | undefined;
  /** Whether the user that we are counts other processes than those of the run. */
  sharesUser: boolean;
  /** Files that a process writes itself into. */
  joins: readonly string[];
  /** A folder that is not there yet: temporary files, gone with the run. */
  scratch: string;
  /** At the highest rung: all that it reads of /etc; undefined: each is bound by itself. */
  settings: BoundSettings | undefined;
  /** At the highest rung: somebody else can't get at the folders by himself, so that they are bound where he can. */
  isStaged: boolean;
}

/** From this ABI on landlock keeps abstract sockets and signals within the cage. https://docs.kernel.org/userspace-api/landlock.html */
const SCOPE_ABI = 6;

/** A cage without namespaces: rungs 1 and 2. */
export function launcherArgv(request: SandboxRequest, rung: number, surroundings: Surroundings, place: Place): [string, ...string[]] {
  const { launcher, without, links, above } = surroundings;
  const { folder } = request;
  const confined = rung >= 2 && !without.has('landlock');
  // What a link leads to is what the kernel asks for.
  const system = systemFolders.filter((one) => !links.has(one));
  const settings = [...systemSettings, ...(request.network ? networkSettings : [])];
  const readable = ['/proc', ...system, ...settings, ...request.readable, ...(above === undefined ? [] : [above])];
  return [
    launcher,
    ...['--cage', '--report', String(REPORT_DESCRIPTOR), '--env-prefix', ENV_PREFIX, '--cwd', folder, ...owning(folder, surroundings)],
    ...['--scratch', place.scratch, '--watch', folder, '--watch', place.scratch],
    ...(confined ? ['--confine', '--scope', '--rw', folder, '--rw', place.scratch, ...readable.flatMap((path) => ['--ro', path])] : []),
    ...(place.uid === undefined ? [] : ['--uid', String(place.uid), '--gid', String(place.uid)]),
    ...joining(place, without),
    // Sockets of other programs lie in the file system, where landlock does not look; and what is shared by number outlives the run.
    ...(without.has('seccomp') ? [] : ['--seccomp', '--no-unix', '--no-shm']),
    ...networkDenial(request, without),
    ...limits(request, surroundings, ['--nproc', String(request.limits.processes), ...(place.sharesUser ? ['--nproc-of-user'] : [])]),
    '--',
    ...request.argv,
  ];
}

/** Namespaces by bubblewrap, and the launcher as their first process: rung 3. */
export function namespacesArgv(request: SandboxRequest, surroundings: Surroundings, place: Place): [string, ...string[]] {
  const { launcher, bwrap, without, links } = surroundings;
  const { limits: most, folder } = request;
  const { settings, isStaged } = place;
  const staged = [folder, launcher, ...(settings === undefined ? [] : [settings.folder]), ...request.readable];
  const from = (path: string): string => (isStaged ? `${STAGE}/${staged.indexOf(path)}` : path);
  const memoryFolder = (path: string): string[] => [...(without.has('tmpfs') ? [] : ['--size', String(most.diskBytes)]), '--tmpfs', path];
  const outer = [
    // The streams are the inner one's to relay.
    ...[launcher, '--cage', '--no-relay', '--pass', String(REPORT_DESCRIPTOR), ...owning(folder, surroundings), ...joining(place, without)],
    ...(place.uid === undefined ? [] : ['--uid', String(place.uid), '--gid', String(place.uid)]),
    ...(isStaged ? staged.flatMap((path) => ['--stage', path]) : []),
    '--',
  ];
  const etc = settings?.whole ?? [...systemSettings, ...(request.network ? networkSettings : [])];
  const bubble = [
    ...[bwrap ?? 'bwrap', '--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    // Network namespaces are slow to make and to remove: where sockets can be refused without, they are.
    ...(needsNetworkOfItsOwn(request, surroundings) ? ['--unshare-net'] : []),
    ...['--hostname', 'run', '--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL'],
    // bubblewrap reads all mounts again for each that it makes: the fewer, the faster.
    ...systemFolders.flatMap((path) => (links.has(path) ? ['--symlink', links.get(path) ?? '', path] : ['--ro-bind-try', path, path])),
    ...(settings === undefined ? [] : ['--ro-bind', from(settings.folder), '/etc']),
    ...etc.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['/tmp', '/dev/shm', '/var/tmp', '/run'].flatMap(memoryFolder),
    ...['--bind', from(folder), SEEN_AT, '--ro-bind', from(launcher), INNER_LAUNCHER],
    ...request.readable.flatMap((path) => ['--ro-bind', from(path), path]),
    // Their room is not limited.
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', SEEN_AT, '--'],
  ];
  // The outer launcher is there for what needs root: the user, the mounts, the group.
  const needsOuter = place.uid !== undefined || place.joins.length > 0;
  const inner = [INNER_LAUNCHER, ...innerArgs(request, surroundings, place), ...(needsOuter ? [] : ['--own', SEEN_AT]), '--'];
  return [...(needsOuter ? outer : []), ...bubble, ...inner, ...request.argv] as unknown as [string, ...string[]];
}

/**
 * Namespaces by the launcher itself: rung 3, as what a server of cages is told. One launcher outside, for what needs root, and its child
 * within, as their first process. `isFork`: the program is a fork of the server.
 */
export function ownNamespacesArgv(request: SandboxRequest, surroundings: Surroundings, place: Place, isFork: boolean): string[] {
  const { without, links } = surroundings;
  const { limits: most, folder, network } = request;
  const { settings } = place;
  const memoryFolder = (path: string): string[] => ['--mount-memory', without.has('tmpfs') ? '' : String(most.diskBytes), path];
  const etc = settings?.whole ?? [...systemSettings, ...(network ? networkSettings : [])];
  return [
    ...[
      '--cage',
      '--no-relay',
      '--namespaces',
      '--pass',
      String(REPORT_DESCRIPTOR),
      ...owning(folder, surroundings),
      '--cwd',
      SEEN_AT,
      ...joining(place, without),
    ],
    ...(place.uid === undefined ? [] : ['--uid', String(place.uid), '--gid', String(place.uid)]),
    ...(needsNetworkOfItsOwn(request, surroundings) ? ['--new-network'] : []),
    ...systemFolders.flatMap((path) => (links.has(path) ? ['--mount-link', links.get(path) ?? '', path] : ['--mount-try', path, path])),
    ...(settings === undefined ? [] : ['--mount-ro', settings.folder, '/etc']),
    ...etc.flatMap((path) => ['--mount-try', path, path]),
    ...['/tmp', '/dev/shm', '/var/tmp', '/run'].flatMap(memoryFolder),
    ...['--mount-rw', folder, SEEN_AT, ...request.readable.flatMap((path) => ['--mount-ro', path, path])],
    '--',
    ...innerArgs(request, surroundings, place),
    ...(isFork ? ['--stay', '--'] : ['--', ...request.argv]),
  ];
}

/**
 * The environment as it travels. Below the highest rung nobody may write to /tmp: what a language has there is led to the run's own temporary folder.
 */
export function carriedEnv(env: Readonly<Record<string, string>>, temporary: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      ENV_PREFIX + name,
      temporaryNames.has(name) && isTemporary(value) ? temporary + value.slice('/tmp'.length) : value,
    ]),
  );
}

const isTemporary = (value: string): boolean => value === '/tmp' || value.startsWith('/tmp/');

const temporaryNames = new Set([
  ...['TMP', 'TEMP'],
  ...languages.flatMap((language) =>
    Object.entries({ ...baseEnvironment(language), ...language.environment }).flatMap(([name, value]) =>
      isTemporary(value) ? [name] : [],
    ),
  ),
]);

/** Of the launcher that is the first process of the namespaces. */
function innerArgs(request: SandboxRequest, surroundings: Surroundings, { joins }: Place): string[] {
  const { abi, without } = surroundings;
  return [
    ...['--cage', '--report', String(REPORT_DESCRIPTOR), '--env-prefix', ENV_PREFIX, '--watch', SEEN_AT],
    ...(request.tells === true ? ['--word'] : []),
    ...(without.has('landlock') ? [] : ['--scope']),
    ...(without.has('seccomp') ? [] : ['--seccomp']),
    ...(abi >= SCOPE_ABI || request.network ? networkDenial(request, without) : []),
    ...limits(request, surroundings, ['--nproc', String(request.limits.processes + (joins.length > 0 ? BEHIND_CGROUP : 1))]),
  ];
}

/** Where sockets can be refused without, nobody waits for one to be made. */
function needsNetworkOfItsOwn({ network }: SandboxRequest, { abi, without }: Surroundings): boolean {
  const scoped = abi >= SCOPE_ABI && !without.has('landlock');
  return !network && !without.has('network') && !(scoped && !without.has('seccomp'));
}

function joining(place: Place, without: ReadonlySet<Part>): string[] {
  return without.has('cgroup') ? [] : place.joins.flatMap((file) => ['--join', file]);
}

function owning(folder: string, { users }: Surroundings): string[] {
  const all = users === undefined ? [] : ['--users-from', String(users.from), '--users-to', String(users.from + users.count - 1)];
  return ['--own', folder, ...all];
}

function networkDenial({ network }: SandboxRequest, without: ReadonlySet<Part>): string[] {
  return network || without.has('network') || without.has('seccomp') ? [] : ['--no-network'];
}

function limits(
  { limits: most, memoryMethod, waits, lifeCpuMs }: SandboxRequest,
  { without, bounds }: Surroundings,
  counting: string[],
): string[] {
  const seconds = Math.ceil((lifeCpuMs ?? most.cpuMs) / 1000) + CPU_SPARE_S;
  const addressSpace = most.memoryBytes + ADDRESS_SPACE_BYTES;
  const kernel = [
    ...['--fsize', String(most.fileBytes), '--nofile', String(MAX_OPEN_FILES), '--cpu', String(seconds), ...counting],
    ...(memoryMethod === 'address-space' ? ['--as', String(addressSpace)] : []),
  ];
  const watched = [
    ...['--memory', String(most.memoryBytes), '--cpu-all', String(most.cpuMs), '--tasks', String(most.processes)],
    ...['--disk', String(most.diskBytes), '--hold', String(bounds.sessionBytes), '--files', String(bounds.newFiles)],
  ];
  return [
    ...(without.has('rlimits') ? [] : kernel),
    ...(without.has('watch') ? [] : watched),
    ...(waits === true ? ['--waits', '--wall', '0'] : ['--wall', String(most.wallMs)]),
  ];
}

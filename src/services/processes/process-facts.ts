import fs from 'node:fs';

/** What Linux tells of running programs. Elsewhere nothing is known, and the answers are empty. */

export interface ListeningPort {
  port: number;
  address: string;
}

interface Stat {
  pid: number;
  parent: number;
  group: number;
  /** Of what was started together; in a terminal each command has a group of its own, and none has a session. */
  session: number;
  /** Clock ticks since the boot: with the pid, it names one program. */
  startTime: string;
  cpuTicks: number;
  residentPages: number;
}

/** sysconf(_SC_CLK_TCK) and the page size of every Linux that Node runs on but some on arm64 with larger pages. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;
const LISTENING = '0A';
/** PF_KTHREAD of the kernel's include/linux/sched.h, in a program's flags. */
const KERNEL_THREAD = 0x0020_0000;
/** Programs of one session whose ports are looked for. */
const MOST_LOOKED_AT = 256;

export function statOf(pid: number): Stat | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold spaces and parentheses. Fields: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    const number = (index: number): number => Number(fields[index]);
    return {
      pid,
      parent: number(1),
      group: number(2),
      session: number(3),
      startTime: fields[19] ?? '',
      cpuTicks: number(11) + number(12),
      residentPages: number(21),
    };
  } catch {
    return undefined;
  }
}

/** All that runs, without zombies. */
export function runningNow(): Stat[] {
  return pidsNow().flatMap((pid) => statOf(pid) ?? []);
}

/** Programs whose environment holds `NAME=value`, as far as we may look. */
export function withEnvironment(entry: string): number[] {
  const [name = '', ...value] = entry.split('=');
  return markedWith(name, (mark) => mark === value.join('='));
}

/** Programs whose environment has a variable with a value that is meant, as far as we may look. */
export function markedWith(name: string, isMeant: (value: string) => boolean): number[] {
  return pidsNow().filter((pid) => {
    const value = pid === process.pid ? null : valueOf(pid, name);
    return typeof value === 'string' && isMeant(value);
  });
}

/** Whether a program has `NAME=value` in its environment, as far as we may look. */
export function isMarked(pid: number, name: string, value: string): boolean {
  return valueOf(pid, name) === value;
}

/** null where the variable is not there or its program is another user's, undefined where there is no environment to be seen. */
export function valueOf(pid: number, name: string): string | null | undefined {
  try {
    const environment = Buffer.concat([Buffer.of(0), fs.readFileSync(`/proc/${pid}/environ`)]);
    if (environment.length === 1) return undefined;
    const at = environment.indexOf(`\0${name}=`);
    if (at < 0) return null;
    const from = at + name.length + 2;
    const end = environment.indexOf(0, from);
    return environment.toString('utf8', from, end < 0 ? environment.length : end);
  } catch (error) {
    // Gone, where it is not another user's.
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? null : undefined;
  }
}

/** Whether there is a program or a thread of this number. To open what is not there costs ten times as much. */
export function isUsed(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}/environ`);
}

/** What has no environment: a kernel’s thread never has one, a program that is being started not yet, one that ended not any more. One that is on its way out is among those that start. */
export function unseenSort(pid: number): 'gone' | 'kernel' | 'zombie' | 'starting' {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return 'gone';
  }
  const [state, , , , , , flags] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if ((Number(flags) & KERNEL_THREAD) !== 0) return 'kernel';
  return state === 'Z' ? 'zombie' : 'starting';
}

/** The number of the program, or thread, that was started last; those that follow have higher ones until the numbers begin anew. */
export function newestPid(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // https://man7.org/linux/man-pages/man5/proc_loadavg.5.html
    return Number(fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[4]) || undefined;
  } catch {
    return undefined;
  }
}

export function pidsNow(): number[] {
  if (process.platform !== 'linux') return [];
  try {
    return fs.readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    // No descriptor is free.
    return [];
  }
}

export interface SessionUse {
  cpuMs: number;
  residentBytes: number;
  pids: number[];
}

/** What each session uses: a process and all that did not leave it. */
export function useOfSessions(running: readonly Stat[]): Map<number, SessionUse> {
  const uses = new Map<number, SessionUse>();
  for (const { pid, session, cpuTicks, residentPages } of running) {
    const use = uses.get(session) ?? { cpuMs: 0, residentBytes: 0, pids: [] };
    use.cpuMs += cpuTicks * TICK_MS;
    use.residentBytes += residentPages * PAGE_BYTES;
    use.pids.push(pid);
    uses.set(session, use);
  }
  return uses;
}

/** Sockets that listen for TCP now, by inode. */
export function listeningSockets(): ReadonlyMap<string, ListeningPort> {
  if (process.platform !== 'linux') return new Map();
  return new Map([...socketsIn('/proc/net/tcp'), ...socketsIn('/proc/net/tcp6')]);
}

/** Ports on which some programs listen, in order. Of a storm of programs the first alone are looked at. */
export function listeningPorts(pids: readonly number[], sockets: ReadonlyMap<string, ListeningPort>): ListeningPort[] {
  if (sockets.size === 0) return [];
  const found = new Map<string, ListeningPort>();
  for (const pid of pids.slice(0, MOST_LOOKED_AT)) {
    for (const inode of socketsOf(pid)) {
      const at = sockets.get(inode);
      if (at !== undefined) found.set(`${at.port} ${at.address}`, at);
    }
  }
  return [...found.values()].sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

/** inode → where it listens. https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt */
function socketsIn(file: string): [string, ListeningPort][] {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line): [string, ListeningPort][] => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state !== LISTENING || local === undefined || inode === undefined) return [];
    const [address = '', port = '0'] = local.split(':');
    return [[inode, { port: Number.parseInt(port, 16), address: addressOf(address) }]];
  });
}

/** Words of 32 bits in the byte order of the machine, which is little-endian wherever Node runs on Linux but s390x. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
  const isMapped = /^0{20}ffff$/i.test(bytes.slice(0, 12).join(''));
  if (isMapped) return addressOf(hex.slice(24));
  const groups = (bytes.join('').match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16)).join(':');
  // The longest run of zeros is written as `::`; those that matter here are all zeros, and ::1.
  return groups === '0:0:0:0:0:0:0:0' ? '::' : groups === '0:0:0:0:0:0:0:1' ? '::1' : groups;
}

function socketsOf(pid: number): string[] {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

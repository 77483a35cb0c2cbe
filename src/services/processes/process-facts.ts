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
  /** Clock ticks since the boot: with the pid, it names one program. */
  startTime: string;
  cpuTicks: number;
  residentPages: number;
}

/** sysconf(_SC_CLK_TCK) and the page size of every Linux that Node runs on but some on arm64 with larger pages. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;
const LISTENING = '0A';

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
  if (process.platform !== 'linux') return [];
  return fs.readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : []));
}

/** Programs whose environment holds `NAME=value`, as far as we may look. */
export function withEnvironment(entry: string): number[] {
  if (process.platform !== 'linux') return [];
  const needle = Buffer.from(`\0${entry}\0`);
  return fs.readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const environment = fs.readFileSync(`/proc/${name}/environ`);
      return Buffer.concat([Buffer.from([0]), environment]).includes(needle) ? [Number(name)] : [];
    } catch {
      // Another user's, or gone.
      return [];
    }
  });
}

export interface GroupUse {
  cpuMs: number;
  residentBytes: number;
  pids: number[];
}

/** What each process group uses. */
export function useOfGroups(running: readonly Stat[]): Map<number, GroupUse> {
  const uses = new Map<number, GroupUse>();
  for (const { pid, group, cpuTicks, residentPages } of running) {
    const use = uses.get(group) ?? { cpuMs: 0, residentBytes: 0, pids: [] };
    use.cpuMs += cpuTicks * TICK_MS;
    use.residentBytes += residentPages * PAGE_BYTES;
    use.pids.push(pid);
    uses.set(group, use);
  }
  return uses;
}

/** Ports on which some programs listen for TCP, in order. */
export function listeningPorts(pids: readonly number[]): ListeningPort[] {
  if (pids.length === 0 || process.platform !== 'linux') return [];
  const sockets = new Map([...socketsIn('/proc/net/tcp'), ...socketsIn('/proc/net/tcp6')]);
  const found = new Map<string, ListeningPort>();
  for (const pid of pids) {
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

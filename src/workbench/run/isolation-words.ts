import type { IsolationEvidence, Protection, RungName } from '../../contract/code.ts';

interface ProtectionWords {
  /** What it is about. */
  name: string;
  held: string;
  open: string;
}

const protections: Record<Protection, ProtectionWords> = {
  files: {
    name: 'Files of others',
    held: 'A run can’t read the sidecar’s files and secrets.',
    open: 'A run can read the sidecar’s files or secrets.',
  },
  network: {
    name: 'Network',
    held: 'A run can’t connect to anything on this machine.',
    open: 'A run can connect to what listens on this machine.',
  },
  processes: {
    name: 'Processes of others',
    held: 'A run can’t stop other processes or look into them.',
    open: 'A run can stop other processes or look into them.',
  },
  kernel: {
    name: 'Kernel surface',
    held: 'A run can’t make the calls that attacks on the system begin with.',
    open: 'A run can make some of the calls that attacks on the system begin with.',
  },
  count: {
    name: 'Number of processes',
    held: 'A run can’t start more processes than it may.',
    open: 'A run can start more processes than it may.',
  },
  memory: {
    name: 'Memory of all together',
    held: 'A run that takes more memory than it may is ended.',
    open: 'A run can take more memory than it may, before or without being ended.',
  },
  disk: {
    name: 'Disk of all together',
    held: 'A run that writes more than it may is ended.',
    open: 'A run can write more than it may, before or without being ended.',
  },
  time: { name: 'Time', held: 'A run ends when its time is over.', open: 'A run can go on when its time is over.' },
  output: { name: 'Output', held: 'A run that prints more than it may is ended.', open: 'A run can print more than it may.' },
};

const rungs: Record<RungName, string> = {
  namespaces: 'runs have a system of their own',
  landlock: 'runs share the system, and are refused its files and connections',
  seccomp: 'runs share the system and its files, and are refused connections',
  none: 'runs are plain processes',
};

export function sayProtection({ protection, held }: Pick<IsolationEvidence, 'protection' | 'held'>): { name: string; text: string } {
  const words = protections[protection];
  return { name: words.name, text: held ? words.held : words.open };
}

/** What keeps runs apart on a rung, as a part of a sentence. */
export function sayRung(name: RungName): string {
  return rungs[name];
}

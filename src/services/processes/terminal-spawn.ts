import fs from 'node:fs';
import { createRequire } from 'node:module';
import type * as nodePty from '@lydell/node-pty';
import { statOf } from './process-facts.ts';

export type SpawnInTerminal = typeof nodePty.spawn;

/**
 * What starts programs in terminals: node-pty, which would leave a program behind where it fails half-way, and throw when that ends.
 * Rejects where the package, or its part for this system, is not there.
 */
export async function loadTerminals(): Promise<SpawnInTerminal> {
  const { spawn } = await import('@lydell/node-pty');
  if (process.platform !== 'win32') guardSocket();
  return (file, args, options) => {
    const before = childrenNow();
    try {
      return spawn(file, args, options);
    } catch (error) {
      // In this very turn nobody else can have started one.
      for (const pid of childrenNow()) if (!before.includes(pid)) kill(pid);
      throw error;
    }
  };
}

/** When a program ends, node-pty listens to the socket of its terminal and destroys it, also where there is none. */
function guardSocket(): void {
  const noSocket = { once: () => {}, destroy: () => {} };
  const { UnixTerminal } = createRequire(import.meta.url)('@lydell/node-pty/unixTerminal.js') as { UnixTerminal: { prototype: object } };
  Object.assign(UnixTerminal.prototype, { _socket: noSocket });
}

/** Of this thread, on Linux; elsewhere nobody knows. */
function childrenNow(): number[] {
  try {
    return fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** For one that was forked a moment ago, and makes its group as soon as it gets its turn: who forked it does not wait for that. */
export function signalAlone(pid: number, name: NodeJS.Signals): void {
  try {
    // The number of one that has ended may be somebody else's.
    if (process.platform !== 'linux' || statOf(pid)?.parent === process.pid) process.kill(pid, name);
  } catch {
    // ESRCH: it has ended.
  }
}

function kill(pid: number): void {
  // Its group, too, where it has one of its own by now.
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // ESRCH: it is gone, or leads no group yet.
    }
  }
}

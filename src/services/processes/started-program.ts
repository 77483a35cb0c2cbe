import fs from 'node:fs';
import type { Writable } from 'node:stream';
import type { HostExit, ProgramOutput } from './host.ts';

export interface ProgramRequest {
  /** Absolute path of the program. */
  file: string;
  /** The name it is started under, and its arguments, as they are. */
  argv: readonly [string, ...string[]];
  /** Absolute. */
  cwd: string;
  /** All of its environment. */
  env: Readonly<Record<string, string>>;
}

/** A program with three pipes, in a process group of its own. */
export interface StartedProgram {
  readonly pid: number;
  /** Its errors are nobody's: a program may end without reading its input. */
  readonly stdin: Writable;
  readonly stdout: ProgramOutput;
  readonly stderr: ProgramOutput;
  /** Never rejects. Streams may still hold output. */
  readonly exit: Promise<HostExit>;
  readonly hasEnded: boolean;
  /** To the whole group; one that is gone is no error. */
  signal(name: NodeJS.Signals): void;
}

/** `hasEnded`: its leader has, and was waited for. False where there is no such group. */
export function signalGroup(pid: number, name: NodeJS.Signals, hasEnded: boolean, alone: () => void): boolean {
  try {
    if (process.platform === 'win32') alone();
    // A number is free only when its group is gone: somebody who has it now is another.
    else if (!hasEnded || !fs.existsSync(`/proc/${pid}`)) process.kill(-pid, name);
    return true;
  } catch {
    // ESRCH: all of the group is gone.
    return false;
  }
}

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A small disk, or why there can be none. */
function smallDisk(sizeKb: number): { at: string; release: () => void } | string {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKb}k`, 'tmpfs', at], { stdio: 'ignore' });
  } catch {
    fs.rmdirSync(at);
    return 'needs the right to mount a tmpfs (run as root)';
  }
  return {
    at,
    release: () => {
      execFileSync('umount', ['-l', at]);
      fs.rmdirSync(at);
    },
  };
}

/** Runs with a small disk at a folder of its own; skips the test where none can be mounted. */
export async function withSmallDisk(
  context: { skip: (why: string) => void },
  sizeKb: number,
  run: (at: string) => Promise<void>,
): Promise<void> {
  const disk = smallDisk(sizeKb);
  if (typeof disk === 'string') {
    context.skip(disk);
    return;
  }
  try {
    await run(disk.at);
  } finally {
    disk.release();
  }
}

/** Takes a mounted disk away from where it is, as pulling it out does; gives it back at the end, or when asked to. */
export function unmounted(at: string): { mountAgain: () => void; [Symbol.dispose]: () => void } {
  const aside = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-disk-aside-'));
  execFileSync('mount', ['--bind', at, aside]);
  execFileSync('umount', ['-l', at]);
  let away = true;
  const mountAgain = (): void => {
    if (!away) return;
    away = false;
    execFileSync('mount', ['--bind', aside, at]);
    execFileSync('umount', ['-l', aside]);
    fs.rmdirSync(aside);
  };
  return { mountAgain, [Symbol.dispose]: mountAgain };
}

/** Makes a folder one that nobody can write into, as a disk that was mounted so is; or says why it can't. Ends when it is disposed of. */
export function readOnlyFolder(at: string): Disposable | string {
  try {
    execFileSync('mount', ['--bind', at, at], { stdio: 'ignore' });
  } catch {
    return 'needs the right to mount a folder (run as root)';
  }
  execFileSync('mount', ['-o', 'remount,ro,bind', at]);
  let isDone = false;
  return {
    [Symbol.dispose]: () => {
      if (!isDone) execFileSync('umount', ['-l', at]);
      isDone = true;
    },
  };
}

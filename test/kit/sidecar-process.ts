import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Faults } from '../../src/sidecar/sidecar.ts';

const main = path.join(import.meta.dirname, 'serve-process.ts');

export interface SidecarProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything on stderr so far. */
  log(): string;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end; gives the exit code. */
  stop(): Promise<number | null>;
}

export const processToken = 'token-of-a-test-process-0123456789';

/** A real sidecar in a process of its own, which can be killed. Resolves when it is ready. */
export async function spawnSidecar(options: {
  root: string;
  state: string;
  port: number;
  flags?: Record<string, string>;
  faults?: Faults;
}): Promise<SidecarProcess> {
  const child = spawn(process.execPath, [main, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OUTRIGGER_TOKEN: processToken },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-200_000);
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const url = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      const match = /^ready (\S+)$/m.exec(out);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    void ended.then(([code]) => reject(new Error(`The sidecar ended with ${code} before it was ready:\n${log}`)));
  });
  return {
    url,
    child,
    log: () => log,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}

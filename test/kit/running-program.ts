import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface RunningProgram {
  readonly child: ChildProcess;
  /** stdout and stderr so far. */
  output(): string;
  /** Resolves with what the pattern found in the output; rejects when the program ends, or after `timeoutMs`. */
  until(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** The exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Sends the signal and gives the exit code, or the name of the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

export function runProgram(command: string, args: readonly string[], options: { env: NodeJS.ProcessEnv; cwd: string }): RunningProgram {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let heard = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      heard();
    });
  }
  const ended = (once(child, 'close') as Promise<[number | null, string | null]>).then(([code, by]) => code ?? by ?? 'unknown');
  return {
    child,
    output: () => output,
    until: (pattern, timeoutMs = 20_000) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void => reject(new Error(`${why} before ${pattern} was said:\n${output}`));
        const timer = setTimeout(() => fail(`${timeoutMs} ms went by`), timeoutMs);
        heard = () => {
          const found = pattern.exec(output);
          if (found === null) return;
          clearTimeout(timer);
          resolve(found);
        };
        heard();
        void ended.then((code) => {
          clearTimeout(timer);
          fail(`It ended with ${code}`);
        });
      }),
    ended,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

// The command line, one command after another in one process: starting Node costs ten times what most commands do. Run by `startCommandLoop`.
import { Readable } from 'node:stream';
import { main } from '../../src/cli/program.ts';
import type { CommandAnswer, CommandRequest } from './command-runner.ts';

const written = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
for (const name of ['stdout', 'stderr'] as const) {
  process[name].setMaxListeners(0);
  process[name].write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    written[name].push(Buffer.from(chunk as string));
    const done = rest.findLast((each) => typeof each === 'function') as (() => void) | undefined;
    done?.();
    return true;
  };
}

process.on('message', ({ argv, stdin }: CommandRequest) => {
  Object.defineProperty(process, 'stdin', { value: Readable.from([Buffer.from(stdin, 'base64')]), configurable: true });
  process.exitCode = undefined;
  void main(argv).then(() => {
    const answer: CommandAnswer = {
      code: Number(process.exitCode ?? 0),
      out: Buffer.concat(written.stdout.splice(0)).toString('base64'),
      err: Buffer.concat(written.stderr.splice(0)).toString(),
    };
    process.exitCode = undefined;
    process.send?.(answer);
  });
});

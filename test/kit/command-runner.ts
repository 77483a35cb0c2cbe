import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface CommandRequest {
  argv: string[];
  /** Base64. */
  stdin: string;
}

export interface CommandAnswer {
  code: number;
  /** Base64. */
  out: string;
  err: string;
}

export interface CommandLoop {
  /** One at a time. */
  run(argv: string[], stdin: Uint8Array): Promise<{ code: number; out: Buffer; err: string }>;
  close(): Promise<void>;
}

/** The command line of the sources in a process that goes on to the next command, which one of a person does not: what a process of its own is for is not shown by it. */
export function startCommandLoop(options: { cwd: string; env: NodeJS.ProcessEnv }): CommandLoop {
  const child = fork(path.join(import.meta.dirname, 'command-loop.ts'), { ...options, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  return {
    async run(argv, stdin) {
      const request: CommandRequest = { argv, stdin: Buffer.from(stdin).toString('base64') };
      child.send(request);
      const [answer] = (await Promise.race([once(child, 'message'), ended.then(() => assert.fail('the command line ended'))])) as [
        CommandAnswer,
      ];
      return { code: answer.code, out: Buffer.from(answer.out, 'base64'), err: answer.err };
    },
    async close() {
      child.disconnect();
      await ended;
    },
  };
}

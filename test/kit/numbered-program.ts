// Programs of tests, in one: `numbered-program.ts <what> …`. What they write is known before (numbered-text.ts).
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { numberedFlood, numberedLines, paintedFrame } from './numbered-text.ts';

const [what, ...given] = process.argv.slice(2);
const [first = 0, second = 0, third = 0] = given.map(Number);

function put(text: string, descriptor = 1): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(descriptor, bytes, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

const programs: Record<string, () => Promise<void> | void> = {
  /** seed, count, milliseconds between: to both streams. */
  lines: async () => {
    const others = numberedLines(first + 1, second, 'e');
    for (const [index, line] of numberedLines(first, second).entries()) {
      // In two halves, so that a character is cut.
      const bytes = Buffer.from(line);
      const cut = bytes.length >> 1;
      fs.writeSync(1, bytes.subarray(0, cut));
      fs.writeSync(1, bytes.subarray(cut));
      if (!process.stdout.isTTY && index % 3 === 0) put(others[index] as string, 2);
      if (third > 0) await delay(third);
    }
  },
  /** seed, bytes. */
  flood: () => put(numberedFlood(first, second)),
  /** Goes on and on, in spurts. */
  service: async () => {
    for (let number = 0; ; ) {
      let text = '';
      for (const end = number + 8000; number < end; number++) text += `${number} 界\n`;
      put(text);
      await delay(20);
    }
  },
  /** Says what it reads, line by line. */
  echo: () => {
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    put('ready\n');
    let rest = '';
    let number = 0;
    process.stdin.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) {
        put(`got ${++number}:${line}\n`);
        if (line === 'end') process.exit(7);
      }
    });
  },
  /** seed: the whole screen, again for each size and each line read. */
  paint: () => {
    let frame = 0;
    process.stdin.setRawMode(true);
    const draw = (): void => put(paintedFrame(first, frame, process.stdout.columns, process.stdout.rows));
    process.stdout.on('resize', draw);
    put('before\n\u001b[?1049h');
    draw();
    process.stdin.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('end')) {
        put('\u001b[?1049lafter\n');
        process.exit(7);
      }
      frame++;
      draw();
    });
  },
  /** Hears no signal that can be ignored. */
  deaf: () => {
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {});
    put('deaf\n');
    setInterval(() => {}, 1000);
  },
  /** exit code: leaves a program that holds its output, in a session of its own. */
  leaver: () => {
    put('leaving\n');
    spawn('sh', ['-c', 'trap "" TERM HUP INT; sleep 1000 & sleep 1000'], { detached: true, stdio: ['ignore', 1, 2] }).unref();
    process.exit(first);
  },
};

await programs[what as string]?.();

import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { OutriggerError, type WireError } from '../contract/errors.ts';
import { LineSplitter } from '../core/ndjson.ts';
import { Peer, type PeerTimers } from '../core/peer.ts';
import { RingBuffer } from '../core/ring-buffer.ts';
import { hostCodec, hostErrors } from './host-wire.ts';

/** What to start. */
export interface ChildCommand {
  command: string;
  args: readonly string[];
  /** The whole environment of the child. */
  env: Readonly<Record<string, string | undefined>>;
  cwd: string | undefined;
}

/** How a child ended, or why it never was one. */
export interface ChildEnd {
  code: number | null;
  signal: string | null;
  /** The system could not start it. */
  spawnError?: Error;
}

/** The part of a child process that is used. */
export interface ChildHandle {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Called once; not before the output is read to its end, where that comes within `drainMs` of the exit. */
  onEnd(listener: (end: ChildEnd) => void): void;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

export type Launch = (command: ChildCommand) => ChildHandle;

export interface ChildLinkOptions {
  timers: PeerTimers;
  /** One line of the child's stderr, or a stray one of its stdout. */
  onLog: (line: string) => void;
  /** The longest message that is taken from the child; a longer one is skipped and counted. */
  maxMessageBytes: number;
  /** The longest request that is sent, UTF-16 units: what the child takes. */
  maxRequestLength: number;
}

/** Lines of the log that are kept for messages about a crash. */
const keptLines = 20;
const maxLogLineBytes = 8192;
/** Stray lines of stdout that are shown; the others are counted alone. */
const shownJunkLines = 20;
/** An exit is waited on no longer than this for output that a grandchild may hold open. */
const drainMs = 250;
/** A child that closed a pipe of its own may end by itself for so long. */
const brokenMs = 1000;

/** One run of a child: its pipes as a connection that can be asked, and its end. */
export class ChildLink {
  readonly peer: Peer<WireError>;
  readonly pid: number | undefined;
  readonly #child: ChildHandle;
  readonly #timers: PeerTimers;
  readonly #lastLines = new RingBuffer<string>(keptLines);
  readonly #ended = Promise.withResolvers<ChildEnd>();
  #end: ChildEnd | undefined;
  #junkLines = 0;
  #brokenTimer: unknown;

  constructor(child: ChildHandle, options: ChildLinkOptions) {
    const { timers, onLog } = options;
    this.#child = child;
    this.#timers = timers;
    this.pid = child.pid;
    const { stdin, stdout, stderr } = child;
    const log = (line: string): void => {
      this.#lastLines.push(line);
      onLog(line);
    };
    const junk = (text: string): void => {
      this.#junkLines++;
      if (this.#junkLines <= shownJunkLines) log(`stdout: ${text.slice(0, 200)}`);
    };
    const drainListeners: (() => void)[] = [];
    this.peer = new Peer<WireError>(
      {
        codec: hostCodec(junk),
        errors: hostErrors(),
        timers,
        send: (text) => {
          if (stdin.writable) stdin.write(`${text}\n`);
        },
        buffered: () => stdin.writableLength,
        onDrain: (listener) => drainListeners.push(listener),
        // Its output is read all the time: a child that waits for that to be taken reads no more of what is asked.
        onClose: () => this.kill(),
        idPrefix: 'h',
      },
      { maxFrameLength: options.maxMessageBytes, maxSendLength: options.maxRequestLength },
    );
    const lines = new LineSplitter(options.maxMessageBytes, {
      line: (text) => this.peer.receive(text),
      bad: (problem) =>
        junk(problem === 'too-long' ? `(a line longer than ${options.maxMessageBytes} bytes)` : '(a line that is not UTF-8)'),
    });
    const logLines = new LineSplitter(maxLogLineBytes, {
      line: log,
      bad: (problem) => log(problem === 'too-long' ? `(a line longer than ${maxLogLineBytes} bytes)` : '(a line that is not UTF-8)'),
    });
    stdin.on('drain', () => {
      for (const listener of drainListeners) listener();
    });
    stdin.on('error', () => this.#broken());
    stdout.on('data', (chunk: Uint8Array) => lines.push(chunk));
    stdout.on('end', () => {
      lines.end();
      this.#broken();
    });
    stdout.on('error', () => this.#broken());
    stderr.on('data', (chunk: Uint8Array) => logLines.push(chunk));
    stderr.on('end', () => logLines.end());
    stderr.on('error', () => undefined);
    child.onEnd((end) => {
      this.#end = end;
      timers.clear(this.#brokenTimer);
      this.#ended.resolve(end);
    });
  }

  /** Resolves at the end of the child, however it comes. */
  get ended(): Promise<ChildEnd> {
    return this.#ended.promise;
  }

  /** Lines of its stdout that were no messages. */
  get junkLines(): number {
    return this.#junkLines;
  }

  /** The newest line of its log, for messages about its end. */
  get lastLine(): string | undefined {
    return this.#lastLines.at(this.#lastLines.length - 1);
  }

  /** Asks it to end: no more input, and SIGTERM where signals ask (on Windows every signal kills). */
  askToEnd(platform: NodeJS.Platform): void {
    if (this.#end !== undefined) return;
    this.#child.stdin.end();
    if (platform !== 'win32') this.#child.kill('SIGTERM');
  }

  kill(): void {
    if (this.#end === undefined) this.#child.kill('SIGKILL');
  }

  /** A pipe is gone: without both there is nothing to be had from it, alive or not. */
  #broken(): void {
    if (this.#end !== undefined || this.#brokenTimer !== undefined) return;
    this.#brokenTimer = this.#timers.set(() => this.kill(), brokenMs);
  }
}

/** Starts a real process, with pipes for all three streams and no console window. */
export function launchProcess({ command, args, env, cwd }: ChildCommand): ChildHandle {
  const child = spawn(command, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...env },
    windowsHide: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  // Where the process is out of descriptors there are no streams; the types don't know it.
  const streams = [child.stdin, child.stdout, child.stderr] as readonly (Readable | Writable | null | undefined)[];
  if (streams.some((stream) => stream === null || stream === undefined)) {
    child.on('error', () => undefined);
    throw new Error('there are no descriptors left for its pipes');
  }
  const listeners: ((end: ChildEnd) => void)[] = [];
  let ended: ChildEnd | undefined;
  const end = (how: ChildEnd): void => {
    if (ended !== undefined) return;
    ended = how;
    for (const stream of streams) stream?.destroy();
    for (const listener of listeners.splice(0)) listener(how);
  };
  child.on('error', (error) => {
    // Also told when a signal could not be sent, which is no end.
    if (child.pid === undefined) end({ code: null, signal: null, spawnError: error });
  });
  child.on('exit', (code, signal) => {
    // A grandchild may hold the pipes open for ever; `close` comes only after it.
    setTimeout(() => end({ code, signal }), drainMs).unref();
  });
  child.on('close', (code, signal) => end({ code, signal }));
  return {
    pid: child.pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    onEnd: (listener) => {
      if (ended === undefined) listeners.push(listener);
      else listener(ended);
    },
    kill: (signal) => void child.kill(signal),
  };
}

/** In words, e.g. `exit code 3`. */
export function describeEnd({ code, signal, spawnError }: ChildEnd): string {
  if (spawnError !== undefined) return spawnError.message;
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

/** The error of a program that the system does not start. */
export function notStarted(command: string, cause: Error): OutriggerError {
  return new OutriggerError(
    'TOOL_MISSING',
    `The sidecar ${command} can't be started: ${cause.message}. Check that it is there and may be run.`,
    {
      cause,
    },
  );
}

import { Writable, type Readable } from 'node:stream';
import type { LoadedConfig } from '../config/load.ts';
import type { Caller } from '../contract/access.ts';
import { createSkaffa } from '../adapters/skaffa/skaffa.ts';
import { createLog, type Log } from '../sidecar/log.ts';
import type { Sidecar, SidecarDependencies } from '../sidecar/sidecar.ts';
import { version } from '../sidecar/version.ts';
import { serveStdio } from '../transports/stdio/stdio.ts';
import { type GuardOutcome, logGuard } from './guard.ts';
import type { Terminal } from './terminal.ts';

/** A sidecar that listens nowhere. */
export type HeadlessSidecar = Pick<Sidecar, 'dispatch' | 'ready' | 'stop'>;
export type StartHeadless = (dependencies: SidecarDependencies) => Promise<HeadlessSidecar>;

const signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];
const parentPollMs = 2000;
const finishMs = 1000;
/** Written at a time, so that it shows whether the host takes something. */
const pieceBytes = 64 * 1024;
/** Event of `output`: the host took a piece of what was written. */
const takenEvent = 'taken';

/** Whoever started the process: it may read, whatever else the folder's tokens allow. */
const hostCaller: Caller = { id: 'stdio-host', name: 'host', kind: 'service', access: 'read' };

/**
 * Serves a folder over stdin and stdout, for reading alone, until the input ends, a signal comes, or the parent is gone. stdout carries
 * the protocol and nothing else: what any part of the program prints goes to stderr.
 */
export async function serveStdioFolder(
  loaded: LoadedConfig,
  terminal: Terminal,
  start: StartHeadless,
  guard?: GuardOutcome,
): Promise<void> {
  const { surroundings } = loaded;
  await overOwnStreams(loaded, terminal, ({ config, log, input, output, stop }) => {
    if (guard !== undefined) logGuard(log, guard);
    return serveOverStdio(() => start({ config: { ...config, readOnly: true }, surroundings, log }), {
      input,
      output,
      maxMessageLength: config['limits.frameBytes'],
      stop,
    });
  });
}

/** What a program gets that speaks on the process's own streams. */
export interface OwnStreams {
  /** Without the parts that nobody could reach: the page and shared documents. */
  config: LoadedConfig['config'];
  log: Log;
  input: Readable;
  /** The protocol alone writes here. */
  output: Writable;
  /** Aborted by a signal, or when the parent is gone. */
  stop: AbortSignal;
}

/**
 * Runs with stdin and stdout for a protocol: what else is printed goes to stderr. Afterwards stdin is closed and signals mean what they meant.
 * `run` resolves when all is ended, with false where the host left answers unread; the process is ended then.
 */
export async function overOwnStreams(
  loaded: LoadedConfig,
  terminal: Terminal,
  run: (streams: OwnStreams) => Promise<boolean>,
): Promise<void> {
  const { config, sources } = loaded;
  const reserved = reserveStdout(process.stdout, process.stderr);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of signals) process.on(signal, onSignal);
  if (process.connected === true) {
    process.once('disconnect', onSignal);
    process.channel?.unref();
  }
  const unwatch = watchParent(() => process.ppid, onSignal, parentPollMs);
  const components =
    sources.components.from === 'default'
      ? config.components.filter((name) => name !== 'workbench' && name !== 'documents')
      : config.components;
  let read: boolean;
  try {
    const log = createLog(config, (line) => terminal.log(line));
    read = await run({ config: { ...config, components }, log, input: process.stdin, output: reserved.output, stop: stop.signal });
  } finally {
    unwatch();
    for (const signal of signals) process.off(signal, onSignal);
    process.off('disconnect', onSignal);
    process.stdin.destroy();
    reserved.release();
  }
  // A write that the host never takes would keep the process for ever: stdout can't be closed.
  if (!read) process.exit();
}

export interface OverStdio {
  input: Readable;
  output: Writable;
  /** Of one message, UTF-16 units; a longer one is refused. */
  maxMessageLength: number;
  /** Aborted when it should end: calls under way may end first. */
  stop: AbortSignal;
}

/**
 * Joins a sidecar and a pair of streams, with the seed's methods beside the operations; resolves when both are ended, with false when
 * the host left answers unread. A host's own operations (`operations` of the dependencies of `start`) are reached by their names, when `read` access is enough for them.
 */
export async function serveOverStdio(
  start: () => Promise<HeadlessSidecar>,
  { input, output, maxMessageLength, stop }: OverStdio,
): Promise<boolean> {
  const sidecar = await start();
  try {
    const skaffa = createSkaffa(
      { dispatch: sidecar.dispatch },
      { version, build: `node ${process.versions.node}, ${process.platform}-${process.arch}` },
    );
    const connection = serveStdio(
      { dispatch: skaffa.dispatch, input, output, caller: hostCaller },
      { codec: skaffa.codec, limits: { maxFrameLength: maxMessageLength } },
    );
    skaffa.attach(connection.peer);
    const stopping = Promise.withResolvers<void>();
    const onStop = (): void => void sidecar.stop().then(stopping.resolve, stopping.reject);
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    sidecar.ready.catch(stopping.reject);
    try {
      await Promise.race([connection.closed, stopping.promise]);
    } finally {
      stop.removeEventListener('abort', onStop);
      skaffa.close();
      connection.close();
    }
    return await finished(output, stop);
  } finally {
    await sidecar.stop();
  }
}

/**
 * Ends `output`. True when what was written has left this process; false when the host took nothing of it for a while, or not all
 * of it soon after `stop`.
 */
export async function finished(output: Writable, stop: AbortSignal): Promise<boolean> {
  if (output.destroyed) return true;
  return await new Promise<boolean>((resolve) => {
    const over = (all: boolean): void => {
      clearTimeout(timer);
      output.off(takenEvent, onTaken);
      resolve(all);
    };
    const timer = setTimeout(() => over(false), finishMs);
    const onTaken = (): void => {
      if (!stop.aborted) timer.refresh();
    };
    const done = (): void => over(true);
    output.on(takenEvent, onTaken).once('close', done).once('error', done);
    output.end(done);
  });
}

/** The part of process.stdout that is used. */
export type PrintingStream = Pick<NodeJS.WriteStream, 'write' | 'on' | 'off' | 'listeners'>;

/**
 * Takes stdout for one writer: all other writes to it, console.log's too, go to `elsewhere` until `release`. Where stdout breaks, `output`
 * is destroyed, and nobody else hears of it: the command line ends the process then, which would leave child processes behind.
 */
export function reserveStdout(
  stdout: PrintingStream,
  elsewhere: Pick<NodeJS.WriteStream, 'write'>,
): { output: Writable; release: () => void } {
  const write = stdout.write.bind(stdout);
  const own = Object.getOwnPropertyDescriptor(stdout, 'write');
  const output = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      const writeFrom = (at: number): void => {
        const end = Math.min(at + pieceBytes, chunk.length);
        write(chunk.subarray(at, end), (error) => {
          output.emit(takenEvent);
          if (error || end === chunk.length) done(error ?? null);
          else writeFrom(end);
        });
      };
      writeFrom(0);
    },
  });
  const onError = (error: Error): void => void output.destroy(error);
  const others = stdout.listeners('error') as ((error: Error) => void)[];
  for (const other of others) stdout.off('error', other);
  stdout.on('error', onError);
  stdout.write = elsewhere.write.bind(elsewhere);
  return {
    output,
    release: () => {
      stdout.off('error', onError);
      for (const other of others) stdout.on('error', other);
      if (own === undefined) delete (stdout as Partial<PrintingStream>).write;
      else Object.defineProperty(stdout, 'write', own);
    },
  };
}

/**
 * The end of stdin tells of a parent's end, but not where another process got hold of the pipe. Where a process without parent is given
 * another one, that shows it; Windows keeps the number. Returns how to stop looking.
 */
export function watchParent(parentId: () => number, onGone: () => void, everyMs: number): () => void {
  const first = parentId();
  const timer = setInterval(() => {
    if (parentId() === first) return;
    clearInterval(timer);
    onGone();
  }, everyMs).unref();
  return () => clearInterval(timer);
}

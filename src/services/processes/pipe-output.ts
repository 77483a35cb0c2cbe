import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ProgramOutput } from './host.ts';

const BUFFER_BYTES = 256 * 1024;
/** One for all: what is read is taken before anything else is read. */
let buffer: Buffer | undefined;

/**
 * The output of a child, read into one buffer. Node allocates for each read otherwise, and in a flood of output the collector comes late: a
 * gigabyte takes 80 MB of memory. It needs the pipe itself, which Node keeps to itself; where it is not to be had, its own stream does.
 */
export function pipeOutput(stream: Readable): ProgramOutput {
  return readPipe(stream, { writable: false })?.output ?? stream;
}

/**
 * As pipeOutput, and both ways. `take`: gets all bytes first, and gives those that are the program's; with `undefined`, nothing more is read before
 * somebody listens, not even the end. `onDemand`: nothing at all is. Undefined where Node does not let go of the pipe.
 */
export function readPipe(
  stream: Readable,
  {
    writable,
    take = (bytes) => bytes,
    onDemand = false,
  }: { writable: boolean; take?: (bytes: Buffer) => Buffer | undefined; onDemand?: boolean },
): { output: ProgramOutput; socket: Socket } | undefined {
  const holder = stream as unknown as { _handle: unknown };
  const { _handle: handle } = holder;
  if (typeof handle !== 'object' || handle === null) return undefined;
  buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
  holder._handle = null;
  const output = new EventEmitter();
  let paused = false;
  // Until somebody listens, nothing more is read.
  let early: Buffer | undefined;
  let waits = onDemand;
  const callback = (length: number, bytes: Uint8Array): boolean => {
    const taken = take(bytes.subarray(0, length) as Buffer);
    if (taken === undefined) {
      waits = output.listenerCount('data') === 0;
      return !waits;
    }
    if (taken.length === 0) return true;
    if (output.listenerCount('data') > 0) output.emit('data', taken);
    else early = Buffer.from(taken);
    return !paused && early === undefined;
  };
  output.on('newListener', (event) => {
    if (event !== 'data' || (early === undefined && !waits)) return;
    process.nextTick(() => {
      const bytes = early;
      early = undefined;
      waits = false;
      if (bytes !== undefined) output.emit('data', bytes);
      if (!paused) socket.resume();
    });
  });
  // `handle` is how Node itself makes the sockets of children.
  const socket = new Socket({ handle, readable: true, writable, manualStart: onDemand, onread: { buffer, callback } } as object);
  socket
    .on('end', () => output.emit('end'))
    .on('error', (error) => output.listenerCount('error') > 0 && output.emit('error', error))
    .on('close', () => output.emit('close'));
  if (!onDemand) socket.resume();
  const pipe = Object.assign(output, {
    pause: () => {
      paused = true;
      socket.pause();
    },
    resume: () => {
      paused = false;
      if (early === undefined && !waits) socket.resume();
    },
    destroy: () => socket.destroy(),
  });
  return { output: pipe, socket };
}

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
  const holder = stream as unknown as { _handle: unknown };
  const { _handle: handle } = holder;
  if (typeof handle !== 'object' || handle === null) return stream;
  buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
  holder._handle = null;
  const output = new EventEmitter();
  let paused = false;
  const callback = (length: number, bytes: Uint8Array): boolean => {
    output.emit('data', bytes.subarray(0, length));
    return !paused;
  };
  // `handle` is how Node itself makes the sockets of children.
  const socket = new Socket({ handle, readable: true, writable: false, onread: { buffer, callback } } as object);
  socket
    .on('end', () => output.emit('end'))
    .on('error', (error) => output.emit('error', error))
    .on('close', () => output.emit('close'));
  socket.resume();
  return Object.assign(output, {
    pause: () => {
      paused = true;
      socket.pause();
    },
    resume: () => {
      paused = false;
      socket.resume();
    },
    destroy: () => socket.destroy(),
  });
}

import os from 'node:os';

const MIB = 1024 * 1024;
/**
 * What a sidecar takes whose index is built by one thread: both some 80 MiB, and what ripgrep and git take meanwhile. With less than that, the kernel would
 * end the sidecar in the midst of it, at each start anew.
 */
const ONE_THREAD_BYTES = 216 * MIB;
const FILE_BYTES = 512;
const TWO_THREADS_BYTES = 512 * MIB;

/** Threads that may build the index. */
export function indexThreads(memoryBytes: number): number {
  return memoryBytes < TWO_THREADS_BYTES ? 1 : 2;
}

/** Throws where there is not memory for an index of so many files. */
export function throwIfTooLarge(memoryBytes: number, files: number): void {
  const needed = ONE_THREAD_BYTES + files * FILE_BYTES;
  if (memoryBytes >= needed) return;
  const [most, there] = [Math.ceil(needed / MIB), Math.floor(memoryBytes / MIB)];
  throw new Error(`to build one takes up to ${most} MiB of memory here, and there are ${there}.`);
}

/** Bytes of memory that this machine has, or the container may take. `constrained` is 0, or beyond all bounds, where nothing holds it back. */
export function memoryHere(constrained = process.constrainedMemory()): number {
  const total = os.totalmem();
  return constrained > 0 ? Math.min(constrained, total) : total;
}

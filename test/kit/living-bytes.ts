import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Of strings and objects of this process that are still held. */
export function livingBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

import fs from 'node:fs';

/**
 * In a container with a small limit a parser of 30 MB would else outlive us, who hold most. No less than the most will do: half of it adds half of the
 * limit to what a program holds. A pod that is not given all it may take is at nearly as much itself, and there the largest still goes first.
 */
const OOM_SCORE = '1000';

/** Where memory runs out, the kernel is to end what we started, and not us. What that starts inherits it. */
export function yieldMemoryFirst(pid: number): void {
  if (process.platform !== 'linux') return;
  try {
    fs.writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch {
    // It ended already, or the system does not allow it.
  }
}

import path from 'node:path';
import { getRawAsset, isSea } from 'node:sea';

/** What runs a module of ours as a program of its own, with the Node that runs this one. */
export interface NodeProgram {
  argv: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
}

/** KB of stack for JavaScript, as threads have it: trees are read by recursion. */
const STACK_KB = 3900;

/** `file`: absolute. In another's single executable, which runs what it is made for whatever it is given, a Node on PATH has to do it. */
export function nodeProgram(file: string): NodeProgram {
  const byNode = [`--stack-size=${STACK_KB}`, file];
  if (isSea()) return { argv: carries(file) ? [process.execPath, '--part', path.basename(file)] : ['node', ...byNode], env: {} };
  return { argv: [process.execPath, ...byNode], env: 'electron' in process.versions ? { ELECTRON_RUN_AS_NODE: '1' } : {} };
}

/** Whether this is our own single executable (scripts/single-binary-main.mjs): that one runs its other parts when asked to. */
function carries(file: string): boolean {
  try {
    return getRawAsset(`dist/${path.basename(file)}`).byteLength > 0;
  } catch {
    return false;
  }
}

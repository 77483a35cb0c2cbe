import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { requireTool } from './require-tools.ts';

/** Builds the launcher as `file`. For a test's `skip` option: false, or why it can't be. */
export function buildLauncher(file: string): string | false {
  if (process.platform !== 'linux') return 'the launcher is for Linux';
  const source = path.join(import.meta.dirname, '../../native/launcher.c');
  const missing = requireTool('cc');
  if (missing !== false || spawnSync('cc', ['-O2', source, '-o', file]).status === 0) return missing;
  return 'needs a C compiler that has its headers: apt-get install gcc libc6-dev';
}

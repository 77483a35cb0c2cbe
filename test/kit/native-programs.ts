import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { requireTool } from './require-tools.ts';

const root = path.join(import.meta.dirname, '../..');
const needs = 'needs a C compiler that has its headers: apt-get install gcc libc6-dev';

/** The launcher as users have it, from the sources as they stand, as `file`. For a test's `skip` option: false, or why it can't be. */
export function buildLauncher(file: string): string | false {
  if (process.platform !== 'linux') return 'the launcher is for Linux';
  return requireTool('cc') || buildNative('outrigger-launcher', file);
}

/** A program of native/ as it is built for users; where it was built of these sources already, it is copied. False, or why it can't be. */
export function buildNative(name: 'outrigger-launcher' | 'outrigger-exec-agent', file: string): string | false {
  const { stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'scripts/native.mjs')], { encoding: 'utf8' });
  const built = path.join(root, 'dist/bin', name);
  // One of older sources may be left there.
  if (stdout.includes('could not build') || !existsSync(built)) {
    if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`${name} was not built: ${stdout}${stderr}`);
    return needs;
  }
  copyFileSync(built, file);
  return false;
}

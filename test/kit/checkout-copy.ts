import { spawnSync } from 'node:child_process';
import { cpSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const taken = ['src', 'scripts', 'examples', 'deploy', 'package.json', 'package-lock.json', 'tsconfig.json', 'LICENSE', '.dockerignore'];

/** Copies the checkout into `folder`, to be built there: the checkout's own dist belongs to whoever works in it. Gives its real path. `more` are names beside the usual ones. */
export function copyCheckout(folder: string, more: readonly string[] = []): string {
  const target = realpathSync(folder);
  for (const name of [...taken, ...more]) cpSync(join(root, name), join(target, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
  return target;
}

/** Runs one of the copy's scripts with the Node of the test; throws with what it printed when it fails. Gives its stdout. */
export function runScript(folder: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** Where the bundle of the copy is: that which a whole run of the tests has just built of the same sources, with what it built of native/, else built here. */
export function bundleOf(checkout: string): string {
  const dist = join(checkout, 'dist');
  const built = process.env['TEST_COMMAND'];
  if (built === undefined) runScript(checkout, 'scripts/build.mjs', 'bundle');
  else cpSync(dirname(built), dist, { recursive: true, filter: (path) => !/\/dist\/(?:package|types|single|[^/]*\.tgz)$/.test(path) });
  return dist;
}

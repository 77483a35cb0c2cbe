// Says whether dist/workbench was built from the sources as they are now. Built-ins only: it runs before anything is installed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const sources = [
  'src/workbench',
  'src/client',
  'src/core',
  'src/contract',
  'examples/library-loans',
  'package-lock.json',
  'scripts/build.mjs',
];
const stampFile = (root) => join(root, 'dist', 'workbench', '.stamp');

/** True also when there is no workbench to build. Sizes and times are compared first; contents only where they differ (a checkout). */
export function workbenchIsFresh(root) {
  if (!existsSync(join(root, 'src', 'workbench', 'index.html'))) return true;
  const file = stampFile(root);
  if (!existsSync(file)) return false;
  const stamp = JSON.parse(readFileSync(file, 'utf8'));
  const files = list(root);
  if (stamp.quick === quick(root, files)) return true;
  if (stamp.content !== content(root, files)) return false;
  writeFileSync(file, workbenchSources(root));
  return true;
}

/** Call with what `workbenchSources` gave before the build: a source edited meanwhile must count as changed. */
export function writeWorkbenchStamp(root, stamp) {
  mkdirSync(join(root, 'dist', 'workbench'), { recursive: true });
  writeFileSync(stampFile(root), stamp);
}

export function workbenchSources(root) {
  const files = list(root);
  return JSON.stringify({ quick: quick(root, files), content: content(root, files) });
}

function list(root) {
  return sources.flatMap((source) => {
    const path = join(root, source);
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isDirectory()) return found ? [source] : [];
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !(source.startsWith('src/') && /\.(test|deep)\.ts$/.test(entry.name)))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
      .sort();
  });
}

function quick(root, files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function content(root, files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

import fs from 'node:fs';
import path from 'node:path';

/** The folder `dist`, as seen from this source, from the bundle in it, or from the library in its `lib`. */
const dist = import.meta.filename.endsWith('.ts')
  ? path.join(import.meta.dirname, '../../../dist')
  : path.basename(import.meta.dirname) === 'lib'
    ? path.dirname(import.meta.dirname)
    : import.meta.dirname;
/** What was built here, and what a package brings for machines of this kind. */
const folders = ['bin', `bin-${process.platform}-${process.arch}`];

/** Absolute path of a program of native/ that is there to be run; undefined where it has to be built first. */
export function nativeProgram(name: string): string | undefined {
  return folders.map((folder) => path.join(dist, folder, name)).find(isExecutable);
}

/** How a program of native/ comes to be here, in words. */
export function howToBuild(): string {
  if (process.platform !== 'linux') return 'it is a program for Linux';
  const script = path.join(path.dirname(dist), 'scripts', 'native.mjs');
  // The single executable and an image have no sources.
  return fs.existsSync(script) ? `node ${script} builds it, with a C compiler` : 'there is none for this kind of machine';
}

export function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// `node scripts/native.mjs`: builds native/launcher.c into dist/bin/outrigger-launcher, where a C compiler is on PATH and the source is
// newer than what was built. Ends with 0 in every case, as nothing needs the launcher to run; what is lost is said in one line.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';

const root = dirname(import.meta.dirname);
const source = join(root, 'native', 'launcher.c');
const target = join(root, 'dist', 'bin', 'outrigger-launcher');
const compilers = ['cc', 'gcc', 'clang'];
const flags = ['-O2', '-Wall', '-Wextra', '-Werror'];
const lost = 'a read-only child process is guarded by its own checks alone';
const timeoutMs = 60_000;

say(build());

/** What is to be said, or undefined when there was nothing to do. */
function build() {
  if (process.platform !== 'linux') return `native: landlock is Linux's; ${lost}`;
  if (isFresh()) return undefined;
  const compiler = compilers.map(findOnPath).find((file) => file !== undefined);
  if (compiler === undefined) return `native: no C compiler on PATH (${compilers.join(', ')}); ${lost}`;
  mkdirSync(dirname(target), { recursive: true });
  // Under another name first: whoever starts the launcher meanwhile finds the old one or the new one.
  const unfinished = `${target}.${process.pid}`;
  try {
    // A static one runs beside any C library; not every system has what that takes.
    const wholly = compile(compiler, ['-static'], unfinished);
    const made = wholly.status === 0 ? wholly : compile(compiler, [], unfinished);
    if (made.status !== 0) {
      process.stderr.write(made.stderr ?? '');
      // A compiler without the headers of a C library is common in small images.
      return `native: ${compiler} could not build the launcher; ${lost}`;
    }
    renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { force: true });
  }
  return `native: dist/bin/outrigger-launcher, by ${compiler}`;
}

function compile(compiler, more, output) {
  return spawnSync(compiler, [...flags, ...more, source, '-o', output], { encoding: 'utf8', timeout: timeoutMs });
}

function isFresh() {
  const built = statSync(target, { throwIfNoEntry: false });
  return built !== undefined && built.mtimeMs > statSync(source).mtimeMs;
}

function findOnPath(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
      } catch {
        // Not in this folder.
        return false;
      }
    });
}

function say(line) {
  if (line !== undefined) console.log(line);
}

// `node scripts/native.mjs`: builds the programs of native/ into dist/bin, where a C compiler is on PATH and a source is newer than what
// was built of it. Ends with 0 in every case, as nothing needs them to run; what is lost is said in one line.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, relative } from 'node:path';

const root = dirname(import.meta.dirname);
const compilers = ['cc', 'gcc', 'clang'];
const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-D_FORTIFY_SOURCE=2', '-fstack-protector-strong'];
const timeoutMs = 60_000;
const native = join(root, 'native');
const headers = existsSync(native) ? readdirSync(native).filter((name) => name.endsWith('.h')) : [];
const programs = [
  {
    name: 'the launcher',
    file: 'launcher',
    parts: headers,
    flags: [],
    lost: 'a read-only child process is guarded by its own checks alone, and code runs without isolation',
  },
  {
    name: 'the library of cages',
    file: 'launcher',
    target: 'outrigger-cage.so',
    parts: headers,
    flags: ['-DLIBRARY', '-shared', '-fPIC', '-Wno-unused-function'],
    isShared: true,
    lost: 'each program in Python starts an interpreter of its own',
  },
  {
    name: 'the exec agent',
    file: 'exec-agent',
    parts: [],
    flags: ['-s', `-DAGENT_VERSION="${version()}"`],
    lost: 'there is none to copy into another container',
  },
].map((program) => ({
  ...program,
  source: join(native, `${program.file}.c`),
  sources: [`${program.file}.c`, ...program.parts].map((name) => join(native, name)),
  target: join(root, 'dist', 'bin', program.target ?? `outrigger-${program.file}`),
}));

for (const line of build()) console.log(`native: ${line}`);

/** What is to be said; nothing when there was nothing to do. */
function build() {
  // A copy of the tree may be without one of them.
  const stale = programs.filter(({ source, sources, target }) => existsSync(source) && !isFresh(sources, target));
  const lost = stale.map((program) => program.lost).join(', and ');
  if (stale.length === 0) return [];
  if (process.platform !== 'linux') return [`these programs are for Linux; ${lost}`];
  const compiler = compilers.map(findOnPath).find((file) => file !== undefined);
  if (compiler === undefined) return [`no C compiler on PATH (${compilers.join(', ')}); ${lost}`];
  return stale.map((program) => buildOne(program, compiler));
}

function buildOne(program, compiler) {
  const { name, target } = program;
  mkdirSync(dirname(target), { recursive: true });
  // Under another name first: whoever starts it meanwhile finds the old one or the new one.
  const unfinished = `${target}.${process.pid}`;
  // A static one runs beside any C library; not every system has what that takes.
  const wholly = program.isShared ? undefined : compile(compiler, program, ['-static'], unfinished);
  const made = wholly?.status === 0 ? wholly : compile(compiler, program, [], unfinished);
  try {
    if (made.status !== 0) {
      process.stderr.write(made.stderr ?? '');
      // A compiler without the headers of a C library is common in small images.
      return `${compiler} could not build ${name}; ${program.lost}`;
    }
    renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { force: true });
  }
  return `${relative(root, target)}, by ${compiler}${made === wholly || program.isShared ? '' : ', which needs the C library of this system'}`;
}

function compile(compiler, program, more, output) {
  return spawnSync(compiler, [...flags, ...program.flags, ...more, program.source, '-o', output], { encoding: 'utf8', timeout: timeoutMs });
}

function isFresh(sources, target) {
  const built = statSync(target, { throwIfNoEntry: false });
  return built !== undefined && sources.every((source) => built.mtimeMs > statSync(source).mtimeMs);
}

function version() {
  const manifest = join(root, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : 'unknown';
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

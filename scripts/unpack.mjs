// What a single executable carries becomes files of this user: a worker thread, ripgrep and native packages are started from files.
// Nothing that lies there is trusted: each start compares every file with what the executable says of it.
import { hash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** A folder of another version goes when no start used it for so long. */
const keepMs = 30 * 24 * 3600_000;
/** What an unpacking left that was killed. */
const keepUnfinishedMs = 3600_000;
const touchMs = 24 * 3600_000;
const posix = process.platform !== 'win32';

/**
 * Gives the folder that holds exactly `files`, unpacked when it is not there, and mended whole when anything in it is not as it
 * should be. `id` names the folder; `files` have a path with `/`, `sha256` in hex and `executable`; `read` gives the bytes of one.
 * `places` are tried in order: each must be, or become, a folder that only this user may enter. Throws when none will do.
 */
export function unpack({ id, files, read, places, now = Date.now() }) {
  const problems = [];
  for (const place of places) {
    try {
      ownFolder(place);
      return unpackIn(place, { id, files, read, now });
    } catch (error) {
      problems.push(`${place}: ${error.message}`);
    }
  }
  throw new Error(`There is no folder to unpack to. Set XDG_CACHE_HOME to one that is yours.\n${problems.join('\n')}`);
}

/** Made when it is not there; what is another user's, or no folder, throws. */
function ownFolder(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory()) throw new Error('it is no folder');
  if (!posix) return;
  if (stat.uid !== process.getuid()) throw new Error('it belongs to another user');
  if ((stat.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

function unpackIn(place, { id, files, read, now }) {
  const target = join(place, id);
  if (!isWhole(target, files)) {
    const unfinished = join(place, `.${id}-${randomBytes(6).toString('hex')}`);
    try {
      write(unfinished, files, read);
      putInPlace(unfinished, target, files);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
    sweep(place, id, now);
  }
  keepAlive(target, now);
  return target;
}

/** Nothing missing, nothing changed, and nothing beside it: a package that lies there would be found by its name. */
function isWhole(target, files) {
  if (!existsSync(target)) return false;
  const expected = new Map(files.map((file) => [file.path, file]));
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
  let found = 0;
  const walk = (folder) =>
    readdirSync(join(target, folder), { withFileTypes: true }).every((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return folders.has(path) && walk(path);
      const file = expected.get(path);
      if (!entry.isFile() || file === undefined) return false;
      found += 1;
      return isAs(join(target, path), file);
    });
  try {
    return lstatSync(target).isDirectory() && walk('') && found === files.length;
  } catch {
    // Another start is just moving it away, or it is not ours to read.
    return false;
  }
}

function isAs(at, { sha256, executable }) {
  try {
    if (posix && executable && (statSync(at).mode & 0o100) === 0) return false;
    return hash('sha256', readFileSync(at), 'hex') === sha256;
  } catch {
    // Not ours to read: not what was unpacked.
    return false;
  }
}

function write(folder, files, read) {
  mkdirSync(folder, { mode: 0o700 });
  for (const { path, executable } of files) {
    const at = join(folder, path);
    mkdirSync(dirname(at), { recursive: true, mode: 0o700 });
    writeFileSync(at, read(path), { mode: executable ? 0o700 : 0o600, flag: 'wx' });
  }
}

/** By one rename where nothing stands there. Another start may do the same at this moment: its folder is as good as ours. */
function putInPlace(unfinished, target, files) {
  for (let tries = 3; ; tries--) {
    try {
      if (existsSync(target) && !isWhole(target, files)) moveAway(target, `${unfinished}-damaged`);
      return renameSync(unfinished, target);
    } catch (error) {
      if (isWhole(target, files)) return;
      if (tries === 0) throw error;
    }
  }
}

/** By a rename first: what starts meanwhile finds it damaged or gone, not half. */
function moveAway(target, to) {
  renameSync(target, to);
  rmSync(to, { recursive: true, force: true });
}

function sweep(place, id, now) {
  for (const name of readdirSync(place)) {
    if (name === id) continue;
    try {
      const age = now - lstatSync(join(place, name)).mtimeMs;
      if (age > (name.startsWith('.') ? keepUnfinishedMs : keepMs)) rmSync(join(place, name), { recursive: true, force: true });
    } catch {
      // Another start sweeps as well, or a program of that version still runs on Windows.
    }
  }
}

/** The time of the folder says when it was last used. */
function keepAlive(target, now) {
  try {
    if (now - statSync(target).mtimeMs > touchMs) utimesSync(target, now / 1000, now / 1000);
  } catch {
    // A guarded process may not write here, and need not.
  }
}

function foldersOf(path) {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { parentPath } from '../../contract/paths.ts';
import { errnoOf } from '../state/errno.ts';
import { fileError } from './file-errors.ts';
import { MountPoint } from '../state/mount-point.ts';

// fs.constants has no O_PATH; the number is the same on x64 and arm64 (asm-generic/fcntl.h). Tried once at start.
export const O_PATH = 0o10000000;
const MAX_LINKS = 40;
/** What the system says of a path of which a part is not there, or can't be passed. */
const NOT_THERE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG']);
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;

/**
 * A name in a folder that was opened and found to lie inside the root. `at` goes through the open descriptor, so a folder
 * that is swapped for a link afterwards can't lead outside. Close it after use.
 */
export interface Place {
  /** Path for one more system call on the thing itself. */
  readonly at: string;
  /** Path of the folder that holds it, through its descriptor. */
  readonly folder: string;
  readonly name: string;
  /** Where it really is, relative to the root (links on the way resolved). */
  readonly path: string;
  /** Path of a sibling. */
  sibling(name: string): string;
  /** Where it would be now, as the opened folder may have been moved. Throws PATH_ESCAPES when that was out of the root. */
  recheck(): string;
  close(): void;
  [Symbol.dispose](): void;
}

/** Keeps every path inside one folder, by descriptor where /proc is there, else by real path. */
export class Containment {
  readonly root: string;
  /** What an absolute path in it begins with. */
  readonly #above: string;
  readonly byDescriptor: boolean;
  readonly #mount: MountPoint;

  /** `root` is absolute and exists. `byDescriptor: false` takes the way of systems without /proc. Throws WORKSPACE_GONE, NOT_A_DIRECTORY, FILE_PERMISSION. */
  constructor(root: string, options: { byDescriptor?: boolean } = {}) {
    try {
      this.root = fs.realpathSync(root);
    } catch (error) {
      throw new OutriggerError('WORKSPACE_GONE', `The folder ${root} is not there.`, { cause: error });
    }
    if (!fs.statSync(this.root).isDirectory()) throw new OutriggerError('NOT_A_DIRECTORY', `${root} is not a folder.`);
    try {
      fs.accessSync(this.root, fs.constants.R_OK | fs.constants.X_OK);
    } catch (error) {
      throw fileError(error, `The folder ${root}`);
    }
    this.#above = this.root.endsWith(path.sep) ? this.root : this.root + path.sep;
    this.#mount = new MountPoint(this.root);
    this.byDescriptor = options.byDescriptor !== false && process.platform === 'linux' && descriptorsHavePaths(this.root);
  }

  /**
   * The place of a wire path (normalised, never ''). With `follow`, a link at its end is followed to its target, which need
   * not exist. Throws FILE_NOT_FOUND when a folder on the way is missing, PATH_ESCAPES, NOT_A_DIRECTORY, WORKSPACE_GONE.
   */
  place(wirePath: string, follow: boolean): Place {
    const cut = wirePath.lastIndexOf('/');
    const folder = cut < 0 ? this.root : `${this.root}/${wirePath.slice(0, cut)}`;
    let place = this.#openFolder(folder, wirePath.slice(cut + 1), wirePath);
    for (let links = 0; follow; links++) {
      let target: string;
      try {
        // Most are no links, and a look costs less than the error of reading one.
        if (fs.lstatSync(place.at, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return place;
        target = fs.readlinkSync(place.at);
      } catch {
        // Not a link any more, or a name that can't be: both end the chain.
        return place;
      }
      place.close();
      if (links >= MAX_LINKS) throw new OutriggerError('PATH_ESCAPES', `${wirePath} is a chain of links without an end.`);
      const targetFolder = path.posix.dirname(target);
      const name = path.posix.basename(target);
      if (name === '..' || name === '.' || name === '') return this.#folderItself(wirePath);
      // The kernel resolves the rest, relative to the folder of the link.
      const start = path.isAbsolute(target) ? targetFolder : `${this.root}/${place.path.slice(0, -place.name.length)}${targetFolder}`;
      place = this.#openFolder(start, name, wirePath);
    }
    return place;
  }

  /**
   * Where a wire path leads when links are followed, relative to the root. What is not there yet is below the nearest folder
   * that is, also where a link leads to it. Looks a few times, however many folders are missing. Throws PATH_ESCAPES, WORKSPACE_GONE.
   */
  realPath(wirePath: string): string {
    return this.#realPath(wirePath, MAX_LINKS);
  }

  #realPath(wirePath: string, links: number): string {
    for (let head = wirePath; head !== ''; head = this.#shorter(head)) {
      try {
        using place = this.place(head, true);
        return place.path + wirePath.slice(head.length);
      } catch (error) {
        const known = fileError(error, wirePath);
        if (known.reason !== 'FILE_NOT_FOUND' && known.reason !== 'NOT_A_DIRECTORY') throw known;
      }
      const target = this.#targetByName(head);
      if (target === undefined) continue;
      if (links === 0) throw new OutriggerError('PATH_ESCAPES', `${wirePath} is a chain of links without an end.`);
      return this.#realPath(target + wirePath.slice(head.length), links - 1);
    }
    return wirePath;
  }

  /** Where a link leads that can't be followed, since the folder of its target is not there; undefined for what is no link. */
  #targetByName(wirePath: string): string | undefined {
    let target: string;
    try {
      using place = this.place(wirePath, false);
      target = path.posix.resolve(this.root, parentPath(place.path), fs.readlinkSync(place.at));
    } catch {
      return undefined;
    }
    const inside = this.pathOf(target);
    if (inside === undefined) throw new OutriggerError('PATH_ESCAPES', `${wirePath} leads out of the workspace.`);
    return inside;
  }

  /** Of a path that has no place: what it begins with that may have one, which is one name more than is there. */
  #shorter(wirePath: string): string {
    const parent = parentPath(wirePath);
    if (!parent.includes('/')) return parent;
    const { length } = this.#nearest(this.#above + parent, wirePath).path;
    return wirePath.slice(0, wirePath.indexOf('/', Math.max(0, length - this.#above.length + 1)));
  }

  /** The root, or a folder inside, as a place of its own: `at` is the folder. */
  directory(wirePath: string): Place {
    return wirePath === '' ? this.#openFolder(this.root, '.', '') : this.#folderItself(wirePath);
  }

  /** A name in the folder that stands at a place, a link to one inside included. Costs the same at any depth. Throws as `place` does. */
  below(place: Place, name: string, wirePath: string): Place {
    return this.#openFolder(place.at, name, wirePath);
  }

  /** Where an open descriptor is, relative to the root; throws PATH_ESCAPES when it is outside. Undefined without /proc. */
  pathOfDescriptor(descriptor: number, wirePath: string): string | undefined {
    return this.byDescriptor ? this.#inside(fs.readlinkSync(`/proc/self/fd/${descriptor}`), wirePath) : undefined;
  }

  /** False also when the volume that was mounted there is not any more. */
  exists(): boolean {
    try {
      return fs.statSync(this.root, { throwIfNoEntry: false })?.isDirectory() === true && !this.#mount.isUnmounted;
    } catch {
      // A volume whose server is gone.
      return false;
    }
  }

  #folderItself(wirePath: string): Place {
    return this.#openFolder(`${this.root}/${wirePath}`, '.', wirePath);
  }

  #openFolder(folder: string, name: string, wirePath: string): Place {
    if (this.#mount.isUnmounted) throw this.gone();
    if (!this.byDescriptor) return this.#realFolder(path.resolve(folder), name, wirePath);
    let descriptor: number;
    try {
      descriptor = fs.openSync(folder, O_PATH | O_DIRECTORY);
    } catch (error) {
      throw this.#missing(error, folder, wirePath);
    }
    try {
      const inside = this.#inside(fs.readlinkSync(`/proc/self/fd/${descriptor}`), wirePath);
      return new OpenPlace(
        `/proc/self/fd/${descriptor}`,
        name,
        joinReal(inside, name),
        () => fs.closeSync(descriptor),
        () => joinReal(this.#inside(fs.readlinkSync(`/proc/self/fd/${descriptor}`), wirePath), name),
      );
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
  }

  #realFolder(folder: string, name: string, wirePath: string): Place {
    let real: string;
    try {
      real = fs.realpathSync(folder);
      if (!fs.statSync(real).isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
    } catch (error) {
      throw this.#missing(error, folder, wirePath);
    }
    const inside = this.#inside(real, wirePath);
    return new OpenPlace(
      real,
      name,
      joinReal(inside, name),
      () => {},
      () => joinReal(this.#inside(fs.realpathSync(real), wirePath), name),
    );
  }

  /** The wire path of an absolute one that holds no link; undefined outside. */
  pathOf(absolute: string): string | undefined {
    if (absolute === this.root) return '';
    return absolute.startsWith(this.#above) ? absolute.slice(this.#above.length).split(path.sep).join('/') : undefined;
  }

  #inside(real: string, wirePath: string): string {
    const inside = this.pathOf(real);
    if (inside !== undefined) return inside;
    if (real.endsWith(' (deleted)') || !this.exists()) throw this.gone();
    throw new OutriggerError('PATH_ESCAPES', `${wirePath} leads out of the workspace.`);
  }

  /** Of what would lie outside nobody is told whether it is there. */
  #missing(error: unknown, folder: string, wirePath: string): OutriggerError {
    if (!this.exists()) return this.gone();
    try {
      for (let [absolute, links] = [folder, 0]; links <= MAX_LINKS; links++) {
        const { path: nearest, real } = this.#nearest(absolute, wirePath);
        this.#inside(real, wirePath);
        const [name = '', ...below] = absolute.slice(nearest.length).split(path.sep).filter(Boolean);
        const target = linkAt(path.join(real, name));
        if (target === undefined) return fileError(error, wirePath);
        // What it leads to is not there either, and may be meant to lie outside.
        absolute = path.resolve(real, target, ...below);
      }
      return new OutriggerError('PATH_ESCAPES', `${wirePath} is a chain of links without an end.`);
    } catch (other) {
      return other as OutriggerError;
    }
  }

  /**
   * The last thing above an absolute path that is there, and where it really is. Found by halving, as all above what is there is there too: looking at each
   * name would take the square of the depth.
   */
  #nearest(absolute: string, wirePath: string): { path: string; real: string } {
    const cuts: number[] = [];
    for (let cut = 1; cut < absolute.length; cut++) if (absolute[cut] === '/' || absolute[cut] === path.sep) cuts.push(cut);
    let nearest = { path: '/', real: '/' };
    for (let [from, to] = [0, cuts.length]; from < to; ) {
      const middle = (from + to) >>> 1;
      const above = absolute.slice(0, cuts[middle]);
      const real = this.#realOrNothing(above, wirePath);
      if (real === undefined) to = middle;
      else [nearest, from] = [{ path: above, real }, middle + 1];
    }
    return nearest;
  }

  /** Undefined where nothing is there. */
  #realOrNothing(absolute: string, wirePath: string): string | undefined {
    let descriptor: number | undefined;
    try {
      if (!this.byDescriptor) return fs.realpathSync(absolute);
      descriptor = fs.openSync(absolute, O_PATH);
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch (error) {
      if (NOT_THERE.has(errnoOf(error))) return undefined;
      throw fileError(error, wirePath);
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }

  gone(): OutriggerError {
    return new OutriggerError('WORKSPACE_GONE', `The folder ${path.basename(this.root)} is not there any more.`);
  }
}

/** Undefined where none is. */
function linkAt(absolute: string): string | undefined {
  try {
    return fs.readlinkSync(absolute);
  } catch {
    return undefined;
  }
}

class OpenPlace implements Place {
  readonly folder: string;
  readonly name: string;
  readonly path: string;
  readonly at: string;
  readonly recheck: () => string;
  #close: (() => void) | undefined;

  constructor(folder: string, name: string, real: string, close: () => void, recheck: () => string) {
    this.folder = folder;
    this.name = name;
    this.path = real;
    this.at = `${folder}/${name}`;
    this.recheck = recheck;
    this.#close = close;
  }

  sibling(name: string): string {
    return `${this.folder}/${name}`;
  }

  close(): void {
    this.#close?.();
    this.#close = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function joinReal(folder: string, name: string): string {
  if (name === '.') return folder;
  return folder === '' ? name : `${folder}/${name}`;
}

function descriptorsHavePaths(root: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(root, O_PATH | O_DIRECTORY);
    if (fs.readlinkSync(`/proc/self/fd/${descriptor}`) !== root) return false;
    // One name says as much as all of them, which may be very many.
    using directory = fs.opendirSync(`/proc/self/fd/${descriptor}/.`, { bufferSize: 1 });
    directory.readSync();
    return true;
  } catch {
    // No /proc, or one that hides descriptors: real paths are checked instead, and doctor says so.
    return false;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** The place of a path without links. Throws BUSY_FILE when a folder on the way is a link by now, else as `place` does. */
export function exactPlace(containment: Containment, realPath: string): Place {
  const place = containment.place(realPath, false);
  if (place.path === realPath) return place;
  place.close();
  throw new OutriggerError('BUSY_FILE', `A folder on the way to ${realPath} became a link meanwhile.`);
}

/**
 * Opens a regular file for reading without following a link at its end and without blocking on a FIFO. The caller closes
 * the descriptor. Throws NOT_A_FILE, FILE_NOT_FOUND, FILE_PERMISSION.
 */
export function openRegularFile(place: Place, wirePath: string): { descriptor: number; stat: fs.Stats } {
  let descriptor: number;
  try {
    // Only to open some devices and pipes already does something; what takes the file's place after this look is found below.
    const found = fs.lstatSync(place.at);
    if (!found.isFile() && !found.isSymbolicLink()) throw notAFile(found, wirePath);
    descriptor = fs.openSync(place.at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw fileError(error, wirePath);
  }
  const stat = fs.fstatSync(descriptor);
  if (stat.isFile()) return { descriptor, stat };
  fs.closeSync(descriptor);
  throw notAFile(stat, wirePath);
}

export function notAFile(stat: fs.Stats, wirePath: string): OutriggerError {
  return new OutriggerError('NOT_A_FILE', `${wirePath} is ${stat.isDirectory() ? 'a folder' : 'not a regular file'}.`);
}

import fs from 'node:fs';
import path from 'node:path';

const GITDIR = /^gitdir: (.*?)\n?$/s;

/**
 * The folders of the workspace, besides `.git`, that git takes as its own because `.git` leads there: it can be a link, or a file that names another
 * folder (https://git-scm.com/docs/gitrepository-layout), and that one can share the rest with a third. Looked up again when `.git` is another.
 */
export class GitFolder {
  readonly #root: string;
  #known: { mark: string; places: readonly string[] } = { mark: '', places: [] };

  constructor(root: string) {
    this.#root = root;
  }

  /** Relative to the root, links followed; none where `.git` is a folder of that name, or is not there. */
  get places(): readonly string[] {
    const git = path.join(this.#root, '.git');
    const stat = fs.lstatSync(git, { throwIfNoEntry: false });
    if (stat === undefined || stat.isDirectory()) return [];
    const mark = `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
    // What a link leads to can be another without a change of the link.
    if (mark !== this.#known.mark || stat.isSymbolicLink()) this.#known = { mark, places: this.#lookUp(git, stat) };
    return this.#known.places;
  }

  #lookUp(git: string, stat: fs.Stats): string[] {
    const named = stat.isSymbolicLink() ? git : readLine(git, GITDIR);
    if (named === undefined) return [];
    const folder = path.resolve(this.#root, named);
    const common = readLine(path.join(folder, 'commondir'), /^(.*?)\n?$/s);
    const folders = common === undefined ? [folder] : [folder, path.resolve(folder, common)];
    return folders.flatMap((one) => this.#within(one) ?? []);
  }

  #within(folder: string): string | undefined {
    const relative = path.relative(this.#root, realPathOr(folder));
    return relative === '' || relative.startsWith('..') || path.isAbsolute(relative) ? undefined : relative.split(path.sep).join('/');
  }
}

/** Where nothing is, what comes there is git's. */
function realPathOr(folder: string): string {
  try {
    return fs.realpathSync(folder);
  } catch {
    return folder;
  }
}

/** What the pattern's first group takes of a small file. */
function readLine(file: string, pattern: RegExp): string | undefined {
  try {
    const stat = fs.statSync(file);
    // Who opens a pipe waits for another who writes into it.
    if (!stat.isFile() || stat.size > 4096) return undefined;
    return pattern.exec(fs.readFileSync(file, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

// Edits of two folders alike, by chance: what people and programs do to files beside git.
import fs from 'node:fs';
import { bytesOf, foldersOf, type GitFolder } from './git-model-folder.ts';
import type { Random } from './random.ts';

/** By their bytes. Some are taken for options, patterns, revisions or drives by who looks carelessly. */
export const fileNames: readonly string[] = [
  ...['a.txt', 'b.txt', 'dir/c.txt', 'dir/deep/d.txt', 'dir.txt', 'with space.txt', '-dash', '--all', ':colon', '*', '[a-c].txt'],
  ...['HEAD', 'main', 'new\nline.txt', 'tab\tname', 'back\\slash', `quo"te's.txt`, 'crlf.txt', 'text.eol', 'bytes.bin'].map(bytesOf),
  ...['😀.txt', 'é/ü.txt'].map(bytesOf),
];
/** No UTF-8. */
export const rawName = 'latin\xe9.txt';
const nestedName = 'nested';

const LINES = 24;
const places = [1, 2, 11, 12, 21, 22];

export class GitEdits {
  readonly #random: Random;
  readonly #folders: readonly GitFolder[];
  #number = 0;

  constructor(random: Random, folders: readonly GitFolder[]) {
    this.#random = random;
    this.#folders = folders;
  }

  get first(): GitFolder {
    return this.#folders[0] as GitFolder;
  }

  next(): number {
    return ++this.#number;
  }

  /** The first content of a file. */
  fresh(name: string): string {
    if (name.endsWith('.bin')) return `\0\x01${name} ${this.next()}\xff`;
    const eol = name === 'crlf.txt' || name === 'text.eol' ? '\r\n' : '\n';
    return Array.from({ length: LINES }, (_, at) => `line ${at} of ${name.replaceAll(/\W/g, '')}${eol}`).join('');
  }

  /** Says what was done. */
  step(): string {
    const random = this.#random;
    const name = random.of(fileNames);
    switch (random.below(26)) {
      case 0:
        return this.#remove(name);
      case 1:
        return this.#rename(name, random.of(fileNames));
      case 2:
        return this.#chmod(name);
      case 3:
        return this.#link(name);
      case 4:
        return this.#remove(random.of(['dir', 'dir/deep', 'é'].map(bytesOf)));
      case 5:
        return this.#rename(random.of(['dir', 'dir/deep', 'moved']), random.of(['moved', 'dir', 'dir/again']));
      case 6:
        return this.write('.gitignore', random.of(['', '*.log\n', '*.log\nignored/\n', 'dir/\n', '*.txt\n!a.txt\n']));
      case 7:
        return this.write(random.of(['x.log', 'ignored/y', 'dir/z.log']), `${this.next()}\n`);
      case 8:
        return this.write(rawName, this.#edited(rawName));
      case 9:
        return this.write(`new ${random.below(4)}`, random.of(['', 'no end', `some ${this.next()}\n`, this.fresh('new')]));
      case 10:
        return this.write(random.of(['a.txt/below', 'dir', 'b.txt/deep/below']), `${this.next()}\n`);
      case 11:
        return this.#folder(`empty ${random.below(2)}/deep`);
      case 12:
        return this.write(name, this.fresh(name));
      case 13:
        return this.#nested();
      default:
        return this.write(name, this.#edited(name));
    }
  }

  write(name: string, content: string): string {
    for (const folder of this.#folders) {
      for (const above of foldersOf(name)) if (folder.stat(above)?.isDirectory() === false) fs.rmSync(folder.at(above));
      fs.mkdirSync(parent(folder, name), { recursive: true });
      const there = folder.stat(name);
      if (there !== undefined && !there.isFile()) fs.rmSync(folder.at(name), { recursive: true });
      fs.writeFileSync(folder.at(name), Buffer.from(content, 'latin1'));
    }
    return `write ${JSON.stringify(name)}`;
  }

  /** Some lines changed, added or gone; of what is no text, another. */
  #edited(name: string): string {
    const random = this.#random;
    const before = this.first.content(name);
    if (before === undefined || before === '' || before.includes('\0')) return this.fresh(name);
    const lines = before.split('\n');
    for (let count = 1 + random.below(3); count > 0; count--) {
      const at = Math.min(random.of(places), lines.length - 1);
      const end = lines[at]?.endsWith('\r') === true ? '\r' : '';
      const way = random.below(8);
      if (way === 0) lines.splice(at, 1);
      else if (way === 1) lines.splice(at, 0, `added ${this.next()}${end}`);
      else if (way === 2) lines.splice(at, 1, `caf\xe9 ${this.next()}${end}`);
      else lines.splice(at, 1, `changed ${this.next()}${end}`);
    }
    const text = lines.join('\n');
    return random.below(12) === 0 ? text.replace(/\r?\n$/, '') : text;
  }

  #remove(name: string): string {
    for (const folder of this.#folders) if (folder.stat(name) !== undefined) fs.rmSync(folder.at(name), { recursive: true });
    return `remove ${JSON.stringify(name)}`;
  }

  #rename(from: string, to: string): string {
    if (from === to || !this.#has(from) || this.#has(to) || to.startsWith(`${from}/`)) return this.write('a.txt', this.#edited('a.txt'));
    if (foldersOf(to).some((above) => this.#has(above) && !this.#isFolder(above))) return this.#remove(from);
    for (const folder of this.#folders) {
      fs.mkdirSync(parent(folder, to), { recursive: true });
      fs.renameSync(folder.at(from), folder.at(to));
    }
    return `rename ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
  }

  #chmod(name: string): string {
    if (this.first.content(name) === undefined) return this.write(name, this.fresh(name));
    for (const folder of this.#folders) fs.chmodSync(folder.at(name), (fs.statSync(folder.at(name)).mode & 0o111) === 0 ? 0o755 : 0o644);
    return `chmod ${JSON.stringify(name)}`;
  }

  #link(name: string): string {
    const target = this.#random.of(['a.txt', 'nowhere', 'dir', '..']);
    this.write(name, '');
    for (const folder of this.#folders) {
      fs.rmSync(folder.at(name));
      fs.symlinkSync(target, folder.at(name));
    }
    return `link ${JSON.stringify(name)} to ${target}`;
  }

  #folder(name: string): string {
    for (const folder of this.#folders) fs.mkdirSync(folder.at(name), { recursive: true });
    return `folder ${name}`;
  }

  /** A repository inside, or another commit of it. */
  #nested(): string {
    const { first } = this;
    if (!this.#has(`${nestedName}/.git`)) {
      this.#remove(nestedName);
      for (const folder of this.#folders) folder.git(['init', '-q', nestedName]);
    }
    this.write(`${nestedName}/inside`, `${this.next()}\n`);
    for (const folder of this.#folders) {
      folder.git(['-C', nestedName, 'add', 'inside']);
      folder.git(['-C', nestedName, 'commit', '-qm', `inside ${this.#number}`]);
    }
    return `a commit in ${nestedName} of ${first.root}`;
  }

  #has(name: string): boolean {
    return this.first.stat(name) !== undefined;
  }

  #isFolder(name: string): boolean {
    return this.first.stat(name)?.isDirectory() === true;
  }
}

function parent(folder: GitFolder, name: string): Buffer {
  const cut = name.lastIndexOf('/');
  return folder.at(cut < 0 ? '' : name.slice(0, cut));
}

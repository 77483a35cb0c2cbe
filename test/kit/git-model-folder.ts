// A repository that the program git is asked about and told to do things in, byte for byte: names and contents are latin1 here, one character a byte.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export interface Ran {
  ok: boolean;
  /** It stopped, with files in conflict. */
  conflicts?: boolean;
  stdout: Buffer;
  /** Of both outputs. */
  said: string;
}

export interface Asking {
  input?: string | Buffer;
  env?: Readonly<Record<string, string>>;
}

/** A record of `git status --porcelain=v2 -z`. */
export interface Entry {
  kind: '1' | '2' | 'u' | '?' | '!';
  xy: string;
  submodule: boolean;
  path: string;
  from?: string;
}

/** All that is the same in both folders at rest. */
export interface GitState {
  head: string;
  refs: string;
  config: string;
  index: string;
  stashes: string;
  underWay: Record<string, string>;
  files: Record<string, string>;
}

/** By themselves. */
const usesPatterns = new Set(['stash', 'submodule']);

const underWayFiles = [
  ...['MERGE_HEAD', 'MERGE_MSG', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'SQUASH_MSG', 'sequencer/todo', 'rebase-apply'],
  ...['head-name', 'onto', 'orig-head', 'msgnum', 'end', 'stopped-sha', 'message'].map((name) => `rebase-merge/${name}`),
];

export class GitFolder {
  readonly root: string;
  readonly #env: Readonly<Record<string, string>>;
  #kept = 0;

  constructor(root: string, env: Readonly<Record<string, string>>) {
    this.root = root;
    this.#env = env;
  }

  /** Names of paths are literal, but where git uses patterns by itself. */
  try(args: readonly string[], { input = '', env = {} }: Asking = {}): Ran {
    const { status, stdout, stderr, error } = spawnSync('git', ['-c', 'core.quotepath=off', ...args], {
      cwd: this.root,
      input,
      env: { ...this.#env, ...(usesPatterns.has(args[0] ?? '') ? {} : { GIT_LITERAL_PATHSPECS: '1' }), ...env },
      maxBuffer: 1 << 28,
    });
    // One that fails early reads no input.
    if (error !== undefined && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    return { ok: status === 0, stdout, said: `${stderr.toString()}\n${stdout.toString()}` };
  }

  git(args: readonly string[], asking: Asking = {}): Buffer {
    const { ok, stdout, said } = this.try(args, asking);
    if (!ok) throw new Error(`git ${args.join(' ')}: ${said}`);
    return stdout;
  }

  /** Without the last line feed. */
  line(...args: string[]): string {
    return this.git(args).toString().replace(/\n$/, '');
  }

  /** What is between NULs, by their bytes. */
  list(...args: string[]): string[] {
    return this.git(args).toString('latin1').split('\0').slice(0, -1);
  }

  status(ignored = false): Entry[] {
    const words = this.list(
      ...['status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignore-submodules=dirty'],
      `--ignored=${ignored ? 'matching' : 'no'}`,
    );
    const entries: Entry[] = [];
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? '';
      const kind = word[0] as Entry['kind'];
      if (kind === '?' || kind === '!') {
        entries.push({ kind, xy: kind + kind, submodule: false, path: word.slice(2) });
        continue;
      }
      const fields = word.split(' ');
      const entry: Entry = {
        kind,
        xy: fields[1] ?? '',
        submodule: fields[2]?.startsWith('S') === true,
        path: fields.slice({ '1': 8, '2': 9, u: 10 }[kind]).join(' '),
      };
      if (kind === '2') entry.from = words[++at] ?? '';
      entries.push(entry);
    }
    return entries;
  }

  get unmerged(): string[] {
    return [...new Set(this.list('ls-files', '-u', '-z').map((record) => record.slice(record.indexOf('\t') + 1)))];
  }

  get branch(): string | null {
    const { ok, stdout } = this.try(['symbolic-ref', '--quiet', 'HEAD']);
    return ok ? stdout.toString().trim().replace('refs/heads/', '') : null;
  }

  get head(): string | null {
    return this.commit('HEAD');
  }

  commit(revision: string): string | null {
    const { ok, stdout } = this.try(['rev-parse', '--verify', '--quiet', `${revision}^{commit}`]);
    return ok ? stdout.toString().trim() : null;
  }

  refs(...patterns: string[]): string[] {
    return this.line('for-each-ref', '--format=%(refname)', ...patterns)
      .split('\n')
      .filter(Boolean);
  }

  get stashes(): string[] {
    return this.line('stash', 'list', '--format=%H').split('\n').filter(Boolean);
  }

  /** What is under way, of what joins commits. */
  get doing(): 'merge' | 'rebase' | 'cherry-pick' | 'revert' | undefined {
    const has = (name: string): boolean => fs.existsSync(path.join(this.root, '.git', name));
    if (has('rebase-merge') || has('rebase-apply')) return 'rebase';
    if (has('MERGE_HEAD')) return 'merge';
    if (has('CHERRY_PICK_HEAD')) return 'cherry-pick';
    if (has('REVERT_HEAD')) return 'revert';
    // Of several commits, one that was refused has no mark of its own.
    const [next] = (this.gitFile('sequencer/todo') ?? '').split(' ');
    return next === 'pick' ? 'cherry-pick' : next === 'revert' ? 'revert' : undefined;
  }

  gitFile(name: string): string | undefined {
    const file = path.join(this.root, '.git', name);
    return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true ? fs.readFileSync(file, 'utf8') : undefined;
  }

  state(): GitState {
    const underWay = underWayFiles.map((name) => [name, this.gitFile(name)] as const);
    const config = this.list('config', '--local', '--list', '-z').filter((line) => !/^remote\.[^\n]*url\n/.test(line));
    return {
      head: this.gitFile('HEAD') ?? '',
      refs: this.line('for-each-ref', '--format=%(refname) %(objectname) %(symref)'),
      config: config.toSorted().join('\n'),
      index: this.list('ls-files', '--stage', '-z').join('\n'),
      stashes: this.line('stash', 'list', '--format=%H %gs'),
      underWay: Object.fromEntries(underWay.filter((one): one is [string, string] => one[1] !== undefined)),
      files: this.files(),
    };
  }

  /** What stands in the folder, but in folders of git. */
  files(): Record<string, string> {
    const found: Record<string, string> = {};
    const walk = (folder: Buffer, below: string): void => {
      for (const entry of fs.readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
        const name = below + entry.name.toString('latin1');
        if (entry.name.toString() === '.git') continue;
        const at = Buffer.concat([folder, Buffer.from('/'), entry.name]);
        if (entry.isSymbolicLink()) found[name] = `link ${fs.readlinkSync(at, 'buffer').toString('latin1')}`;
        else if (entry.isDirectory()) {
          found[name] = 'folder';
          walk(at, `${name}/`);
        } else found[name] = `${(fs.lstatSync(at).mode & 0o777).toString(8)} ${hashOf(fs.readFileSync(at))}`;
      }
    };
    walk(Buffer.from(this.root), '');
    return found;
  }

  /** Of a file, by its bytes; undefined for what is none. */
  content(name: string): string | undefined {
    return this.stat(name)?.isFile() === true ? fs.readFileSync(this.at(name)).toString('latin1') : undefined;
  }

  /** Of what stands there; undefined where nothing does, or above it no folder. */
  stat(name: string): fs.Stats | undefined {
    try {
      return fs.lstatSync(this.at(name), { throwIfNoEntry: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  at(name: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.root}/`), Buffer.from(name, 'latin1')]);
  }

  /** Whether a link stands on the way to it. */
  isBeyondLink(name: string): boolean {
    return foldersOf(name).some((folder) => this.stat(folder)?.isSymbolicLink() === true);
  }

  /** A copy beside it, to come back to. */
  keep(): { restore: () => void; drop: () => void } {
    const beside = `${this.root}.kept${++this.#kept}`;
    execFileSync('cp', ['-a', this.root, beside]);
    return {
      restore: () => {
        fs.rmSync(this.root, { recursive: true, force: true });
        fs.renameSync(beside, this.root);
      },
      drop: () => fs.rmSync(beside, { recursive: true, force: true }),
    };
  }
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export function foldersOf(name: string): string[] {
  return [...name.matchAll(/\//g)].map(({ index }) => name.slice(0, index));
}

/** As the sidecar shows a name: UTF-8, else with bytes that are none as \xNN. */
export function shown(name: string): string {
  const bytes = Buffer.from(name, 'latin1');
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return text;
  // Of the names here only single bytes are no UTF-8.
  return name.replaceAll(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}

/** The name that a text stands for, by its bytes. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

export function isBelow(name: string, folder: string): boolean {
  return name === folder || name.startsWith(`${folder}/`);
}

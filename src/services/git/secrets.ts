// What is looked at before the work tree changes as a whole, where secrets of the sidecar itself lie in it.

import { OutriggerError } from '../../contract/errors.ts';
import { splitNul } from '../../core/split-nul.ts';
import { type Git, MAX_LIST_BYTES, type Repository, type Settings } from './git.ts';
import { parentAndCommit } from './hunks.ts';

/** Of each: throws ACCESS_DENIED where it would put, change or take away what lies in a secret's place. Where there is none, no program is started. */
export class SecretGuard {
  readonly #git: Git;
  readonly #repository: Repository;
  readonly #action: string;
  readonly #signal: AbortSignal | undefined;

  constructor(git: Git, repository: Repository, action: string, signal: AbortSignal | undefined) {
    this.#git = git;
    this.#repository = repository;
    this.#action = action;
    this.#signal = signal;
  }

  /** Nothing has to be looked at. */
  get idle(): boolean {
    return this.#git.guarded.length === 0;
  }

  /** From one commit or tree to another, of which git does all that differs. */
  async step(from: string, to: string): Promise<void> {
    if (this.idle) return;
    this.#refuse(await this.#read(['diff-tree', '-r', '-z', '--name-only', '--no-renames', from, to, '--', ...this.#tops]));
  }

  /** From HEAD to what git may take the name of a branch or commit for. */
  async checkout(to: string, changes: 'keep' | 'stash' | 'discard'): Promise<void> {
    if (this.idle) return;
    const head = await this.#git.treeish(this.#repository, 'HEAD', this.#signal);
    for (const target of await this.#meantBy(to)) {
      await this.step(head, target);
      if (changes === 'discard') await this.overwriting(target);
    }
  }

  /** Files are made what they are in `target`, whatever was changed. */
  async overwriting(target: string): Promise<void> {
    if (this.idle) return;
    const safely = ['--no-ext-diff', '--no-textconv', '--ignore-submodules=dirty'];
    // Files whose times alone are others are none of them.
    const looking = ['-c', 'diff.autoRefreshIndex=true', 'diff'];
    this.#refuse(await this.#read([...looking, '--name-only', '-z', '--no-renames', ...safely, target, '--', ...this.#tops]));
  }

  /** Another line of commits comes to HEAD. */
  async merging(from: string): Promise<void> {
    if (this.idle) return;
    const isBorn = (await this.#git.head(this.#repository, this.#signal)) !== undefined;
    const bases = isBorn ? this.#read(['merge-base', '--all', 'HEAD', from], [0, 1]) : this.#git.emptyTree(this.#repository, this.#signal);
    for (const base of (await bases).toString().trim().split('\n').filter(Boolean)) await this.#joining(base, from);
  }

  /** The commits since `onto` are put on it. */
  async replaying(onto: string, commits = 'HEAD'): Promise<void> {
    if (this.idle) return;
    await this.step('HEAD', onto);
    const how = ['--format=', '--name-only', '-z', '-m', '--no-renames', '--no-show-signature', '--no-ext-diff', '--full-history'];
    this.#refuse(await this.#read(['log', ...how, `${onto}..${commits}`, '--', ...this.#tops]));
  }

  /** What a commit did is done, or taken back. */
  async applying(commit: string): Promise<void> {
    if (this.idle) return;
    const { from, to } = await parentAndCommit(this.#git, this.#repository, commit, this.#signal);
    await this.#joining(from, to);
  }

  /** What a stash holds comes back: what was changed, and the files that git did not know. */
  async unstashing(name: string): Promise<void> {
    if (this.idle) return;
    await this.#joining(`${name}^1`, name);
    const untracked = await this.#commit(`${name}^3`);
    if (untracked !== undefined) await this.step(await this.#git.emptyTree(this.#repository, this.#signal), untracked);
  }

  /** For a command that joins: a folder that the one side renamed does not take new files of the other along, which would lie in places that neither side has. */
  get settings(): Settings {
    return this.idle ? [] : [['merge.directoryRenames', 'false']];
  }

  /** What differs between two commits comes to HEAD. A file that came to a secret's place since the first may have been another there, of which it would take changes. */
  async #joining(base: string, other: string): Promise<void> {
    await this.step(base, other);
    const tracked = await this.#read(['ls-files', '-z', '--', ...this.#git.guarded]);
    if (tracked.length > 0) await this.step(base, 'HEAD');
  }

  /** The first folders on the way to each; whoever is in the way of one is seen as well. */
  get #tops(): string[] {
    return [...new Set(this.#git.guarded.map((path) => path.split('/', 1)[0] ?? path))];
  }

  /** A branch comes before a tag of the same name, and one of a remote where there is neither. */
  async #meantBy(name: string): Promise<string[]> {
    if (name === 'HEAD') return [await this.#git.treeish(this.#repository, name, this.#signal)];
    const found = [await this.#commit(name), await this.#commit(`refs/heads/${name}`)].filter((one) => one !== undefined);
    if (found.length > 0) return found;
    const remote = await this.#read(['for-each-ref', '--format=%(objectname)', `refs/remotes/**/${name}`]);
    if (remote.length > 0) return remote.toString().trim().split('\n');
    throw new OutriggerError('GIT_FAILED', `${this.#action}: there is no branch or commit ${name}.`);
  }

  async #commit(revision: string): Promise<string | undefined> {
    const line = await this.#read(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], [0, 1, 128]);
    return line.toString().trim().split('\n').at(-1) || undefined;
  }

  async #read(args: readonly string[], exits: readonly number[] = [0]): Promise<Buffer> {
    const running = { signal: this.#signal, maxOutputBytes: MAX_LIST_BYTES };
    const { stdout, omittedBytes } = await this.#git.read(this.#action, this.#repository, args, running, exits);
    if (omittedBytes > 0) throw new OutriggerError('GIT_FAILED', `${this.#action}: too many files differ to be looked through.`);
    return stdout;
  }

  /** By the names of what differs, NUL after each. */
  #refuse(names: Buffer): void {
    for (const bytes of splitNul(names)) {
      const name = Buffer.from(bytes).toString().replace(/^\n/, '');
      const secret = this.#git.guarded.find((one) => one === name || one.startsWith(`${name}/`) || name.startsWith(`${one}/`));
      if (secret === undefined || name === '') continue;
      throw new OutriggerError(
        'ACCESS_DENIED',
        `${this.#action}: ${secret} holds a secret of the sidecar itself, and this would change what lies there: that needs admin access. Where git tracks it, \`git rm --cached\` it and name it in .gitignore, or keep it outside of the folder.`,
        { details: { path: secret } },
      );
    }
  }
}

// The repositories as they begin, and what people do beside the sidecar: git by hand, hooks, and a colleague who pushes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { type GitEdits, fileNames, rawName } from './git-model-edits.ts';
import { GitFolder } from './git-model-folder.ts';
import { branchNames } from './git-model-joins.ts';
import type { Random } from './random.ts';

const hooks = {
  refuse: '#!/bin/sh\necho no by the hook >&2\nexit 1\n',
  format: '#!/bin/sh\nprintf "formatted\\n" >> formatted.txt\ngit add formatted.txt\n',
};

export class OutsideGit {
  readonly #random: Random;
  readonly #folders: readonly GitFolder[];
  readonly #edits: GitEdits;
  /** Beside the two folders. */
  readonly #beside: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #remotes: readonly GitFolder[];
  #at = 1_767_000_000;
  #hooked: keyof typeof hooks | undefined;

  constructor(random: Random, folders: readonly GitFolder[], edits: GitEdits, beside: string, env: Readonly<Record<string, string>>) {
    this.#random = random;
    this.#folders = folders;
    this.#edits = edits;
    this.#beside = beside;
    this.#env = env;
    this.#remotes = folders.map(({ root }) => new GitFolder(`${root}.git`, env));
  }

  begin(): void {
    for (const [at, folder] of this.#folders.entries()) {
      folder.git(['init', '-q']);
      const { root } = this.#remotes[at] as GitFolder;
      folder.git(['init', '-q', '--bare', root]);
      folder.git(['remote', 'add', 'origin', `file://${root}`]);
    }
    this.#edits.write('.gitattributes', '*.eol text eol=crlf\n');
    for (const name of [...fileNames, rawName]) this.#edits.write(name, this.#edits.fresh(name));
    this.#save('one');
    this.#edits.write('a.txt', this.#edits.fresh('a.txt').replace('line 11 ', 'line eleven '));
    this.#save('two');
    this.#both(['checkout', '-qb', 'other']);
    this.#edits.write('a.txt', this.#edits.fresh('a.txt').replace('line 12 ', 'line of other '));
    this.#edits.write('of other', 'other\n');
    this.#save('of other');
    this.#both(['checkout', '-q', 'main']);
    this.#edits.write('a.txt', this.#edits.fresh('a.txt').replace('line 12 ', 'line of main '));
    this.#save('of main');
    this.#both(['branch', 'feature/one', 'HEAD~1']);
    this.#both(['push', '-q', '-u', 'origin', 'main']);
    this.#both(['push', '-q', 'origin', 'other']);
    const library = path.join(this.#beside, 'library');
    const [first] = this.#folders;
    first?.git(['init', '-q', library]);
    first?.git(['-C', library, 'commit', '-q', '--allow-empty', '-m', 'a library']);
    first?.git(['clone', '-q', `${first.root}.git`, path.join(this.#beside, 'colleague')]);
  }

  /** What the two other repositories have. */
  get remotes(): string[] {
    return this.#remotes.map((folder) => folder.line('for-each-ref', '--format=%(refname) %(objectname)'));
  }

  step(): string {
    const random = this.#random;
    // One that refuses all keeps too much from being tried.
    if (this.#hooked === 'refuse' && random.below(2) === 0) return this.#hook(undefined);
    const name = random.of(fileNames);
    const text = Buffer.from(name, 'latin1').toString();
    const branch = random.of(branchNames);
    switch (random.below(24)) {
      case 0:
      case 1:
        return this.#hook(random.of([undefined, undefined, 'refuse', 'format'] as const));
      case 2:
      case 3:
      case 4:
        return this.#colleague(random.of(['main', 'other', 'of-remote']));
      case 5:
        return this.#both(['submodule', 'add', '-q', `file://${path.join(this.#beside, 'library')}`, 'sub'], true);
      case 6:
        return this.#both(['config', 'merge.conflictStyle', random.of(['merge', 'diff3', 'zdiff3'])], true);
      case 7:
        return this.#both(['add', '--intent-to-add', '-A'], true);
      default:
        return this.#both(
          random.of([
            ['add', '-A'],
            ['add', '--', text],
            ['rm', '-q', '--cached', '--', text],
            ['mv', '--', text, `moved ${this.#edits.next()}`],
            ['update-index', '--chmod=+x', '--', text],
            ['commit', '-qam', 'by hand'],
            ['commit', '-q', '--allow-empty', '-m', 'nothing'],
            ['checkout', '-q', branch, '--'],
            ['checkout', '-q', '--detach'],
            ['merge', '-q', '--no-edit', branch],
            ['merge', '-q', '--squash', branch],
            ['rebase', '-q', branch],
            ['cherry-pick', branch],
            ['cherry-pick', `${branch}~1`, branch],
            ['revert', '--no-edit', 'HEAD'],
            ['stash', '-q'],
            ['stash', 'pop', '-q'],
            ['reset', '-q', '--', text],
            ['branch', '-q', 'topic'],
            ['branch', '-q', `--set-upstream-to=origin/${branch}`],
            ['tag', '-f', 'v1'],
            ['restore', '--', text],
          ]),
          true,
        );
    }
  }

  #hook(kind: keyof typeof hooks | undefined): string {
    this.#hooked = kind;
    for (const { root } of this.#folders) {
      const file = path.join(root, '.git/hooks/pre-commit');
      fs.rmSync(file, { force: true });
      if (kind !== undefined) fs.writeFileSync(file, hooks[kind], { mode: 0o755 });
    }
    return `hook: ${kind ?? 'none'}`;
  }

  /** Somebody else's commit comes to both. */
  #colleague(branch: string): string {
    const colleague = new GitFolder(path.join(this.#beside, 'colleague'), { ...this.#env, ...this.#now() });
    const to = this.#remotes.map(({ root }) => root);
    const base = colleague.try(['fetch', '-q', to[0] ?? '', branch]).ok ? 'FETCH_HEAD' : 'origin/main';
    colleague.git(['checkout', '-qf', '--detach', base]);
    const name = this.#random.of(['a.txt', 'b.txt', 'of colleague']);
    fs.writeFileSync(colleague.at(name), `${colleague.content(name) ?? ''}colleague ${this.#edits.next()}\n`, 'latin1');
    colleague.git(['add', '--', name]);
    colleague.git(['commit', '-qm', `a colleague in ${branch}`]);
    for (const url of to) colleague.git(['push', '-q', '--force', url, `HEAD:refs/heads/${branch}`]);
    return `a colleague pushes to ${branch}`;
  }

  #save(message: string): void {
    this.#both(['add', '-A']);
    this.#both(['commit', '-qm', message]);
  }

  #now(): Record<string, string> {
    // Some are younger than those of the sidecar, and some of the same second.
    this.#at += this.#random.of([0, 60, 7200, 36_000]);
    return { GIT_AUTHOR_DATE: `${this.#at} +0200`, GIT_COMMITTER_DATE: `${this.#at} +0200` };
  }

  /** Says what was done; where it `mayFail`, in both alike. */
  #both(args: readonly string[], mayFail = false): string {
    const isPattern = args[0] === 'submodule' || args.includes('-A');
    const env = { ...this.#now(), ...(isPattern ? { GIT_LITERAL_PATHSPECS: '0' } : {}) };
    const [one, other] = this.#folders.map((folder) => folder.try(args, { env }));
    assert.equal(one?.ok, other?.ok, `git ${args.join(' ')}: ${one?.said}\n${other?.said}`);
    assert.ok(mayFail || one?.ok, `git ${args.join(' ')}: ${one?.said}`);
    return `outside: git ${args.map((arg) => JSON.stringify(arg)).join(' ')}${one?.ok === true ? '' : `: ${one?.said.trim().slice(0, 200)}`}`;
  }
}

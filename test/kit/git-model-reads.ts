// What the operations that read say, beside what the program git says of the twin.
import assert from 'node:assert/strict';
import type { ErrorReason } from '../../src/contract/errors.ts';
import type { Answer, Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { branchNames, kindOf } from './git-model-joins.ts';
import { type Entry, type GitFolder, shown } from './git-model-folder.ts';
import { fileNames } from './git-model-edits.ts';
import { assertHunks, countsOf, factsOf, isRaw, patchFiles, stateOf, utf8 } from './git-model-patches.ts';
import type { Name } from './git-model-steps.ts';
import type { Random } from './random.ts';

/** Undefined where the operation was refused, as only one may be that is said to. */
type Call = <K extends Name>(name: K, input: Asked<Operations[K]>, refused?: ErrorReason) => Promise<Answer<Operations[K]> | undefined>;

export class GitReads {
  readonly #twin: GitFolder;
  readonly #random: Random;
  readonly #call: Call;

  constructor(twin: GitFolder, random: Random, call: Call) {
    this.#twin = twin;
    this.#random = random;
    this.#call = call;
  }

  async status(): Promise<void> {
    const ignored = this.#random.below(2) === 0;
    const said = await this.#call('git.status', { ignored });
    const twin = this.#twin;
    const head = twin.head;
    const entries = twin.status(ignored);
    const upstream = twin.try(['rev-parse', '--abbrev-ref', '@{upstream}']);
    const counts = upstream.ok ? twin.line('rev-list', '--left-right', '--count', 'HEAD...@{upstream}').split('\t').map(Number) : [];
    const { changes = [], conflicts = [], underWay, doing, upstream: told, ahead, behind, ...rest } = said ?? {};
    assert.deepEqual(rest, {
      repository: true,
      branch: twin.branch,
      head,
      stashes: twin.stashes.length,
      truncated: false,
    });
    assert.equal(doing, twin.doing);
    if (upstream.ok) assert.deepEqual([told, ahead, behind], [upstream.stdout.toString().trim(), ...counts]);
    else assert.deepEqual([ahead, behind], [undefined, undefined]);
    assert.deepEqual(changes, entries.map(changeOf));
    assert.deepEqual(
      conflicts,
      entries.flatMap(({ kind, path, xy }) => (kind === 'u' ? [{ path: shown(path), kind: kindOf(xy) }] : [])),
    );
    assert.deepEqual(underWay === undefined ? undefined : { ...underWay, message: undefined }, this.#underWay());
    if (underWay?.message !== undefined) {
      const text = twin.gitFile('MERGE_MSG')?.trim() ?? '';
      assert.ok(text.startsWith(underWay.message), `${underWay.message} is told, and git has ${text}`);
    }
  }

  #underWay(): object | undefined {
    const twin = this.#twin;
    const { doing } = twin;
    if (doing === undefined) return undefined;
    const line = (name: string): string | undefined => twin.gitFile(name)?.trim();
    const lines = (name: string): string[] => line(name)?.split('\n') ?? [];
    if (doing !== 'rebase') {
      const head = { merge: 'MERGE_HEAD', 'cherry-pick': 'CHERRY_PICK_HEAD', revert: 'REVERT_HEAD' }[doing];
      return { heads: lines(head), message: undefined };
    }
    const name = line('rebase-merge/head-name') ?? '';
    return {
      heads: twin.gitFile('rebase-merge/stopped-sha') === undefined ? lines('REBASE_HEAD') : lines('rebase-merge/stopped-sha'),
      ...(name.startsWith('refs/heads/') ? { branch: name.slice('refs/heads/'.length) } : {}),
      onto: line('rebase-merge/onto'),
      step: Number(line('rebase-merge/msgnum')),
      steps: Number(line('rebase-merge/end')),
      message: undefined,
    };
  }

  /** One of the others. */
  async some(): Promise<void> {
    const readers = [
      this.#diff,
      this.#hunks,
      this.#hunks,
      this.#log,
      this.#info,
      this.#show,
      this.#blame,
      this.#branches,
      this.#tags,
      this.#stashes,
      this.#remotes,
    ];
    await this.#random.of(readers).call(this);
  }

  get #revision(): string {
    return this.#random.of(['HEAD', 'HEAD~1', 'HEAD~2', ...branchNames, 'v1', 'v2', 'origin/main', 'stash@{0}', 'missing']);
  }

  get #name(): string {
    return this.#random.of([...fileNames, 'dir', 'moved/c.txt', 'new 1', 'missing', 'nested']);
  }

  /** What is compared, as the operations and as git have it; undefined: there is no such revision. */
  #compared(): { input: { staged?: boolean; from?: string; to?: string }; args: string[]; isWorkTree: boolean } | undefined {
    const kind = this.#random.below(4);
    if (kind === 0) return { input: {}, args: [], isWorkTree: true };
    if (kind === 1) return { input: { staged: true }, args: ['--cached'], isWorkTree: false };
    const revisions = [this.#revision, ...(kind === 2 ? [] : [this.#revision])];
    const hashes = revisions.map((revision) => this.#twin.commit(revision));
    const [from = '', to] = revisions;
    const input = { from, ...(to === undefined ? {} : { to }) };
    return hashes.some((hash) => hash === null) ? undefined : { input, args: hashes as string[], isWorkTree: false };
  }

  async #diff(): Promise<void> {
    const compared = this.#compared();
    const path = this.#random.below(2) === 0 ? this.#name : undefined;
    const context = this.#random.of([0, 1, 3, 10]);
    if (compared === undefined) return;
    const said = await this.#call('git.diff', { ...compared.input, context, ...(path === undefined ? {} : { path: shown(path) }) });
    const args = ['diff', `--unified=${context}`, '--ignore-submodules=dirty', ...compared.args, '--'];
    const patch = this.#twin.git([...args, ...(path === undefined ? [] : [shown(path)])]).toString();
    assert.deepEqual(said, { diff: patch, truncated: false, omittedBytes: 0 });
  }

  async #hunks(): Promise<void> {
    const twin = this.#twin;
    if (this.#random.below(3) === 0) {
      const commit = this.#revision;
      const hash = twin.commit(commit);
      if (hash === null) return;
      const said = await this.#call('git.hunks', { commit });
      return assertHunks(said, patchFiles(twin, ['-r', '--root', '--no-commit-id', '--first-parent', hash], ['show', '--format=', '-m']));
    }
    const compared = this.#compared();
    if (compared === undefined) return;
    const untracked = compared.isWorkTree && this.#random.below(2) === 0;
    const said = await this.#call('git.hunks', { ...compared.input, untracked });
    const fresh = said?.files.filter((file) => file.untracked === true) ?? [];
    const known = said === undefined ? said : { ...said, files: said.files.filter((file) => file.untracked !== true) };
    // A file in conflict has two records in git's list: that of the conflict, and that of our side.
    assertHunks(known, patchFiles(twin, [...(compared.isWorkTree ? ['--ours'] : []), ...compared.args]));
    if (!untracked) return assert.equal(fresh.length, 0);
    const others = twin.list('ls-files', '--others', '--exclude-standard', '-z').filter((name) => !name.endsWith('/'));
    assert.deepEqual(
      fresh.map(({ path }) => path),
      others.map(shown),
    );
    for (const [at, { hunks, added, binary }] of fresh.entries()) {
      const content = twin.content(others[at] ?? '');
      if (content === undefined || binary) continue;
      assert.equal(
        hunks.flatMap(({ lines }) => lines.map(({ text, noNewline }) => text + (noNewline === true ? '' : '\n'))).join(''),
        utf8(content),
      );
      assert.equal(added, content === '' ? 0 : content.replace(/\n$/, '').split('\n').length);
    }
  }

  async #log(): Promise<void> {
    const [count, skip] = [this.#random.of([1, 2, 5, 100]), this.#random.of([0, 0, 1, 3])];
    const from = this.#random.below(2) === 0 ? this.#revision : undefined;
    const path = this.#random.below(3) === 0 ? shown(this.#name) : undefined;
    const hash = this.#twin.commit(from ?? 'HEAD');
    if (hash === null) return;
    const said = await this.#call('git.log', {
      count,
      skip,
      ...(from === undefined ? {} : { from }),
      ...(path === undefined ? {} : { path }),
    });
    const all = this.#commits(hash, '--', ...(path === undefined ? [] : [path]));
    assert.deepEqual(said, { commits: all.slice(skip, skip + count), more: all.length > skip + count });
  }

  #commits(...args: string[]) {
    const fields = this.#twin.git(['log', '-z', '--format=%H%x01%P%x01%an%x01%ae%x01%at%x01%D%x01%s%x01%b', ...args]).toString();
    return fields
      .split('\0')
      .filter(Boolean)
      .map((record) => {
        const [hash = '', parents = '', name = '', email = '', at = '', refs = '', subject = '', body = ''] = record.split('\x01');
        return {
          hash,
          parents: parents.split(' ').filter(Boolean),
          author: { name, email },
          at: Number(at) * 1000,
          subject,
          body: body.trimEnd(),
          refs: refs.split(', ').filter(Boolean),
        };
      });
  }

  async #info(): Promise<void> {
    const twin = this.#twin;
    const revision = this.#revision;
    const hash = twin.commit(revision);
    if (hash === null) return;
    const said = await this.#call('git.commitInfo', { revision });
    const [commit] = this.#commits('--max-count=1', hash);
    assert.deepEqual(said?.commit, commit);
    const [name = '', email = '', at = ''] = twin.line('log', '-1', '--format=%cn%x01%ce%x01%ct', hash).split('\x01');
    assert.deepEqual(said?.committer, { name, email, at: Number(at) * 1000 });
    const files = patchFiles(twin, ['-r', '--root', '--first-parent', hash], ['show', '--format=', '-m']);
    assert.deepEqual(
      said?.files.map(({ added, removed, ...file }) => (file.status === 'type-changed' ? file : { ...file, added, removed })),
      files.map((file) => {
        const counts = file.binary ? { added: null, removed: null } : countsOf(file);
        return { ...factsOf(file), ...(file.status === 'T' ? {} : counts) };
      }),
    );
  }

  async #show(): Promise<void> {
    const twin = this.#twin;
    const [name, revision] = [this.#name, this.#random.of([this.#revision, ':', ':2'])];
    const staged = revision.startsWith(':');
    if (!staged && twin.commit(revision) === null) return;
    const spec = staged ? `:${revision === ':' ? '0' : '2'}:${shown(name)}` : `${twin.commit(revision)}:${shown(name)}`;
    const type = twin.try(['cat-file', '-t', spec]);
    // Of a folder or a repository inside it is refused.
    if (type.ok && type.stdout.toString().trim() !== 'blob') return;
    if (!staged && twin.try(['ls-tree', twin.commit(revision) ?? '', '--', shown(name)]).said.includes('160000')) return;
    const entry = `${revision === ':' ? '0' : '2'}\t${name}`;
    if (staged && twin.list('ls-files', '--stage', '-z').some((one) => one.startsWith('160000 ') && one.endsWith(` ${entry}`))) return;
    const said = await this.#call('git.show', { path: shown(name), revision });
    if (!type.ok) return assert.deepEqual(said, { exists: false, text: '', binary: false, size: 0 });
    const bytes = twin.git(['cat-file', 'blob', spec]);
    const binary = bytes.includes(0) || !Buffer.from(bytes.toString()).equals(bytes);
    assert.deepEqual(said, { exists: true, text: binary ? '' : bytes.toString(), binary, size: bytes.length });
  }

  async #blame(): Promise<void> {
    const twin = this.#twin;
    const revision = this.#random.below(2) === 0 ? this.#revision : undefined;
    const path = shown(this.#name);
    if (revision !== undefined && twin.commit(revision) === null) return;
    const asked = twin.try(['blame', '--line-porcelain', ...(revision === undefined ? [] : [revision]), '--', path]);
    const refused = asked.ok ? undefined : asked.said.includes('unsupported file type') ? 'GIT_FAILED' : 'FILE_NOT_FOUND';
    const said = await this.#call('git.blame', { path, ...(revision === undefined ? {} : { revision }) }, refused);
    if (said === undefined) return;
    const lines = blameBlocks(asked.stdout.toString('latin1')).map((block) => {
      const [, hash = '', original = ''] = /^([\da-f]{40}) (\d+)/.exec(block) ?? [];
      const fact = (name: string): string => utf8(new RegExp(`^${name} (.*)$`, 'm').exec(block)?.[1] ?? '');
      const isMade = !/^0+$/.test(hash);
      if (isMade)
        assert.deepEqual(said.commits[hash], {
          author: { name: fact('author'), email: fact('author-mail').slice(1, -1) },
          at: Number(fact('author-time')) * 1000,
          subject: fact('summary'),
        });
      return `${isMade ? hash : null} ${original}`;
    });
    assert.deepEqual(
      said.runs.flatMap(({ lines: count, hash, originalStart }) =>
        Array.from({ length: count }, (_, at) => `${hash} ${originalStart + at}`),
      ),
      lines,
    );
  }

  async #branches(): Promise<void> {
    const said = await this.#call('git.branches', {});
    const fields = ['refname', 'objectname', 'HEAD', 'upstream', 'upstream:track', 'committerdate:unix', 'authorname', 'subject', 'symref'];
    const format = fields.map((field) => `%(${field})`).join('%01');
    const records = this.#twin
      .line('for-each-ref', '--sort=-committerdate', `--format=${format}`, 'refs/heads', 'refs/remotes')
      .split('\n');
    const short = (ref = ''): string => ref.replace(/^refs\/(heads|remotes)\//, '');
    const known = records.flatMap((record) => {
      const [ref = '', hash, head, upstream = '', track = '', at, author, subject, symref] = record.split('\x01');
      if (symref !== '' || ref === '') return [];
      const count = (word: string): number => Number(new RegExp(`${word} (\\d+)`).exec(track)?.[1] ?? 0);
      return [
        {
          name: short(ref),
          remote: ref.startsWith('refs/remotes/'),
          current: head === '*',
          hash,
          ...(upstream === '' ? {} : { upstream: short(upstream) }),
          ...(track === '[gone]' ? { gone: true } : upstream === '' ? {} : { ahead: count('ahead'), behind: count('behind') }),
          at: Number(at) * 1000,
          author,
          subject,
        },
      ];
    });
    assert.deepEqual(said, { current: this.#twin.branch, branches: known, truncated: false });
  }

  async #tags(): Promise<void> {
    const said = await this.#call('git.tags', {});
    const format = '%(refname)%01%(objecttype)%01%(creatordate:unix)%01%(subject)';
    const records = this.#twin.line('for-each-ref', '--sort=-creatordate', `--format=${format}`, 'refs/tags').split('\n').filter(Boolean);
    const known = records.map((record) => {
      const [ref = '', type, at, subject] = record.split('\x01');
      return {
        name: ref.slice('refs/tags/'.length),
        hash: this.#twin.commit(ref),
        at: Number(at) * 1000,
        subject,
        annotated: type === 'tag',
      };
    });
    assert.deepEqual(said, { tags: known, truncated: false });
  }

  async #remotes(): Promise<void> {
    const said = await this.#call('git.remotes', {});
    const names = this.#twin.line('remote').split('\n');
    assert.deepEqual(
      said?.remotes.map(({ name }) => name),
      names,
    );
  }

  async #stashes(): Promise<void> {
    const said = await this.#call('git.stashes', {});
    const records = this.#twin.line('stash', 'list', '--format=%H%x01%ct%x01%gs').split('\n').filter(Boolean);
    const known = records.map((record, at) => {
      const [hash, seconds, subject] = record.split('\x01');
      return { name: `stash@{${at}}`, hash, at: Number(seconds) * 1000, subject };
    });
    assert.deepEqual(said, { stashes: known, truncated: false });
  }
}

/** Of each line: what is told of it, up to itself behind a tab. */
function blameBlocks(text: string): string[] {
  const blocks = [''];
  for (const line of text.split('\n').slice(0, -1)) {
    blocks[blocks.length - 1] += `${line}\n`;
    if (line.startsWith('\t')) blocks.push('');
  }
  return blocks.slice(0, -1);
}

function changeOf({ kind, xy, path, from, submodule }: Entry) {
  const own = { path: shown(path.replace(/\/$/, '')), ...(isRaw(path) ? { raw: true } : {}) };
  if (kind === '?' || kind === '!') return { ...own, staged: null, unstaged: kind === '?' ? 'untracked' : 'ignored' };
  return {
    ...own,
    ...(from === undefined ? {} : { from: shown(from) }),
    ...(submodule ? { submodule: true } : {}),
    staged: kind === 'u' ? 'unmerged' : stateOf(xy[0]),
    unstaged: kind === 'u' ? 'unmerged' : stateOf(xy[1]),
  };
}

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { AskedOnce } from '../asked-once.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';
import type { Toasts } from '../shell/toasts.ts';
import { count } from '../words.ts';
import { type ChangeEntry, namedPaths } from './change-sections.ts';
import type { GitDialog } from './git-dialog.ts';
import { doingName, type GitStore } from './git-store.ts';
import { stoppedAt } from './stopped-at.ts';

export interface GitActionsDependencies {
  client: WorkbenchClient;
  git: GitStore;
  toasts: Toasts;
  /** Shows a dialog over everything; undefined takes it away. */
  ask: (dialog: GitDialog | undefined) => void;
}

export interface CommitWish {
  message: string;
  amend: boolean;
  /** All that changed, not only what is staged. */
  all: boolean;
  /** Those and nobody else. */
  coAuthors: readonly { name: string; email: string }[];
}

/** Of names in a sentence or a dialog. */
const mostFiles = 200;
/** Files that a message gives a reason for. */
const mostSaid = 3;
/** Files that one restore takes. */
const mostRestored = 10_000;
/** Files that are asked about together. */
const atOnce = 16;

/** What a person does with changes, commits and what is under way. Each says what it did, or why it did not; none throws. */
export class GitActions {
  /** Something is being done; what is asked for meanwhile waits its turn. */
  readonly busy: ReadonlySignal<boolean>;
  readonly #deps: GitActionsDependencies;
  readonly #waiting = signal(0);
  /** Paths that are being discarded, and what is being done with single changes. */
  readonly #once = new AskedOnce();
  #last: Promise<unknown> = Promise.resolve();

  constructor(dependencies: GitActionsDependencies) {
    this.#deps = dependencies;
    this.busy = computed(() => this.#waiting.value > 0);
  }

  async init(): Promise<void> {
    await this.#do('No repository was started', async () => {
      const { created, branch } = await this.#deps.client.call('git.init', {});
      this.#deps.toasts.say(created ? 'Started a repository' : 'There is a repository already', {
        text: branch === null ? '' : `On branch ${branch}. The first commit keeps what is here now.`,
      });
    });
  }

  async stage(entries: readonly ChangeEntry[]): Promise<void> {
    const files = namedPaths(entries).map((path) => ({ path }));
    if (files.length === 0) return;
    await this.#do(`Not staged: ${sayFiles(entries)}`, () => this.#deps.client.call('git.stage', { files }));
  }

  async unstage(entries: readonly ChangeEntry[]): Promise<void> {
    const files = namedPaths(entries).map((path) => ({ path }));
    if (files.length === 0) return;
    await this.#do(`Not unstaged: ${sayFiles(entries)}`, () => this.#deps.client.call('git.unstage', { files }));
  }

  /** Of a file in conflict the whole of one side. */
  async takeSide(entry: ChangeEntry, side: 'ours' | 'theirs'): Promise<void> {
    const { client } = this.#deps;
    const files = [{ path: entry.path }];
    const what = sayFiles([entry]);
    const words = {
      before: `Before taking ${side}: ${what}`,
      did: `Took ${side}: ${what}`,
      not: `Not taken: ${what}`,
      ask: `Take ${side} of ${what} for good?`,
      yes: `Take ${side}`,
    };
    await this.#losing(words, what, [entry.path], {
      work: async () => {
        await client.call('git.restore', { files, side });
        await client.call('git.stage', { files });
      },
      unwork: () => this.#backInConflict(entry),
    });
  }

  /** Settles a conflict by there being no file. */
  async removeInConflict(entry: ChangeEntry): Promise<void> {
    const { client } = this.#deps;
    const { path } = entry;
    const what = sayFiles([entry]);
    const words = {
      before: `Before deleting ${what}`,
      did: `Deleted ${what}`,
      not: `Not deleted: ${what}`,
      ask: `Delete ${what} for good?`,
      yes: 'Delete for good',
    };
    await this.#losing(words, what, [path], {
      work: async () => {
        try {
          await client.call('files.remove', { path });
        } catch (error) {
          if (errorFacts(error).reason !== 'FILE_NOT_FOUND') throw error;
        }
        await client.call('git.stage', { files: [{ path }] });
      },
      unwork: () => this.#backInConflict(entry),
    });
  }

  async #backInConflict({ path }: ChangeEntry): Promise<void> {
    try {
      await this.#deps.client.call('git.restore', { files: [{ path }], side: 'both' });
    } catch (error) {
      // The merge is over: what was in the file comes back all the same.
      if (errorFacts(error).reason !== 'GIT_FAILED') throw error;
    }
  }

  async stageHunk(path: string, hunk: string): Promise<void> {
    await this.#once.run([`stage ${hunk}`], () =>
      this.#do(`Not staged: a change in ${nameOf(path)}`, () => this.#deps.client.call('git.stage', { files: [{ path, hunks: [hunk] }] })),
    );
  }

  async unstageHunk(path: string, hunk: string): Promise<void> {
    await this.#once.run([`unstage ${hunk}`], () =>
      this.#do(`Not unstaged: a change in ${nameOf(path)}`, () =>
        this.#deps.client.call('git.unstage', { files: [{ path, hunks: [hunk] }] }),
      ),
    );
  }

  /** What is being discarded already is left to that. */
  async discard(entries: readonly ChangeEntry[]): Promise<void> {
    const left = entries.filter(({ path }) => !this.#once.has(path));
    const known = namedPaths(left.filter(({ letter }) => letter !== 'U'));
    const unknown = namedPaths(left.filter(({ letter }) => letter === 'U'));
    const paths = [...known, ...unknown];
    if (paths.length === 0) return;
    const what = sayFiles(left);
    await this.#once.run(paths, () =>
      this.#discarding(what, paths, async () => {
        const { client } = this.#deps;
        if (known.length > 0) await client.call('git.restore', { files: known.map((path) => ({ path })) });
        for (const path of unknown) await client.call('files.remove', { path, recursive: true });
      }),
    );
  }

  async discardHunk(path: string, hunk: string): Promise<void> {
    const what = `a change in ${nameOf(path)}`;
    await this.#once.run([`discard ${hunk}`], () =>
      this.#discarding(what, [path], () => this.#deps.client.call('git.restore', { files: [{ path, hunks: [hunk] }] })),
    );
  }

  async #discarding(what: string, paths: readonly string[], work: () => Promise<unknown>): Promise<void> {
    const words = {
      before: `Before discarding ${what}`,
      did: `Discarded ${what}`,
      not: `Not discarded: ${what}`,
      ask: `Discard ${what} for good?`,
      yes: 'Discard for good',
    };
    await this.#losing(words, what, paths, { work });
  }

  /** Never asks where a checkpoint can bring all of it back; where none can, it asks. `unwork`: what is undone beside the files. */
  async #losing(
    words: { before: string; did: string; not: string; ask: string; yes: string },
    what: string,
    paths: readonly string[],
    { work, unwork }: { work: () => Promise<unknown>; unwork?: () => Promise<unknown> },
  ): Promise<void> {
    const { toasts, ask } = this.#deps;
    const lose = async (id: number): Promise<void> => {
      const before = await this.#contents(paths, 'live');
      await work();
      // A document takes it in a moment later.
      const after = await this.#contents(paths, 'disk');
      const known = new Map(paths.map((path, at) => [path, [before[at], after[at]]]));
      const undo = (): void => void this.#bringBack(what, id, known, unwork);
      toasts.say(words.did, { actions: [{ label: 'Undo', run: undo }] });
    };
    const loseForGood = async (): Promise<void> => {
      await work();
      toasts.say(words.did);
    };
    const kept = await this.#keep(words.before, paths);
    if (typeof kept === 'number') return void (await this.#do(words.not, () => lose(kept)));
    const { why, files = paths } = kept;
    ask({
      kind: 'question',
      title: words.ask,
      text: `${why} So it can’t be brought back from here.`,
      files: files.slice(0, mostFiles),
      choices: [{ label: words.yes, tone: 'bad', run: () => void this.#do(words.not, loseForGood) }],
    });
  }

  /** Undoes what lost them; `known` is what stood at each path before and after it. Anything else was written since and would go, so it asks. */
  async #bringBack(
    what: string,
    id: number,
    known: ReadonlyMap<string, readonly (string | undefined)[]>,
    unwork?: () => Promise<unknown>,
  ): Promise<void> {
    const { client, toasts, ask } = this.#deps;
    const paths = [...known.keys()];
    const title = `Not brought back: ${what}`;
    const restore = async (): Promise<void> => {
      await unwork?.();
      const { files } = await client.call('checkpoints.restore', { id, paths });
      const left = files.filter(({ did }) => did === 'skipped');
      if (left.length === 0) return void toasts.say(`Brought back ${what}`);
      const all = left.length === files.length;
      const why = left.slice(0, mostSaid).map(({ path, why: reason = '' }) => `${nameOf(path)}: ${reason}`);
      const more = left.length > mostSaid ? [count(left.length - mostSaid, 'more file')] : [];
      toasts.fail(all ? title : `Brought back ${what}, but not all of it`, new Error([...why, ...more].join('. ')));
    };
    await this.#do(title, async () => {
      const now = await this.#contents(paths, 'live');
      const changed = paths.filter((path, at) => now[at] === undefined || known.get(path)?.includes(now[at]) !== true);
      if (changed.length === 0) return restore();
      ask({
        kind: 'question',
        title: `Bring back ${what} as it was?`,
        text: `${count(changed.length, 'file was', 'files were')} changed since then. What was written there since goes; a checkpoint keeps it.`,
        files: changed.slice(0, mostFiles),
        choices: [{ label: 'Bring back', tone: 'bad', run: () => void this.#do(title, restore) }],
      });
    });
  }

  /** What stands at each path: its ETag, or that there is no file. Undefined where that can't be told. */
  async #contents(paths: readonly string[], source: 'live' | 'disk'): Promise<(string | undefined)[]> {
    const contents: (string | undefined)[] = [];
    for (let at = 0; at < paths.length; at += atOnce)
      contents.push(...(await Promise.all(paths.slice(at, at + atOnce).map((path) => this.#contentAt(path, source)))));
    return contents;
  }

  async #contentAt(path: string, source: 'live' | 'disk'): Promise<string | undefined> {
    const { client } = this.#deps;
    try {
      if (source === 'disk') return (await client.call('files.read', { path, source, head: 1 })).etag;
    } catch {
      // Gone, or no text: no document stands before it.
    }
    try {
      const { entry, etag } = await client.call('files.stat', { path, hash: true });
      return etag ?? entry?.kind ?? 'nothing';
    } catch {
      return undefined;
    }
  }

  /** The checkpoint that holds what is about to go, or why there is none, and of which files alone. */
  async #keep(before: string, paths: readonly string[]): Promise<number | { why: string; files?: readonly string[] }> {
    if (paths.length > mostRestored) return { why: `More than ${mostRestored.toLocaleString('en')} files can’t be brought back at once.` };
    try {
      const title = before.slice(0, 200);
      const { id, lacking } = await this.#deps.client.call('checkpoints.create', { title, paths: [...paths] });
      if (lacking.length === 0) return id;
      const files = sayFiles(lacking.map((path) => ({ path })));
      return { why: `${files} ${lacking.length === 1 ? 'is' : 'are'} in no checkpoint.`, files: lacking };
    } catch (error) {
      const { reason, message } = errorFacts(error);
      const isOff = reason === 'PART_OFF' || reason === 'NO_OPERATION';
      return { why: isOff ? 'No checkpoints are kept here.' : `No checkpoint could be made: ${message}` };
    }
  }

  /** Answers whether it was made. */
  async commit({ message, amend, all, coAuthors }: CommitWish): Promise<boolean> {
    const { client, toasts } = this.#deps;
    let committed = false;
    await this.#do('Not committed', async () => {
      const answer = await client.call('git.commit', {
        ...(message.trim() === '' ? {} : { message: message.trim() }),
        amend,
        all,
        coAuthors: [...coAuthors],
        editors: false,
      });
      ({ committed } = answer);
      const title = amend ? 'Amended the last commit' : `Committed ${count(answer.files, 'file')}`;
      if (committed) toasts.say(title, { text: `${answer.hash?.slice(0, 7) ?? ''} ${answer.summary}`.trim() });
      else toasts.say('Nothing to commit', { text: answer.summary });
    });
    return committed;
  }

  async goOn(skip = false): Promise<void> {
    const { client, toasts, git } = this.#deps;
    const doing = doingName(git.status.value?.doing ?? 'merge');
    await this.#do(`The ${doing} did not go on`, async () => {
      const { outcome, conflicts } = await client.call('git.continue', { skip });
      const { at, text } = stoppedAt(conflicts);
      if (outcome === 'conflicts') toasts.say(`The next step has ${at}`, { text });
      else toasts.say(`The ${doing} is done`);
    });
  }

  /** What was resolved is lost, so it asks. */
  abort(): void {
    const { client, toasts, git, ask } = this.#deps;
    const doing = doingName(git.status.value?.doing ?? 'merge');
    ask({
      kind: 'question',
      title: `Give up the ${doing}?`,
      text: `Everything is as it was before the ${doing}. What you resolved so far is lost.`,
      choices: [
        {
          label: `Give up the ${doing}`,
          tone: 'bad',
          run: () =>
            void this.#do(`The ${doing} was not given up`, async () => {
              const { head } = await client.call('git.abort', {});
              toasts.say(`Gave up the ${doing}`, { text: head === null ? '' : `HEAD is at ${head.slice(0, 7)} again.` });
            }),
        },
      ],
    });
  }

  /** Runs it when all before it is done, says `title` where it failed, and looks at git anew. */
  #do(title: string, work: () => Promise<unknown>): Promise<boolean> {
    this.#waiting.value += 1;
    const done = this.#last.then(() => this.#doNow(title, work));
    this.#last = done;
    return done;
  }

  async #doNow(title: string, work: () => Promise<unknown>): Promise<boolean> {
    const { git, toasts } = this.#deps;
    try {
      await work();
      return true;
    } catch (error) {
      const stale = errorFacts(error).reason === 'GIT_STALE_HUNK';
      toasts.fail(stale ? `${title}: it changed meanwhile. Look at it as it is now` : title, error);
      return false;
    } finally {
      this.#waiting.value -= 1;
      await git.refresh();
    }
  }
}

/** `loan.py`, `3 files` */
export function sayFiles(entries: readonly { path: string }[]): string {
  const [only] = entries;
  return entries.length === 1 && only !== undefined ? nameOf(only.path.replace(/\/$/, '')) : count(entries.length, 'file');
}

import { type Actor, actorsOf } from '../actor.ts';
import type { GitDialog } from '../changes/git-dialog.ts';
import { askAboutClash, sharedIn } from '../checkpoints/ask-about-clash.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import type { FeedRow } from '../feed/feed-rows.ts';
import type { FeedStore } from '../feed/feed-store.ts';
import { nameOf } from '../file-paths.ts';
import { changeAgainst, type DiffAgainst } from '../shell/tabs.ts';
import type { ToastAction, Toasts } from '../shell/toasts.ts';
import { firstOtherLine, notKept, sayMeanwhile, sayWhoDid } from './history-words.ts';

/** As many as are given at once. */
const mostVersions = 1000;

export interface HistoryActionsDependencies {
  client: WorkbenchClient;
  feed: FeedStore;
  toasts: Toasts;
  ask: (dialog: GitDialog | undefined) => void;
  isMe: (actor: Actor) => boolean;
  compare: (path: string, against: DiffAgainst) => void;
}

/** Some changes of a file in a row, and what is said of them. */
interface TakingBack {
  /** As it was called at the last of them. */
  path: string;
  first: number;
  last: number;
  done: string;
  /** When that is taken back. */
  undone: string;
  /** When it could not be. */
  not: string;
  notUndone: string;
}

/** What a person does with the past of one file. Each says what it did, or why it did not; none throws. */
export class HistoryActions {
  readonly #deps: HistoryActionsDependencies;

  constructor(dependencies: HistoryActionsDependencies) {
    this.#deps = dependencies;
  }

  /** Makes the file hold what it held after a change, or before it, unless it is another one by then than it is now. */
  async restore(path: string, { revision, side }: { revision: number; side: 'before' | 'after' }): Promise<void> {
    const { client, toasts } = this.#deps;
    const as = side === 'after' ? `as of r${revision}` : `as it was before r${revision}`;
    try {
      const [seen, { versions }] = await Promise.all([this.#now(path), client.call('history.list', { path, limit: 1 })]);
      try {
        const ifMatch = seen === undefined ? {} : { ifMatch: seen.etag };
        const made = await client.call('history.restore', { path, revision, side, ...ifMatch });
        if (made.changed) this.#sayRestored(path, `Restored ${nameOf(path)} ${as}`, made.revision);
        else toasts.say(`${nameOf(path)} is ${as} already`);
      } catch (error) {
        if (errorFacts(error).reason !== 'ETAG_MISMATCH') throw error;
        await this.#sayTooLate(path, revision, { text: seen?.text ?? '', newest: versions[0]?.revision ?? 0 });
      }
    } catch (error) {
      this.#fail('Not restored', path, error);
    }
  }

  /** Takes back what a row of Activity did to its file, and nothing else. */
  async takeBack(row: FeedRow, name: (actor: Actor) => string | undefined): Promise<void> {
    const { feed, isMe } = this.#deps;
    const who = [row.actor, ...row.others].map((actor) => name(actor) ?? sayWhoDid(actor, isMe)).join(' and ');
    const what = `what ${who} did in ${nameOf(row.path)}`;
    await this.#revert({
      path: feed.pathNow(row.path, row.last),
      first: row.first,
      last: row.last,
      done: `Took back ${what}`,
      undone: `Brought back ${what}`,
      not: 'Not taken back',
      notUndone: 'Not brought back',
    });
  }

  #sayRestored(path: string, done: string, revision: number): void {
    const { feed, toasts } = this.#deps;
    const undo = (): void =>
      void this.#revert({
        path: feed.pathNow(path, revision),
        first: revision,
        last: revision,
        done: `Took back the restore of ${nameOf(path)}`,
        undone: done,
        not: 'Not taken back',
        notUndone: 'Not restored',
      });
    toasts.say(done, { actions: [{ label: 'Undo', run: undo }] });
  }

  /** `seen`: the text that the person had when they chose, and the newest change of it then. */
  async #sayTooLate(path: string, chosen: number, seen: { text: string; newest: number }): Promise<void> {
    const { client, toasts, isMe, compare } = this.#deps;
    const [now, { versions }] = await Promise.all([this.#now(path), client.call('history.list', { path, limit: mostVersions })]);
    const [last] = versions;
    const newer = last !== undefined && last.revision > seen.newest ? last : undefined;
    const text = sayMeanwhile({
      path,
      chosen,
      who: newer === undefined ? undefined : sayWhoDid(actorsOf(newer.cause)[0] as Actor, isMe),
      how: now === undefined ? 'removed' : newer === undefined || newer.cause.kind === 'document' ? 'typed' : 'wrote',
      line: now === undefined ? undefined : firstOtherLine(seen.text, now.text),
    });
    // Those that the person knew of, and wants to be without.
    const known = versions.filter(({ revision, what }) => revision > chosen && revision <= seen.newest && what !== 'moved');
    const first = known.at(-1)?.revision;
    const actions: ToastAction[] = [];
    if (first !== undefined) {
      const newest = async (): Promise<void> => {
        // What was typed is a change by now.
        const later = await client.call('history.list', { path, limit: 1 }).catch(() => undefined);
        compare(path, changeAgainst({ first, last: later?.versions[0]?.revision ?? seen.newest }));
      };
      const done = `Restored ${nameOf(path)} as of r${chosen}, with newer edits`;
      const restored = { done, undone: `Took back the restore of ${nameOf(path)}`, not: 'Not restored', notUndone: 'Not taken back' };
      actions.push({ label: 'Compare', run: () => void newest() });
      actions.push({
        label: 'Restore, keep newer edits',
        run: () => void this.#revert({ path, first, last: known[0]?.revision ?? first, ...restored }),
      });
    }
    toasts.fail(`Not restored: ${nameOf(path)} changed meanwhile`, { message: text, reason: 'ETAG_MISMATCH', code: 'aborted' }, actions);
  }

  async #revert(wish: TakingBack, shared: 'ask' | 'keep' | 'remove' = 'ask'): Promise<void> {
    const { client, feed, toasts, ask } = this.#deps;
    const { path, first, last, done, undone, not, notUndone } = wish;
    try {
      const { did, revision } = await client.call('history.revert', { path, first, revision: last, shared });
      if (did === 'nothing') return void toasts.say(`${nameOf(path)} stays as it is`, { text: 'That was taken back already.' });
      const undo = (): void =>
        void this.#revert({
          ...{ path: feed.pathNow(path, revision), first: revision, last: revision },
          ...{ done: undone, undone: done, not: notUndone, notUndone: not },
        });
      toasts.say(done, {
        ...(did === 'removed' ? { text: 'It was made by that, so it is gone.' } : did === 'written' ? { text: 'It is there again.' } : {}),
        actions: [{ label: 'Undo', run: undo }],
      });
    } catch (error) {
      const found = sharedIn(error);
      if (found === undefined) return this.#fail(not, path, error);
      const go = (choice: 'keep' | 'remove'): void => void this.#revert(wish, choice);
      await askAboutClash({ label: `${not}: ${nameOf(path)}`, of: 'change', ...found, go }, client, ask);
    }
  }

  #fail(not: string, path: string, error: unknown): void {
    const { toasts } = this.#deps;
    if (errorFacts(error).reason !== 'VERSION_NOT_KEPT') return void toasts.fail(`${not}: ${nameOf(path)}`, error);
    const hint = 'Its checkpoints and commits are in its History.';
    toasts.fail(`${not}: ${notKept(path, error)}`, { ...errorFacts(error), message: hint });
  }

  /** As it is now, unsaved edits included; undefined where there is none. */
  async #now(path: string): Promise<{ text: string; etag: string } | undefined> {
    try {
      return await this.#deps.client.call('files.read', { path });
    } catch (error) {
      if (errorFacts(error).reason === 'FILE_NOT_FOUND') return undefined;
      throw error;
    }
  }
}

// What the feed of changes told of files, as a reader has it who knows nothing else; a change that can't follow those before it fails.
import assert from 'node:assert/strict';
import type { Change } from '../../src/contract/events.ts';
import { movedPath } from '../../src/core/moved-path.ts';

/** In place of a hash. */
const FOLDER = '/';

export class ToldFiles {
  /** Of each path, the changes of the file that is called so now, oldest first. */
  readonly steps = new Map<string, Change[]>();
  /** The hash of what each file holds that is there, and `FOLDER` of each folder. */
  readonly there = new Map<string, string>();
  revision = 0;
  /** Of what a sidecar tells when it starts after a kill, some can't follow what was told before it. */
  isAfterKill = false;

  get files(): string[] {
    return [...this.there].flatMap(([at, held]) => (held === FOLDER ? [] : [at]));
  }

  /** Gives the paths whose history is another one now. */
  take(change: Change): string[] {
    const { revision, path: at, from, kind } = change;
    assert.ok(revision > this.revision, `r${revision} is told after r${this.revision}`);
    this.revision = revision;
    if (from === undefined) this.#changed(change);
    else this.#moved(change, from);
    if (kind !== 'file') return from === undefined ? [] : renamed(this.steps, from, at, true);
    const steps = this.steps.get(from ?? at) ?? [];
    if (from !== undefined) this.steps.delete(from);
    this.steps.set(at, [...steps, change]);
    return from === undefined ? [at] : [from, at];
  }

  #changed(change: Change): void {
    const { path: at, kind, what } = change;
    const [before, after] = kind === 'file' ? [change.before, change.after] : what === 'removed' ? [FOLDER, null] : [null, FOLDER];
    const said = JSON.stringify(change);
    const isAnew = this.isAfterKill && isMadeAnew(change) && this.there.get(at) !== FOLDER;
    if (this.isAfterKill && isGoneTwice(change) && !this.there.has(at)) return;
    if (!isAnew) assert.equal(this.there.get(at) ?? null, before, `something else was there: ${said}`);
    assert.equal(what === 'created', before === null, said);
    assert.equal(what === 'removed', after === null, said);
    assert.notEqual(after, before, `nothing changed: ${said}`);
    if (after === null) this.there.delete(at);
    else this.there.set(at, after);
    const lost = after === FOLDER ? [] : [...this.there.keys()].filter((one) => one.startsWith(`${at}/`));
    assert.deepEqual(lost, [], `what was in the folder is not told of: ${said}`);
  }

  #moved(change: Change, from: string): void {
    const { path: at, kind, before, after } = change;
    const held = kind === 'file' ? before : FOLDER;
    assert.equal(this.there.get(from), held, `something else was moved: ${JSON.stringify(change)}`);
    assert.equal(after, before);
    this.there.delete(from);
    this.there.set(at, held ?? '');
    if (kind === 'directory') renamed(this.there, from, at, false);
  }
}

/** It is compared with an old look: what went since, and lay where a folder was moved to after that, is told to be gone once more. */
function isGoneTwice({ what, before, cause }: Change): boolean {
  return what === 'removed' && before === null && cause.kind === 'outside';
}

/** Text that was not saved yet makes a file anew that a program took away meanwhile: that it went is not told. */
function isMadeAnew({ what, kind, cause }: Change): boolean {
  return what === 'created' && kind === 'file' && cause.kind === 'document';
}

/** What lies below a folder goes along with it. What had a name below the new one is called so no more, which only of what is gone may be. Gives the names that mean something else now. */
function renamed<T>(facts: Map<string, T>, from: string, to: string, mayBeGone: boolean): string[] {
  const before = [...facts].filter(([at]) => at.startsWith(`${to}/`));
  if (!mayBeGone) assert.deepEqual(before, [], `not all was told to be gone where ${from} was moved to`);
  for (const [at] of before) facts.delete(at);
  const below = [...facts].filter(([at]) => at.startsWith(`${from}/`));
  for (const [at] of below) facts.delete(at);
  for (const [at, fact] of below) facts.set(movedPath(at, from, to) as string, fact);
  return [...before.map(([at]) => at), ...below.flatMap(([at]) => [at, movedPath(at, from, to) as string])];
}

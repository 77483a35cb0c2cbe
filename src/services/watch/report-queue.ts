// What was found and not yet taken by the main thread. Bounded by the number of paths: a newer report about a path takes the place of the older one. Only a
// renamed directory and a barrier are borders that nothing crosses.

import { afterOlder } from './after-older.ts';
import type { WatchReport } from './watch-protocol.ts';

type Item = { report: WatchReport } | { barrier: number };

export class ReportQueue {
  /** Since the last border; keys are paths. Insertion order is the order of telling. */
  #open = new Map<string, WatchReport>();
  readonly #closed: Item[] = [];
  #head = 0;
  #borders = 0;

  get size(): number {
    return this.#closed.length - this.#head + this.#open.size;
  }

  /** How many borders wait: each keeps older reports about the same paths alive. */
  get borders(): number {
    return this.#borders;
  }

  /** Whether that a directory was renamed waits to be told. */
  get hasMoves(): boolean {
    return this.#closed.slice(this.#head).some((item) => 'report' in item && isMove(item.report));
  }

  *moves(): Generator<WatchReport> {
    for (const item of this.#closed.slice(this.#head)) if ('report' in item && isMove(item.report)) yield item.report;
  }

  add(report: WatchReport): void {
    if (isMove(report)) {
      this.#close({ report });
      return;
    }
    const older = this.#open.get(report.path);
    const newer = report.from === undefined ? this.#stillFrom(report, older) : this.#fromBefore(report, report.from);
    if (newer.from === undefined || newer.from !== older?.from) this.#release(older, report.path);
    // Last in order, because what it replaces may have been told before something that depends on it.
    this.#open.delete(report.path);
    if (older === undefined) this.#open.set(report.path, newer);
    else {
      const isSame = report.what === 'present' && older.what === 'present';
      this.#open.set(report.path, {
        ...afterOlder(newer, older),
        isNew: isSame && older.isNew,
        isCreated: isSame && older.isCreated,
      });
    }
  }

  /** The file that came by a rename which nobody took yet was changed since. */
  #stillFrom(report: WatchReport, older: WatchReport | undefined): WatchReport {
    if (older?.from === undefined || report.what === 'removed' || report.ino !== older.ino || this.#open.has(older.from)) return report;
    const { from, folderIno } = older;
    return { ...report, from, ...(folderIno === undefined ? {} : { folderIno }) };
  }

  /** It went on from where it came by a rename which nobody took yet: for those who follow it comes from where it was first. */
  #fromBefore(report: WatchReport, from: string): WatchReport {
    const left = this.#open.get(from);
    this.#open.delete(from);
    if (left?.from === undefined) return report;
    const { from: _, folderIno: __, ...here } = report;
    if (left.ino !== report.ino || this.#open.has(left.from)) {
      this.#release(left, from);
      return left.ino === report.ino && left.isNew ? here : report;
    }
    if (!left.isNew) this.#open.set(from, removalOf(left, from));
    return left.from === report.path ? here : { ...report, from: left.from };
  }

  /** Comes out when everything that was added before it has come out. */
  addBarrier(id: number): void {
    this.#close({ barrier: id });
  }

  take(max: number): { reports: WatchReport[]; barriers: number[] } {
    const reports: WatchReport[] = [];
    const barriers: number[] = [];
    while (this.#head < this.#closed.length && reports.length < max) {
      const item = this.#closed[this.#head++] as Item;
      if ('barrier' in item) {
        barriers.push(item.barrier);
        this.#borders--;
      } else {
        if (item.report.kind === 'directory' && item.report.from !== undefined) this.#borders--;
        reports.push(item.report);
      }
    }
    if (this.#head === this.#closed.length) {
      this.#closed.length = 0;
      this.#head = 0;
      for (const [path, report] of this.#open) {
        if (reports.length >= max) break;
        reports.push(report);
        this.#open.delete(path);
      }
    }
    return { reports, barriers };
  }

  /** Every path that a waiting report speaks of. */
  *paths(): Generator<string> {
    for (let index = this.#head; index < this.#closed.length; index++) {
      const item = this.#closed[index] as Item;
      if ('report' in item) yield* pathsOf(item.report);
    }
    for (const report of this.#open.values()) yield* pathsOf(report);
  }

  #close(border: Item): void {
    for (const report of this.#open.values()) this.#closed.push({ report });
    this.#open = new Map();
    this.#closed.push(border);
    this.#borders++;
  }

  /** A report that is replaced also said that its old place is empty: that stays said. */
  #release(replaced: WatchReport | undefined, path: string): void {
    if (replaced?.from === undefined) return;
    this.#open.delete(path);
    if (!this.#open.has(replaced.from)) this.#open.set(replaced.from, removalOf(replaced, replaced.from));
  }
}

/** The removal of `path`, which the report's file stood at before. */
function removalOf(report: WatchReport, path: string): WatchReport {
  const { kind, size, mtimeMs, ino, offline } = report;
  return { path, kind, what: 'removed', size, mtimeMs, ino, hash: null, offline, isNew: false, isCreated: false };
}

function* pathsOf(report: WatchReport): Generator<string> {
  yield report.path;
  if (report.from !== undefined) yield report.from;
}

/** Of a directory, with all that is in it. */
export function isMove({ kind, from }: WatchReport): boolean {
  return kind === 'directory' && from !== undefined;
}

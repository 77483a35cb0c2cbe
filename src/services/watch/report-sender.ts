// Reports on their way to the main thread: some at a time, the next when those are taken.

import { isMove, ReportQueue } from './report-queue.ts';
import type { WatchReport } from './watch-protocol.ts';

const reportsPerBatch = 250;

export class ReportSender {
  readonly #queue = new ReportQueue();
  readonly #post: (reports: WatchReport[], barriers: number[]) => void;
  #acknowledged = true;
  #unacknowledged: WatchReport[] = [];
  #mark: NodeJS.Immediate | null = null;
  #stopped = false;

  constructor(post: (reports: WatchReport[], barriers: number[]) => void) {
    this.#post = post;
  }

  /** How many renamed directories and barriers wait. */
  get borders(): number {
    return this.#queue.borders;
  }

  /** Whether the main thread may not know yet that a directory was renamed. */
  get hasUntoldMoves(): boolean {
    return this.#queue.hasMoves || this.#unacknowledged.some(isMove);
  }

  add(report: WatchReport): void {
    this.#queue.add(report);
    this.#wake();
  }

  /** Comes out when everything that was added before it has come out. */
  addBarrier(id: number): void {
    this.#queue.addBarrier(id);
    this.#wake();
  }

  /** The main thread has taken what it was sent. True: there was something about files among it. */
  acknowledge(): boolean {
    this.#acknowledged = true;
    const hadReports = this.#unacknowledged.length > 0;
    this.#unacknowledged = [];
    this.#send();
    return hadReports;
  }

  /** Folders that were renamed and of which the main thread may not know yet, in order. */
  *folderMoves(): Generator<{ from: string; to: string }> {
    for (const report of [...this.#unacknowledged, ...this.#queue.moves()])
      if (isMove(report) && report.from !== undefined) yield { from: report.from, to: report.path };
  }

  /** Every path that the main thread may not know of yet. */
  *paths(): Generator<string> {
    yield* this.#queue.paths();
    for (const report of this.#unacknowledged) {
      yield report.path;
      if (report.from !== undefined) yield report.from;
    }
  }

  stop(): void {
    this.#stopped = true;
    if (this.#mark) clearImmediate(this.#mark);
  }

  #wake(): void {
    this.#mark ??= setImmediate(() => {
      this.#mark = null;
      this.#send();
    });
  }

  #send(): void {
    if (!this.#acknowledged || this.#queue.size === 0 || this.#stopped) return;
    const { reports, barriers } = this.#queue.take(reportsPerBatch);
    this.#acknowledged = false;
    this.#unacknowledged = reports;
    this.#post(reports, barriers);
  }
}

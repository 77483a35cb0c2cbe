import type { StatementSync } from 'node:sqlite';
import type { TaskBrief, TaskState } from './task-store.ts';
import { isEnded } from './transition.ts';

/** Rows and pages that one commit takes away, about: few ms, so that nobody waits for it. One task goes whole, whatever it is. */
const FORGOTTEN_AT_ONCE = 250;
/** A task is its request, its row, and their places in indexes. */
const COST_OF_TASK = 4;
const PAGE_BYTES = 4096;
/** Pages that one commit gives back to the system. */
const GIVEN_BACK_AT_ONCE = 64;
/** So much of the file may be free for what comes next. */
const SPARE_SHARE = 0.25;

/** How long tasks are kept after their last change, ms; 0: for ever. */
export interface KeepTasks {
  /** Those that succeeded or were cancelled. */
  doneMs: number;
  /** Those that failed or are dead: somebody may want to look, or to try again. */
  failedMs: number;
}

export interface ForgottenTask {
  id: string;
  state: TaskState;
  /** The newest. */
  fence: number;
  /** Of the audit. */
  entries: number;
}

interface Due {
  seq: number;
  id: string;
  lane: number;
  bytes: number;
}

/**
 * Takes tasks away whose time is over: the row, the request with its key, the audit, late results. A task stays while another one needs
 * it to be known: one that comes after it and is not over, or that could be tried again and would wait for it. Such a one has no
 * time in `ended` any more, and gets it back when nobody needs it.
 */
export class EndedTasks {
  readonly #sql: (text: string) => StatementSync;
  readonly #keepMs: readonly (readonly [TaskState, number])[];
  /** When the first one is due; undefined: to be looked up. */
  #next: number | null | undefined;

  constructor(sql: (text: string) => StatementSync, { doneMs, failedMs }: KeepTasks) {
    this.#sql = sql;
    const all = [
      ['succeeded', doneMs],
      ['cancelled', doneMs],
      ['failed', failedMs],
      ['dead', failedMs],
    ] as const;
    this.#keepMs = all.filter(([, keepMs]) => keepMs > 0);
  }

  /** When `take` has something to do next, ms since 1970; null: never, as it is now. */
  nextTime(): number | null {
    if (this.#next === undefined) {
      const times = this.#keepMs.flatMap(([state, keepMs]) => {
        const { ended } = this.#sql('SELECT min(ended) AS ended FROM tasks WHERE state = ? AND ended IS NOT NULL').get(state) as {
          ended: number | null;
        };
        return ended === null ? [] : [ended + keepMs];
      });
      this.#next = times.length === 0 ? null : Math.min(...times);
    }
    return this.#next;
  }

  /** A task was made or changed: what it needs to be known is told here, and when its time begins. `before` undefined: it is new. */
  changed(before: TaskBrief | undefined, after: TaskBrief): void {
    if (isEnded(after.state)) this.#sooner(after.updatedAt, after.state);
    if (after.after.length === 0) return;
    const needed = before === undefined ? [] : neededBy(before);
    const needs = neededBy(after);
    if (needed === needs) return;
    for (const id of new Set(needs))
      if (!needed.includes(id)) this.#sql('INSERT OR IGNORE INTO waits(dependency, task) VALUES(?, ?)').run(id, after.id);
    for (const id of new Set(needed)) {
      if (needs.includes(id)) continue;
      this.#sql('DELETE FROM waits WHERE dependency = ? AND task = ?').run(id, after.id);
      this.#neededLess(id);
    }
  }

  /** After a commit that failed: times that it brought are not there. */
  undone(): void {
    this.#next = undefined;
  }

  /** Takes a batch away, in the commit that is under way. `now` is ms since 1970. */
  take(now: number): ForgottenTask[] {
    const taken: ForgottenTask[] = [];
    const next = this.nextTime();
    if (next === null || next > now) return taken;
    let left = FORGOTTEN_AT_ONCE;
    for (const [state, keepMs] of this.#keepMs) {
      while (left > 0) {
        const due = this.#due(state, now - keepMs);
        if (due === undefined) break;
        if (this.#sql('SELECT 1 FROM waits WHERE dependency = ? LIMIT 1').get(due.id) !== undefined) {
          this.#sql('UPDATE tasks SET ended = NULL WHERE seq = ?').run(due.seq);
          left--;
          continue;
        }
        const { entries, fence, bytes } = this.#auditOf(due.id);
        this.#remove(due);
        taken.push({ id: due.id, state, fence, entries });
        left -= COST_OF_TASK + entries + (due.bytes + bytes) / PAGE_BYTES;
      }
    }
    this.#next = undefined;
    return taken;
  }

  /** Makes the file smaller, bit by bit, where more than a share of it is free. */
  giveBack(): void {
    const { freelist_count: free } = this.#sql('PRAGMA freelist_count').get() as { freelist_count: number };
    if (free < GIVEN_BACK_AT_ONCE) return;
    const { page_count: pages } = this.#sql('PRAGMA page_count').get() as { page_count: number };
    if (free > pages * SPARE_SHARE) this.#sql(`PRAGMA incremental_vacuum(${GIVEN_BACK_AT_ONCE})`).all();
  }

  #due(state: TaskState, until: number): Due | undefined {
    const oldest = `SELECT seq, id, lane, octet_length(requests.body) + octet_length(tasks.body)
        + coalesce((SELECT sum(octet_length(body)) FROM apart WHERE apart.seq = tasks.seq), 0) AS bytes
      FROM tasks JOIN requests USING(seq) WHERE state = ? AND ended <= ? ORDER BY ended LIMIT 1`;
    return this.#sql(oldest).get(state, until) as Due | undefined;
  }

  #auditOf(id: string): { entries: number; fence: number; bytes: number } {
    const all = 'SELECT count(*) AS entries, max(fence) AS fence, sum(octet_length(event)) AS bytes FROM audit WHERE task = ?';
    return this.#sql(all).get(id) as { entries: number; fence: number; bytes: number };
  }

  #remove({ seq, id, lane }: Due): void {
    this.#sql('DELETE FROM audit WHERE task = ?').run(id);
    this.#sql('DELETE FROM tasks WHERE seq = ?').run(seq);
    this.#sql('DELETE FROM apart WHERE seq = ?').run(seq);
    this.#sql('DELETE FROM requests WHERE seq = ?').run(seq);
    const needed = this.#sql('DELETE FROM waits WHERE task = ? RETURNING dependency').all(id) as { dependency: string }[];
    for (const { dependency } of needed) this.#neededLess(dependency);
    // A lane can be of one task alone. Its number is not given to another one: see task-schema.ts.
    this.#sql('DELETE FROM lanes WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasks WHERE lane = ?1)').run(lane);
  }

  /** It may be due again: whether others still need it is seen then. */
  #neededLess(id: string): void {
    const over = `SELECT seq, body FROM tasks
      WHERE seq = (SELECT seq FROM requests WHERE id = ?) AND ended IS NULL AND state IN ('succeeded', 'failed', 'cancelled', 'dead')`;
    const row = this.#sql(over).get(id) as { seq: number; body: string } | undefined;
    if (row === undefined) return;
    // Not by SQLite, which reads no JSON that is deeper than a thousand.
    const { updatedAt } = JSON.parse(row.body) as TaskBrief;
    this.#sql('UPDATE tasks SET ended = ? WHERE seq = ?').run(updatedAt, row.seq);
    this.#next = undefined;
  }

  #sooner(endedAt: number, state: TaskState): void {
    const keepMs = this.#keepMs.find(([one]) => one === state)?.[1];
    if (keepMs === undefined || this.#next === undefined) return;
    this.#next = Math.min(this.#next ?? Number.POSITIVE_INFINITY, endedAt + keepMs);
  }
}

/** Those that have to stay known for the sake of this task. Once it is over it may be tried again, and waits then for what had not succeeded. */
function neededBy(task: TaskBrief): readonly string[] {
  return isEnded(task.state) ? task.waitsFor : task.after;
}

import type { StatementSync } from 'node:sqlite';
import { type Head, isBefore, type LaneKind, type OpenLane, OpenLanes } from './open-lanes.ts';
import type { Lane } from './task-schema.ts';
import type { TaskBrief } from './task-store.ts';

/** Lanes in memory; beyond, they are read again. */
const KNOWN_LANES = 10_000;

interface Claim {
  agent: string;
  capabilities: readonly string[];
  credit: number;
}

interface Grant {
  agent: string;
  task: TaskBrief;
}

/**
 * Finds who gets what is ready. What 100,000 ready tasks have in common is few lanes, so an agent is matched with lanes and never with
 * tasks, and a task that nobody here may have stands in nobody's way. Of each lane in which something is ready the first task is known, and
 * looked up again only after the lane changed: there can be as many lanes as tasks, where each is of a group of its own.
 */
export class ReadyTasks {
  readonly #sql: (text: string) => StatementSync;
  /** By number; a lane never changes. */
  readonly #lanes = new Map<number, Lane>();
  /** Undefined: to be read from the beginning. */
  #open: OpenLanes | undefined;
  /** Lanes that are not in `#open` as they are. */
  readonly #changed = new Set<number>();

  constructor(sql: (text: string) => StatementSync) {
    this.#sql = sql;
  }

  /**
   * One each in turn, to those that have credit left, until nothing fits (`isAll`), or it `isEnough`. `grant` makes the task not ready any more;
   * undefined: it was not to be had.
   */
  share(
    claims: readonly Claim[],
    grant: (id: string, agent: string) => TaskBrief | undefined,
    isEnough: () => boolean = () => false,
  ): { granted: Grant[]; isAll: boolean } {
    const granted: Grant[] = [];
    const running = new Map<string, number>();
    const open = this.#look();
    let waiting = claims
      .filter(({ credit }) => credit > 0)
      .map((claim) => ({ ...claim, kinds: open.kindsFor(claim.agent, claim.capabilities) }));
    while (waiting.length > 0 && !isEnough()) {
      waiting = waiting.filter((claim) => {
        if (isEnough()) return true;
        const task = this.#next(claim.agent, claim.kinds, running, grant, isEnough);
        // What was not to be had may have been enough by itself: there can be more.
        if (task === undefined) return isEnough();
        granted.push({ agent: claim.agent, task });
        return --claim.credit > 0;
      });
    }
    return { granted, isAll: waiting.length === 0 };
  }

  /** A task of this lane became ready, or is not any more. */
  changed(lane: number): void {
    if (this.#open === undefined) return;
    this.#changed.add(lane);
    // Nobody has asked for a long time.
    if (this.#changed.size > KNOWN_LANES) this.#startAnew();
  }

  /** One of a group that ran, or was offered, does not any more. */
  hasRoom(group: string): void {
    this.#open?.hasRoom(group);
  }

  /** After a commit that failed: what it changed is not so, and lanes that it made are not there. */
  forget(): void {
    this.#lanes.clear();
    this.#startAnew();
  }

  #next(
    agent: string,
    kinds: readonly LaneKind[],
    running: Map<string, number>,
    grant: (id: string, agent: string) => TaskBrief | undefined,
    isEnough: () => boolean,
  ): TaskBrief | undefined {
    for (;;) {
      let best: OpenLane | undefined;
      for (const kind of kinds) {
        const lane = this.#first(kind, running);
        if (lane !== undefined && (best === undefined || isBefore(lane, best))) best = lane;
      }
      if (best === undefined) return undefined;
      const { number, seq, group } = best;
      const { id } = this.#sql('SELECT id FROM requests WHERE seq = ?').get(seq) as { id: string };
      const task = grant(id, agent);
      this.#changed.add(number);
      this.#look();
      if (task === undefined && isEnough()) return undefined;
      if (task === undefined) continue;
      if (group !== null) running.set(group, (running.get(group) as number) + 1);
      return task;
    }
  }

  /** Of the lanes whose group is not full. */
  #first(kind: LaneKind, running: Map<string, number>): OpenLane | undefined {
    for (;;) {
      const lane = kind.first;
      if (lane === undefined || !this.#isFull(lane, running)) return lane;
      this.#open?.wait(lane);
    }
  }

  /** The lanes in which something is ready, as they are now. */
  #look(): OpenLanes {
    if (this.#open === undefined) for (const lane of this.#readOpen()) this.#changed.add(lane);
    const open = (this.#open ??= new OpenLanes());
    for (const number of this.#changed) {
      const head = this.#sql("SELECT priority, seq FROM tasks WHERE state = 'ready' AND lane = ? ORDER BY priority, seq LIMIT 1").get(
        number,
      );
      if (head === undefined) open.remove(number);
      else open.put(number, this.#lane(number), head as unknown as Head);
    }
    this.#changed.clear();
    return open;
  }

  #readOpen(): number[] {
    // From one lane to the next by the index: reading all that is ready would take long where much is.
    const lanes = this.#sql(`
      WITH RECURSIVE open(lane) AS (
        SELECT min(lane) FROM tasks INDEXED BY ready WHERE state = 'ready'
        UNION ALL
        SELECT (SELECT min(lane) FROM tasks INDEXED BY ready WHERE state = 'ready' AND lane > open.lane) FROM open WHERE open.lane IS NOT NULL)
      SELECT lane FROM open WHERE lane IS NOT NULL`).all() as { lane: number }[];
    return lanes.map(({ lane }) => lane);
  }

  #startAnew(): void {
    this.#open = undefined;
    this.#changed.clear();
  }

  #lane(number: number): Lane {
    let lane = this.#lanes.get(number);
    if (lane === undefined) {
      lane = JSON.parse((this.#sql('SELECT lane FROM lanes WHERE id = ?').get(number) as { lane: string }).lane) as Lane;
      if (this.#lanes.size >= KNOWN_LANES) this.#lanes.clear();
      this.#lanes.set(number, lane);
    }
    return lane;
  }

  #isFull({ group, atOnce }: OpenLane, running: Map<string, number>): boolean {
    if (group === null) return false;
    let count = running.get(group);
    if (count === undefined) {
      const sql = "SELECT count(*) AS count FROM tasks WHERE task_group = ? AND state IN ('offered', 'running')";
      count = (this.#sql(sql).get(group) as { count: number }).count;
      running.set(group, count);
    }
    return count >= atOnce;
  }
}

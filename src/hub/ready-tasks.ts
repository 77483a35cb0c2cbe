import type { StatementSync } from 'node:sqlite';
import type { Lane } from './task-schema.ts';
import type { TaskRecord } from './task-store.ts';

/** So many heads of a lane are read at once. */
const HEADS_AT_ONCE = 64;
/** Lanes in memory; beyond, they are read again. */
const KNOWN_LANES = 10_000;

interface Head {
  id: string;
  seq: number;
  priority: number;
}

interface OpenLane extends Lane {
  number: number;
  /** Read and not granted yet; the first is the last one. */
  heads: Head[];
  /** What was read are all there are. */
  read: boolean;
}

interface Claim {
  agent: string;
  capabilities: readonly string[];
  credit: number;
}

/**
 * Finds who gets what is ready. What 100,000 ready tasks have in common is few lanes, so an agent is matched with lanes and never with
 * tasks, and a task that nobody here may have stands in nobody's way.
 */
export class ReadyTasks {
  readonly #sql: (text: string) => StatementSync;
  /** By number; a lane never changes. */
  readonly #lanes = new Map<number, Lane>();

  constructor(sql: (text: string) => StatementSync) {
    this.#sql = sql;
  }

  /** One each in turn, to those that have credit left, until nothing fits. `grant` makes the task not ready any more; undefined: it was not to be had. */
  share(claims: readonly Claim[], grant: (id: string, agent: string) => TaskRecord | undefined): { agent: string; task: TaskRecord }[] {
    const granted: { agent: string; task: TaskRecord }[] = [];
    const running = new Map<string, number>();
    const lanesOf = this.#openLanes();
    if (lanesOf === undefined) return granted;
    let waiting = claims.filter(({ credit }) => credit > 0).map((claim) => ({ ...claim, lanes: lanesOf(claim) }));
    while (waiting.length > 0) {
      waiting = waiting.filter((claim) => {
        const task = this.#next(claim.agent, claim.lanes, running, grant);
        if (task === undefined) return false;
        granted.push({ agent: claim.agent, task });
        return --claim.credit > 0;
      });
    }
    return granted;
  }

  /** After a commit that failed: lanes that it made are not there. */
  forget(): void {
    this.#lanes.clear();
  }

  #next(
    agent: string,
    lanes: readonly OpenLane[],
    running: Map<string, number>,
    grant: (id: string, agent: string) => TaskRecord | undefined,
  ): TaskRecord | undefined {
    for (;;) {
      let best: OpenLane | undefined;
      for (const lane of lanes) {
        const head = this.#head(lane);
        if (head === undefined || this.#isFull(lane, running)) continue;
        const than = best?.heads.at(-1);
        if (than === undefined || head.priority < than.priority || (head.priority === than.priority && head.seq < than.seq)) best = lane;
      }
      if (best === undefined) return undefined;
      const task = grant((best.heads.pop() as Head).id, agent);
      if (task === undefined) continue;
      if (best.group !== null) running.set(best.group, (running.get(best.group) as number) + 1);
      return task;
    }
  }

  #head(lane: OpenLane): Head | undefined {
    if (lane.heads.length === 0 && !lane.read) {
      // Those that were granted are not ready any more: this goes on behind them.
      const ready = "SELECT id, seq, priority FROM tasks JOIN requests USING(seq) WHERE state = 'ready' AND lane = ?";
      const heads = this.#sql(`${ready} ORDER BY priority, seq LIMIT ?`).all(lane.number, HEADS_AT_ONCE);
      lane.heads = (heads as unknown as Head[]).reverse();
      lane.read = heads.length < HEADS_AT_ONCE;
    }
    return lane.heads.at(-1);
  }

  /** The lanes in which something is ready, as a function from an agent to those that it may have; undefined where nothing is. */
  #openLanes(): ((claim: Claim) => OpenLane[]) | undefined {
    // From one lane to the next by the index: reading all that is ready would take long where much is.
    const numbers = this.#sql(`
      WITH RECURSIVE open(lane) AS (
        SELECT min(lane) FROM tasks INDEXED BY ready WHERE state = 'ready'
        UNION ALL
        SELECT (SELECT min(lane) FROM tasks INDEXED BY ready WHERE state = 'ready' AND lane > open.lane) FROM open WHERE open.lane IS NOT NULL)
      SELECT lane FROM open WHERE lane IS NOT NULL`).all() as { lane: number }[];
    if (numbers.length === 0) return undefined;
    const anybody: OpenLane[] = [];
    const pinned = new Map<string, OpenLane[]>();
    for (const { lane: number } of numbers) {
      const lane = { ...this.#lane(number), number, heads: [], read: false };
      if (lane.agent === null) anybody.push(lane);
      else pinned.set(lane.agent, [...(pinned.get(lane.agent) ?? []), lane]);
    }
    // Many agents have the same capabilities.
    const byCapabilities = new Map<string, OpenLane[]>();
    return ({ agent, capabilities }) => {
      const has = new Set(capabilities);
      const fits = ({ needs }: Lane) => needs.every((need) => has.has(need));
      const key = JSON.stringify([...has].sort());
      const common = byCapabilities.get(key) ?? anybody.filter(fits);
      byCapabilities.set(key, common);
      return [...common, ...(pinned.get(agent) ?? []).filter(fits)];
    };
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

  #isFull({ group, atOnce }: Lane, running: Map<string, number>): boolean {
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

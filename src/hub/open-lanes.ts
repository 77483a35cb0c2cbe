import type { Lane } from './task-schema.ts';

/** The first of what is ready in a lane. */
export interface Head {
  /** 0 urgent … 3 low. */
  priority: number;
  /** Of an older task it is smaller. */
  seq: number;
}

/** A lane in which something is ready. */
export interface OpenLane extends Head {
  readonly number: number;
  readonly group: string | null;
  readonly atOnce: number;
  readonly kind: LaneKind;
  /** Its place in the heap of its kind; WAITING: its group is full. */
  place: number;
}

const WAITING = -1;
/** Stands for the first need of lanes that need nothing. */
const NOTHING = '';

/** Lanes that the same agents may have, the one whose head comes before all others on top: a heap. */
export class LaneKind {
  readonly agent: string | null;
  readonly needs: readonly string[];
  /** Of all its lanes, those that wait included. */
  count = 0;
  readonly #heap: OpenLane[] = [];

  constructor({ agent, needs }: Lane) {
    this.agent = agent;
    this.needs = needs;
  }

  get first(): OpenLane | undefined {
    return this.#heap[0];
  }

  add(lane: OpenLane): void {
    lane.place = this.#heap.push(lane) - 1;
    this.#rise(lane);
  }

  remove(lane: OpenLane): void {
    const last = this.#heap.pop() as OpenLane;
    if (last !== lane) {
      this.#put(last, lane.place);
      this.#rise(last);
      this.#sink(last);
    }
    lane.place = WAITING;
  }

  #rise(lane: OpenLane): void {
    while (lane.place > 0) {
      const above = this.#heap[(lane.place - 1) >> 1] as OpenLane;
      if (!isBefore(lane, above)) return;
      this.#swap(lane, above);
    }
  }

  #sink(lane: OpenLane): void {
    for (;;) {
      const [left, right] = [this.#heap[2 * lane.place + 1], this.#heap[2 * lane.place + 2]];
      const below = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (below === undefined || !isBefore(below, lane)) return;
      this.#swap(lane, below);
    }
  }

  #swap(one: OpenLane, other: OpenLane): void {
    const { place } = one;
    this.#put(one, other.place);
    this.#put(other, place);
  }

  #put(lane: OpenLane, place: number): void {
    this.#heap[place] = lane;
    lane.place = place;
  }
}

/** The lanes in which something is ready, so that who may have what is found without going through them. Pure. */
export class OpenLanes {
  readonly #lanes = new Map<number, OpenLane>();
  /** By the only agent that may have them (null: anybody), then their first need, then all of these. */
  readonly #kinds = new Map<string | null, Map<string, Map<string, LaneKind>>>();
  /** By group. */
  readonly #waiting = new Map<string, Set<OpenLane>>();

  /** What is ready in a lane begins with `head` now. */
  put(number: number, { agent, needs, group, atOnce }: Lane, { priority, seq }: Head): void {
    const before = this.#lanes.get(number);
    const kind = this.#kindOf({ agent, needs, group, atOnce });
    const lane: OpenLane = { number, priority, seq, group, atOnce, kind, place: WAITING };
    this.#lanes.set(number, lane);
    kind.count++;
    kind.add(lane);
    if (before !== undefined) this.#leave(before);
  }

  /** Nothing is ready in it any more, if anything was. */
  remove(number: number): void {
    const lane = this.#lanes.get(number);
    if (lane === undefined) return;
    this.#lanes.delete(number);
    this.#leave(lane);
  }

  /** Those of a lane's kind are not kept from their turn by it until its group has room. */
  wait(lane: OpenLane): void {
    const group = lane.group as string;
    lane.kind.remove(lane);
    this.#waiting.set(group, (this.#waiting.get(group) ?? new Set()).add(lane));
  }

  hasRoom(group: string): void {
    for (const lane of this.#waiting.get(group) ?? []) lane.kind.add(lane);
    this.#waiting.delete(group);
  }

  /** The kinds of lanes that an agent may have. */
  kindsFor(agent: string, capabilities: readonly string[]): LaneKind[] {
    const has = new Set(capabilities);
    const found: LaneKind[] = [];
    for (const byNeed of [this.#kinds.get(null), this.#kinds.get(agent)]) {
      if (byNeed === undefined) continue;
      for (const need of [NOTHING, ...has])
        for (const kind of byNeed.get(need)?.values() ?? []) if (kind.needs.every((one) => has.has(one))) found.push(kind);
    }
    return found;
  }

  #leave(lane: OpenLane): void {
    const { kind, group } = lane;
    if (lane.place !== WAITING) kind.remove(lane);
    else if (group !== null) {
      const waiting = this.#waiting.get(group);
      waiting?.delete(lane);
      if (waiting?.size === 0) this.#waiting.delete(group);
    }
    if (--kind.count === 0) this.#forget(kind);
  }

  #kindOf(lane: Lane): LaneKind {
    const { agent, needs } = lane;
    const byNeed = this.#kinds.get(agent) ?? new Map<string, Map<string, LaneKind>>();
    const kinds = byNeed.get(needs[0] ?? NOTHING) ?? new Map<string, LaneKind>();
    const key = JSON.stringify(needs);
    const kind = kinds.get(key) ?? new LaneKind(lane);
    this.#kinds.set(agent, byNeed.set(needs[0] ?? NOTHING, kinds.set(key, kind)));
    return kind;
  }

  #forget({ agent, needs }: LaneKind): void {
    const byNeed = this.#kinds.get(agent);
    const kinds = byNeed?.get(needs[0] ?? NOTHING);
    kinds?.delete(JSON.stringify(needs));
    if (kinds?.size === 0) byNeed?.delete(needs[0] ?? NOTHING);
    if (byNeed?.size === 0) this.#kinds.delete(agent);
  }
}

/** No two heads have the same `seq`. */
export function isBefore(one: Head, other: Head): boolean {
  return one.priority === other.priority ? one.seq < other.seq : one.priority < other.priority;
}

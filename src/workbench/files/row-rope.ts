/**
 * A sequence of items with insert, cut and lookup by position in O(log n): a randomised binary tree whose order is the sequence.
 * Items carry their own links, so that a position is found from the item and nothing is allocated by a change.
 */
export interface RopeItem {
  left: this | undefined;
  right: this | undefined;
  up: this | undefined;
  /** Items in this part of the tree. */
  count: number;
}

export type Rope<T extends RopeItem> = T | undefined;

export function lengthOf<T extends RopeItem>(rope: Rope<T>): number {
  return rope?.count ?? 0;
}

/** A sequence of items that are in none yet, in O(n). */
export function ropeOf<T extends RopeItem>(items: readonly T[], start = 0, end = items.length): Rope<T> {
  if (start >= end) return undefined;
  const middle = (start + end) >>> 1;
  const item = items[middle] as T;
  item.up = undefined;
  item.left = ropeOf(items, start, middle) as typeof item.left;
  item.right = ropeOf(items, middle + 1, end) as typeof item.right;
  return adopt(item);
}

export function itemAt<T extends RopeItem>(rope: Rope<T>, index: number): T | undefined {
  let at = index;
  let item = rope;
  while (item !== undefined) {
    const before: number = lengthOf(item.left);
    if (at === before) return item;
    if (at < before) item = item.left;
    else {
      at -= before + 1;
      item = item.right;
    }
  }
  return undefined;
}

/** Where the item is in its sequence. */
export function positionOf(item: RopeItem): number {
  let position = lengthOf(item.left);
  for (let at = item; at.up !== undefined; at = at.up) if (at.up.right === at) position += lengthOf(at.up.left) + 1;
  return position;
}

/** The items from `start` up to `end`, without it, in O(log n + those). */
export function itemsBetween<T extends RopeItem>(rope: Rope<T>, start: number, end: number): T[] {
  const found: T[] = [];
  collect(rope, start, end, found);
  return found;
}

function collect<T extends RopeItem>(item: Rope<T>, start: number, end: number, found: T[]): void {
  if (item === undefined || end <= 0 || start >= item.count) return;
  const before = lengthOf(item.left);
  if (start < before) collect(item.left, start, end, found);
  if (start <= before && end > before) found.push(item);
  if (end > before + 1) collect(item.right, start - before - 1, end - before - 1, found);
}

/** The first `index` items, and the others. */
export function split<T extends RopeItem>(rope: Rope<T>, index: number): [Rope<T>, Rope<T>] {
  if (rope === undefined) return [undefined, undefined];
  const before = lengthOf(rope.left);
  rope.up = undefined;
  if (index <= before) {
    const [head, tail] = split(rope.left, index);
    rope.left = tail;
    adopt(rope);
    if (head !== undefined) head.up = undefined;
    return [head, rope];
  }
  const [head, tail] = split(rope.right, index - before - 1);
  rope.right = head;
  adopt(rope);
  if (tail !== undefined) tail.up = undefined;
  return [rope, tail];
}

/** Both, one after the other. `random` gives numbers in [0, 1) and keeps the tree flat. */
export function concat<T extends RopeItem>(head: Rope<T>, tail: Rope<T>, random: () => number): Rope<T> {
  if (head === undefined) return tail;
  if (tail === undefined) return head;
  if (random() * (head.count + tail.count) < head.count) {
    head.right = concat<T>(head.right, tail, random) as typeof head.right;
    return adopt(head);
  }
  tail.left = concat<T>(head, tail.left, random) as typeof tail.left;
  return adopt(tail);
}

function adopt<T extends RopeItem>(item: T): T {
  if (item.left !== undefined) item.left.up = item;
  if (item.right !== undefined) item.right.up = item;
  item.count = lengthOf(item.left) + lengthOf(item.right) + 1;
  return item;
}

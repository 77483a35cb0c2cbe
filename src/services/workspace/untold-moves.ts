// Moves that the watch reported and that were not told, for they did not hold any more when they were heard of: what moved went on, or is back. The watch
// goes on from there. Who follows does not know that place: to them it is where it was told to be last.

import type { EntryKind } from '../../contract/events.ts';
import { movedPath } from '../../core/moved-path.ts';

/** The watch tells what comes next long before. */
const KEPT_MS = 10_000;
const MAX_KEPT = 1000;

/** Something that the watch has at a place where it is not told to be. */
export interface UntoldMove {
  /** Where it is told to be. */
  told: string;
  kind: EntryKind;
  ino: number;
  /** What the watch saw there last. */
  content: string;
  /** By the monotonic clock. */
  at: number;
}

export class UntoldMoves {
  /** By the place that the watch has it at; the oldest first. */
  readonly #moves = new Map<string, UntoldMove>();

  add(path: string, move: Omit<UntoldMove, 'at'>): void {
    const now = performance.now();
    this.#moves.delete(path);
    if (path !== move.told) this.#moves.set(path, { ...move, at: now });
    for (const [old, { at }] of this.#moves) {
      if (this.#moves.size <= MAX_KEPT && now - at < KEPT_MS) break;
      this.#moves.delete(old);
    }
  }

  /** Where it is told to be what the watch has at a path, itself or with a folder above it. */
  toldOf(path: string): string {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const move = this.#moves.get(path.slice(0, end));
      if (move !== undefined) return move.told + path.slice(end);
    }
    return path;
  }

  /** Gives where it is told to be what the watch has at exactly this path, from now on no more; undefined where that is no other place. */
  take(path: string): UntoldMove | undefined {
    const move = this.#moves.get(path);
    this.#moves.delete(path);
    return move;
  }

  /** Takes those of which `isSo` holds. */
  takeWhere(isSo: (path: string, move: UntoldMove) => boolean): [path: string, move: UntoldMove][] {
    const found = [...this.#moves].filter(([path, move]) => isSo(path, move));
    for (const [path] of found) this.#moves.delete(path);
    return found;
  }

  /** It was told that something moved, with all in it. */
  moved(from: string, to: string): void {
    for (const move of this.#moves.values()) move.told = movedPath(move.told, from, to) ?? move.told;
  }

  /** The watch has it elsewhere by now, with all in it. */
  wentOn(from: string, to: string): void {
    for (const [path, move] of [...this.#moves]) {
      const now = movedPath(path, from, to);
      if (now === undefined) continue;
      this.#moves.delete(path);
      this.#moves.set(now, move);
    }
  }
}

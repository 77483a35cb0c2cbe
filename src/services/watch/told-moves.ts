// Which files were told a moment ago to have moved. Who was told may have passed over it, as the file had gone on by then, and asks for the place where it knew
// the file: that it is gone from there says nothing of where it is.

import { movedPath } from '../../core/moved-path.ts';

const keptMs = 10_000;
const maxKept = 256;

interface ToldMove {
  path: string;
  ino: number;
  at: number;
}

export class ToldMoves {
  /** By the place that it left; in order of time. */
  readonly #moves = new Map<string, ToldMove>();

  add(from: string, path: string, ino: number, now: number): void {
    this.#moves.delete(from);
    this.#moves.set(from, { path, ino, at: now });
    for (const [place, { at }] of this.#moves) {
      if (this.#moves.size <= maxKept && now - at <= keptMs) break;
      this.#moves.delete(place);
    }
  }

  folderMoved(from: string, to: string): void {
    const after = (path: string): string => movedPath(path, from, to) ?? path;
    const moves = [...this.#moves];
    this.#moves.clear();
    for (const [place, move] of moves) this.#moves.set(after(place), { ...move, path: after(move.path) });
  }

  /** Where the file is that was told to have left this place, by all that was told since. `stands`: whether the file with this inode number is there. */
  whereIs(from: string, stands: (path: string, ino: number) => boolean): string | undefined {
    const first = this.#moves.get(from);
    const seen = new Set<ToldMove>();
    for (let move = first; first !== undefined && move?.ino === first.ino && !seen.has(move); move = this.#moves.get(move.path)) {
      if (stands(move.path, move.ino)) return move.path;
      seen.add(move);
    }
    return undefined;
  }
}

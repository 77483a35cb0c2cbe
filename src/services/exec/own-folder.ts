import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { removeFolderInPieces, writeMark } from './run-folders.ts';

/** A file that says how many ms what lies beside it may be asked for; it was changed when the sidecar was last seen. */
const SEEN = '.outrigger-seen';
const HOUR_MS = 3_600_000;
const LEAST_KEPT_MS = 7 * 24 * HOUR_MS;

/** Programs of runs that root starts are other users, who can't get into a folder of root's. Which sessions lie there, one state alone knows. */
export function ownFolderOf(stateFolder: string, temporary: string): string {
  if (process.getuid?.() === 0) return path.join(rootsFolder(temporary), hash('sha256', stateFolder).slice(0, 16));
  return path.join(stateFolder, 'code');
}

/** Where sidecars that run as root have their folders of code runs. */
export function rootsFolder(temporary: string): string {
  return path.join(temporary, 'outrigger-code-0');
}

/**
 * What a sidecar has as its own in a folder where others have theirs. The state that knows of its sessions may be removed, and then nobody comes back for
 * them, or for what was compiled: others remove it when its sidecar was not seen for a week, or for as long as a session lives, where that is longer.
 */
export class OwnFolder {
  readonly #now: () => number;
  readonly #folder: string;
  readonly #lifeMs: number;
  #seenAt = Number.NEGATIVE_INFINITY;
  #removing: Promise<void> | undefined;
  #isOver = false;

  /** `now`: ms of the epoch; `folder`: absolute; `lifeMs`: of a session after its last use. */
  constructor({ now }: { now: () => number }, { folder, lifeMs }: { folder: string; lifeMs: number }) {
    this.#now = now;
    this.#folder = folder;
    this.#lifeMs = lifeMs;
  }

  /**
   * To be called now and again: where the folder was made, it says that its sidecar lives, at once, and removes those that are forgotten, one time. Resolves
   * when they are gone; rejects as fs does where it could not say so.
   */
  async keep(): Promise<void> {
    const now = this.#now();
    if (now - this.#seenAt < HOUR_MS || !fs.existsSync(this.#folder)) return;
    const seen = path.join(this.#folder, SEEN);
    writeMark(seen, String(this.#lifeMs), now);
    this.#seenAt = now;
    this.#removing ??= this.#removeForgotten(now);
    await this.#removing;
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#removing;
  }

  /** Never rejects: what could not be removed is for the next one. */
  async #removeForgotten(now: number): Promise<void> {
    const parent = path.dirname(this.#folder);
    // Whoever made the folder does not wait for that.
    for (const entry of await fs.promises.readdir(parent, { withFileTypes: true }).catch(() => [])) {
      if (this.#isOver) return;
      const folder = path.join(parent, entry.name);
      if (!entry.isDirectory() || folder === this.#folder || !isForgotten(path.join(folder, SEEN), now)) continue;
      await removeFolderInPieces(folder);
    }
  }
}

function isForgotten(seen: string, now: number): boolean {
  try {
    const stat = fs.lstatSync(seen);
    // Of one that was written when the disk was full there may be nothing.
    return stat.isFile() && now - stat.mtimeMs > Math.max(LEAST_KEPT_MS, Number(fs.readFileSync(seen, 'utf8')));
  } catch {
    // No sidecar's, or another one has just removed it.
    return false;
  }
}

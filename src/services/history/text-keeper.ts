import type { Cause, Change } from '../../contract/events.ts';
import { decodeText, hashBytes } from '../workspace/content.ts';
import type { KeptTexts } from './kept-texts.ts';

/** After a change its file is looked at so much later, ms: people save now and again while they type. */
const LOOK_AFTER_MS = 200;
/** Files that are looked at by a second, and at once after a quiet time. */
const LOOKS_PER_SECOND = 10;
const LOOKS_AT_ONCE = 50;
/** Files that wait for it; the oldest are passed over. */
const MAX_WAITING = 2000;
/** Between two turns of looking, ms, at least. */
const LEAST_REST_MS = 10;
/** Of one hand that goes on and on, one text is kept for so long, ms: people are shown its changes as one. */
const ROW_MS = 120_000;
const MAX_ROWS = 5000;
/** At the end, what waits is looked at for at most so long, ms. */
const STOP_WITHIN_MS = 1000;

export interface TextKeeperDependencies {
  texts: KeptTexts;
  /** The content that a path was last known to have. */
  known: (path: string) => string | undefined;
  /** Of a regular file, in this turn; null where there is none, undefined where it can't be had. */
  read: (path: string, maxBytes: number) => Uint8Array | null | undefined;
  /** Whether texts of the path may be kept. */
  mayKeep: (path: string) => boolean;
  /** Milliseconds of a clock that only goes forward. */
  now: () => number;
}

/** Who made a change, and when. */
interface Hand {
  actor: string;
  /** Saves by itself, or writes all the time: what it makes is kept at its end, and now and then. */
  goesOn: boolean;
  at: number;
}

interface Look extends Hand {
  hash: string;
  dueMs: number;
}

/** Texts of one hand in one file, of which the last is dropped when the next one comes. */
interface Row {
  actor: string;
  firstAt: number;
  last: string | undefined;
}

/**
 * Keeps what files hold after each change, and what they held before one by a call or a document. Files are looked at a little later, at a pace: where
 * somebody else wrote meanwhile, what was there is not kept.
 */
export class TextKeeper {
  readonly #dependencies: TextKeeperDependencies;
  readonly #maxFileBytes: number;
  readonly #looks = new Map<string, Look>();
  readonly #rows = new Map<string, Row>();
  #free = LOOKS_AT_ONCE;
  #countedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(dependencies: TextKeeperDependencies, options: { maxFileBytes: number }) {
    this.#dependencies = dependencies;
    this.#maxFileBytes = options.maxFileBytes;
    this.#countedMs = dependencies.now();
  }

  /** A file is about to be changed or removed by us. */
  about(path: string, cause: Cause): void {
    const { texts, known, mayKeep } = this.#dependencies;
    const look = this.#looks.get(path);
    if (look?.actor === actorOf(cause) && (look.goesOn || !this.#takeTurn())) return;
    if (texts.isFull || !mayKeep(path)) return;
    const hash = known(path);
    if (hash !== undefined && texts.hasAt(hash, path)) return;
    this.#looks.delete(path);
    this.#keep(path, look);
  }

  /** Somebody is about to work in a file: a program may change it before they do. */
  opened(path: string): void {
    const { texts, known, mayKeep } = this.#dependencies;
    const hash = known(path);
    if (this.#looks.has(path) || texts.isFull || !mayKeep(path) || (hash !== undefined && texts.hasAt(hash, path))) return;
    if (this.#takeTurn()) this.#keep(path, undefined);
  }

  changed(changes: readonly Change[]): void {
    for (const change of changes) this.#changed(change);
    this.#schedule();
  }

  /** Looks at what waits, as far as there is time; resolves when all is stored. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const { now, texts } = this.#dependencies;
    const end = now() + STOP_WITHIN_MS;
    for (const path of this.#looks.keys()) if (now() < end) this.#look(path);
    await texts.stored();
  }

  #changed({ path, from, kind, what, after, size, at, cause }: Change): void {
    const { texts, mayKeep, now } = this.#dependencies;
    if (what === 'moved' && from !== undefined) return this.#moved(from, path, kind === 'directory');
    const actor = actorOf(cause);
    if (this.#rows.get(path)?.actor !== actor) this.#rows.delete(path);
    const before = this.#looks.get(path);
    this.#looks.delete(path);
    if (kind !== 'file' || what === 'removed' || after === null || (size ?? 0) > this.#maxFileBytes || !mayKeep(path)) return;
    if (texts.hasAt(after, path)) return;
    const goesOn = cause.kind === 'document' || cause.kind === 'outside';
    const dueMs = before?.actor === actor ? before.dueMs : now() + LOOK_AFTER_MS;
    this.#looks.set(path, { hash: after, actor, goesOn, at, dueMs });
    if (this.#looks.size > MAX_WAITING) this.#looks.delete(this.#looks.keys().next().value as string);
  }

  /** What waits for its look goes with its file. */
  #moved(from: string, to: string, isFolder: boolean): void {
    this.#rows.delete(from);
    const moved = isFolder ? [...this.#looks.keys()].filter((path) => path.startsWith(`${from}/`)) : [from];
    for (const path of moved) {
      const look = this.#looks.get(path);
      this.#looks.delete(path);
      if (look !== undefined) this.#looks.set(to + path.slice(from.length), look);
    }
  }

  #schedule(): void {
    const [first] = this.#looks.values();
    if (this.#stopped || this.#timer !== undefined || first === undefined) return;
    this.#count();
    const waitMs = Math.max(first.dueMs - this.#dependencies.now(), ((1 - this.#free) * 1000) / LOOKS_PER_SECOND, LEAST_REST_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const [path, { dueMs }] of this.#looks) {
        if (dueMs > this.#dependencies.now() || !this.#takeTurn()) break;
        this.#look(path);
      }
      this.#schedule();
    }, waitMs).unref();
  }

  #takeTurn(): boolean {
    this.#count();
    if (this.#free < 1) return false;
    this.#free--;
    return true;
  }

  #count(): void {
    const now = this.#dependencies.now();
    this.#free = Math.min(LOOKS_AT_ONCE, this.#free + ((now - this.#countedMs) * LOOKS_PER_SECOND) / 1000);
    this.#countedMs = now;
  }

  #look(path: string): void {
    const look = this.#looks.get(path);
    this.#looks.delete(path);
    // It may have been moved there since.
    if (look !== undefined && this.#dependencies.mayKeep(path)) this.#keep(path, look, look.hash);
  }

  /** Keeps what the file holds, where that is text, and `wanted`. `hand`: whose text it is. */
  #keep(path: string, hand: Hand | undefined, wanted?: string): void {
    const { read, texts } = this.#dependencies;
    const bytes = read(path, this.#maxFileBytes);
    if (bytes === null || bytes === undefined) return;
    const hash = hashBytes(bytes);
    if ((wanted !== undefined && hash !== wanted) || decodeText(bytes) === undefined) return;
    texts.keep({ hash, path }, bytes);
    if (hand?.goesOn === true) this.#thinOut(path, hash, hand);
  }

  /** Somebody who types for an hour leaves a text for each two minutes, not one for each save. */
  #thinOut(path: string, hash: string, { actor, at }: Hand): void {
    const row = this.#rows.get(path);
    this.#rows.delete(path);
    if (this.#rows.size >= MAX_ROWS) this.#rows.clear();
    const goesOn = row !== undefined && row.actor === actor && at - row.firstAt < ROW_MS;
    if (goesOn && row.last !== undefined && row.last !== hash) this.#dependencies.texts.drop({ hash: row.last, path });
    this.#rows.set(path, goesOn ? { ...row, last: hash } : { actor, firstAt: at, last: undefined });
  }
}

/** The same for changes that people are shown as one. */
function actorOf({ kind, who }: Cause): string {
  return JSON.stringify([kind, who?.[0]?.kind, who?.[0]?.name]);
}

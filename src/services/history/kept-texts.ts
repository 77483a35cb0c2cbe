import os from 'node:os';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { State } from '../state/state.ts';

const compress = promisify(zlib.zstdCompress);
const decompress = promisify(zlib.zstdDecompress);
/** What is kept in memory until it is stored; what comes then is not kept. */
const MAX_WAITING = 200;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Of what is kept in one turn so much is stored in it, so that no kill after it loses that; each text counts for so many bytes at least. */
const AT_ONCE_BYTES = 64 * 1024;
const LEAST_BYTES = 4 * 1024;
/** Dropped when there are too many, of what they may take: a share, so that not each new one drops another. */
const DROPPED_SHARE = 0.1;
const DROPPED_AT_ONCE = 16;
const DAY_MS = 86_400_000;

export interface KeptTextsOptions {
  /** What they may take, compressed. */
  maxBytes: number;
  keepDays: number;
}

export interface KeptTextsDependencies {
  state: State;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets, and that goes on while the machine sleeps. */
  sinceBoot?: () => number;
  /** Told once when they can't be stored, until they can again. */
  failed: (error: unknown) => void;
}

/** A text by the hash of its bytes, and the path at which it was seen. */
interface TextKey {
  hash: string;
  path: string;
}

interface Stored {
  id: number;
  bytes: number;
}

/** Texts of files as they were; the oldest are dropped. What is kept is there at once, and stored by the end of the turn or, where that is much, soon after. */
export class KeptTexts {
  readonly #state: State;
  readonly #now: () => number;
  readonly #sinceBoot: () => number;
  readonly #failed: KeptTextsDependencies['failed'];
  readonly #options: KeptTextsOptions;
  readonly #waiting = new Map<string, TextKey & { bytes: Uint8Array }>();
  #waitingBytes = 0;
  /** Stored in this turn. */
  #ofTurn = 0;
  #storing: Promise<void> | undefined;
  #failing = false;
  /** How far the clock by which texts have their ages is ahead of the other one. */
  #ahead: number;
  /** Taken by all that is stored; counted when first asked for. */
  #bytes: number | undefined;

  constructor({ state, now, sinceBoot = () => os.uptime() * 1000, failed }: KeptTextsDependencies, options: KeptTextsOptions) {
    this.#state = state;
    this.#now = now;
    this.#sinceBoot = sinceBoot;
    this.#ahead = now() - sinceBoot();
    this.#failed = failed;
    this.#options = options;
  }

  /** Drops what is too old, now and once a day. Returns the way to stop. */
  keepTidy(): () => void {
    const tidy = (): void => {
      try {
        this.#followClock();
        this.#change(() => this.#prune());
      } catch (error) {
        this.#failed(error);
      }
    };
    tidy();
    const timer = setInterval(tidy, DAY_MS).unref();
    return () => clearInterval(timer);
  }

  /** Whether the text can be had; `visible`: of which paths. */
  has(hash: string, visible: (path: string) => boolean = () => true): boolean {
    return this.#amongWaiting(hash, visible) !== undefined || this.#amongStored(hash, visible) !== undefined;
  }

  hasAt(hash: string, path: string): boolean {
    if (this.#waiting.has(keyOf({ hash, path }))) return true;
    return this.#state.statement('SELECT 1 FROM kept_texts WHERE hash = ? AND path = ?').get(hash, path) !== undefined;
  }

  /** Undefined where it is not kept. */
  async get(hash: string, visible: (path: string) => boolean = () => true): Promise<Uint8Array | undefined> {
    const waiting = this.#amongWaiting(hash, visible);
    if (waiting !== undefined) return waiting.bytes;
    const stored = this.#amongStored(hash, visible);
    if (stored === undefined) return undefined;
    const row = this.#state.statement('SELECT content FROM kept_texts WHERE id = ?').get(stored.id) as { content: Uint8Array };
    return await decompress(row.content);
  }

  /** So many wait to be stored that no more are kept: to read one is in vain. */
  get isFull(): boolean {
    return this.#waiting.size >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES;
  }

  /** Not where too much waits to be stored. */
  keep(key: TextKey, bytes: Uint8Array): void {
    if (this.isFull || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
    if (this.#waiting.has(keyOf(key))) return;
    if (this.#takeOfTurn(bytes.length)) return this.#tryTo(() => this.#store(key, zlib.zstdCompressSync(bytes)));
    this.#waiting.set(keyOf(key), { ...key, bytes });
    this.#waitingBytes += bytes.length;
    this.#storing ??= this.#storeAll().finally(() => {
      this.#storing = undefined;
    });
  }

  /** What can't be dropped stays. */
  drop(key: TextKey): void {
    this.#forget(key);
    this.#tryTo(() => this.#drop(key));
  }

  #drop(key: TextKey): void {
    const row = this.#state
      .statement('SELECT id, length(content) AS bytes FROM kept_texts WHERE hash = ? AND path = ?')
      .get(key.hash, key.path) as Stored | undefined;
    if (row !== undefined) this.#change(() => this.#delete([row]));
  }

  /** Resolves when all that was kept is stored, or can't be. */
  async stored(): Promise<void> {
    await this.#storing;
  }

  async #storeAll(): Promise<void> {
    for (const waiting of this.#waiting.values()) {
      const content = await compress(waiting.bytes);
      // Else it was dropped meanwhile.
      if (this.#waiting.has(keyOf(waiting))) this.#tryTo(() => this.#store(waiting, content));
      this.#forget(waiting);
    }
  }

  #takeOfTurn(bytes: number): boolean {
    const share = Math.max(bytes, LEAST_BYTES);
    if (this.#ofTurn + share > AT_ONCE_BYTES) return false;
    if (this.#ofTurn === 0) setImmediate(() => (this.#ofTurn = 0));
    this.#ofTurn += share;
    return true;
  }

  #tryTo(store: () => void): void {
    try {
      store();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#failed(error);
      this.#failing = true;
    }
  }

  #store({ hash, path }: TextKey, content: Uint8Array): void {
    this.#followClock();
    this.#change(() => {
      const before = this.#bytesNow();
      const { changes } = this.#state.statement('UPDATE kept_texts SET at = ? WHERE hash = ? AND path = ?').run(this.#now(), hash, path);
      if (changes !== 0) return;
      this.#state.statement('INSERT INTO kept_texts(hash, path, at, content) VALUES(?,?,?,?)').run(hash, path, this.#now(), content);
      this.#bytes = before + content.length;
      this.#prune();
    });
  }

  /** A clock that is set, as when a machine without one of its own has found a network, makes nothing older. */
  #followClock(): void {
    const ahead = this.#now() - this.#sinceBoot();
    if (Math.abs(ahead - this.#ahead) < DAY_MS) return;
    this.#state.statement('UPDATE kept_texts SET at = at + ?').run(Math.round(ahead - this.#ahead));
    this.#ahead = ahead;
  }

  /** All of it, or nothing. */
  #change(work: () => void): void {
    try {
      this.#state.transaction(work);
    } catch (error) {
      this.#bytes = undefined;
      throw error;
    }
  }

  #forget(key: TextKey): void {
    const waiting = this.#waiting.get(keyOf(key));
    if (waiting === undefined) return;
    this.#waiting.delete(keyOf(key));
    this.#waitingBytes -= waiting.bytes.length;
  }

  #amongWaiting(hash: string, visible: (path: string) => boolean): { bytes: Uint8Array } | undefined {
    for (const one of this.#waiting.values()) if (one.hash === hash && visible(one.path)) return one;
    return undefined;
  }

  #amongStored(hash: string, visible: (path: string) => boolean): { id: number; path: string } | undefined {
    // Thousands of files may have held the same: of those the first is enough.
    for (const row of this.#state.statement('SELECT id, path FROM kept_texts WHERE hash = ?').iterate(hash)) {
      const { id, path } = row as { id: number; path: string };
      if (visible(path)) return { id, path };
    }
    return undefined;
  }

  #bytesNow(): number {
    this.#bytes ??= (
      this.#state.statement('SELECT coalesce(sum(length(content)), 0) AS bytes FROM kept_texts').get() as { bytes: number }
    ).bytes;
    return this.#bytes;
  }

  #prune(): void {
    const { maxBytes, keepDays } = this.#options;
    const now = this.#now();
    const oldest = now - keepDays * DAY_MS;
    // The clock was set back while nobody ran: what is kept from now on is younger.
    this.#state.statement('UPDATE kept_texts SET at = ? WHERE at > ?').run(now, now);
    const most = this.#bytesNow() > maxBytes ? maxBytes * (1 - DROPPED_SHARE) : maxBytes;
    for (;;) {
      const rows = this.#state
        .statement('SELECT id, at, length(content) AS bytes FROM kept_texts ORDER BY at, id LIMIT ?')
        .all(DROPPED_AT_ONCE) as unknown as (Stored & { at: number })[];
      let left = this.#bytesNow();
      const dropped = rows.filter(({ at, bytes }) => {
        if (left <= most && at >= oldest) return false;
        left -= bytes;
        return true;
      });
      if (dropped.length === 0) return;
      this.#delete(dropped);
    }
  }

  #delete(rows: readonly Stored[]): void {
    const left = this.#bytesNow() - rows.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { id } of rows) this.#state.statement('DELETE FROM kept_texts WHERE id = ?').run(id);
    this.#bytes = left;
  }
}

function keyOf({ hash, path }: TextKey): string {
  return `${hash} ${path}`;
}

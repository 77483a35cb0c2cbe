import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { copyProduct, makePassage, makePrivate, markUsed, moveInto, ownName, removeFolder, sizeOf, storeFile } from './run-folders.ts';
import type { Said } from './stage.ts';

const PRODUCT = 'product';
const SAID = 'said.json';
const MAX_SAID_BYTES = 4 * 1024 * 1024;

export interface CompileKey {
  /** Whose programs these are: another one can't find out what somebody else compiled. */
  domain: string;
  /** Of the compiler as it is installed. */
  tool: string;
  argv: readonly string[];
  /** As in the table, before it is filled: where a session lies is nothing to the compiler. */
  env: Readonly<Record<string, string>>;
  /** Name and sha256 of every file that the compiler can read. */
  sources: readonly (readonly [string, string])[];
}

/** Programs that were compiled once, by all that they were made of. */
export class CompileCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Bytes by key, the one that was used longest ago first; undefined until it was looked at. */
  #sizes: Map<string, number> | undefined;

  constructor(folder: string, options: { maxBytes: number }) {
    this.#folder = folder;
    this.#maxBytes = options.maxBytes;
  }

  static key({ domain, tool, argv, env, sources }: CompileKey): string {
    return createHash('sha256')
      .update(JSON.stringify([domain, tool, argv, byName(Object.entries(env)), byName(sources)]))
      .digest('hex');
  }

  /** Puts the program at `out`, and gives what its compiler said; undefined where it is not there. */
  take(key: string, out: string): Said | undefined {
    try {
      const sizes = this.#begin();
      const size = sizes.get(key);
      if (size === undefined) return undefined;
      const { stdout, stderr, bytes } = JSON.parse(fs.readFileSync(path.join(this.#folder, key, SAID), 'utf8')) as Said & { bytes: number };
      copyProduct(path.join(this.#folder, key, PRODUCT), out);
      // After a crash of the machine a file may be there without its content.
      if (sizeOf(out) !== bytes) throw new Error('It is not whole.');
      sizes.delete(key);
      sizes.set(key, size);
      // Only the next start asks for that.
      setImmediate(() => this.#markUsed(key));
      return { stdout, stderr };
    } catch {
      // Half of it, or a disk that is full: it is compiled again.
      this.#remove(key);
      removeFolder(out);
      return undefined;
    }
  }

  /** Keeps what was made at `out`, where that is files alone. Never throws: it is only slower without. */
  async put(key: string, out: string, said: Said): Promise<void> {
    try {
      const size = sizeOf(out);
      if (size === undefined || size > this.#maxBytes / 4) return;
      const sizes = this.#begin();
      const made = path.join(this.#folder, ownName());
      makePrivate(made);
      try {
        copyProduct(out, path.join(made, PRODUCT));
        await storeFile(made, SAID, Buffer.from(JSON.stringify({ ...said, bytes: size })), MAX_SAID_BYTES);
        if (sizes.has(key)) this.#remove(key);
        moveInto(made, path.join(this.#folder, key));
        sizes.set(key, size);
      } finally {
        removeFolder(made);
      }
      let total = [...sizes.values()].reduce((sum, one) => sum + one, 0);
      for (const [oldest, bytes] of sizes) {
        if (total <= this.#maxBytes) break;
        total -= bytes;
        this.#remove(oldest);
      }
    } catch {
      // A disk that is full, most often.
    }
  }

  #markUsed(key: string): void {
    try {
      markUsed(path.join(this.#folder, key));
    } catch {
      // It went meanwhile.
    }
  }

  #remove(key: string): void {
    this.#sizes?.delete(key);
    removeFolder(path.join(this.#folder, key));
  }

  #begin(): Map<string, number> {
    if (this.#sizes !== undefined) return this.#sizes;
    makePassage(this.#folder);
    const sizes = new Map<string, number>();
    const found = fs.readdirSync(this.#folder).map((name) => ({ name, at: fs.lstatSync(path.join(this.#folder, name)).mtimeMs }));
    for (const { name } of found.sort((one, other) => one.at - other.at)) {
      const size = /^[0-9a-f]{64}$/.test(name) ? sizeOf(path.join(this.#folder, name, PRODUCT)) : undefined;
      if (size === undefined) removeFolder(path.join(this.#folder, name));
      else sizes.set(name, size);
    }
    this.#sizes = sizes;
    return sizes;
  }
}

function byName(pairs: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return pairs.toSorted(([one], [other]) => (one < other ? -1 : 1));
}

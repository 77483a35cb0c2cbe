import fs from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { isSea } from 'node:sea';
import { type Language, programsOf } from './languages.ts';

/** Where programs of runs are looked for: what is in the environment of the sidecar is another matter. */
const SEARCHED = ['/usr/local/bin', '/usr/bin', '/bin'];

/** A program of a language, as it lies on this machine. */
export interface Tool {
  /** Absolute. */
  file: string;
  /** Another one after every update. */
  mark: string;
  /** Absolute folders that it needs beside those of the system. */
  readable: string[];
}

/** What was found a moment ago is not looked for again: one run asks several times. */
const FOUND_FOR_MS = 250;

interface Found {
  tool: Tool;
  /** Milliseconds. */
  at: number;
  /** Where it was found, and what stood there. */
  place: string;
  identity: string;
}

/** Compilers and interpreters of this machine. */
export class Toolchains {
  readonly #node: string | undefined;
  readonly #searched: readonly string[];
  readonly #now: () => number;
  readonly #found = new Map<string, Found>();

  /**
   * `node`: what a program of JavaScript gets; the Node that this program runs in, where that is one for others, too. `now`: ms, of a clock that is not
   * set back.
   */
  constructor({
    node = ownNode(),
    searched = SEARCHED,
    now = () => performance.now(),
  }: { node?: string | undefined; searched?: readonly string[]; now?: () => number } = {}) {
    this.#node = node;
    this.#searched = searched;
    this.#now = now;
  }

  /** Undefined where it is not installed. */
  find(program: string): Tool | undefined {
    const known = this.#found.get(program);
    const now = this.#now();
    if (known !== undefined && now - known.at < FOUND_FOR_MS) return known.tool;
    const found = this.#look(program, known);
    if (found === undefined) this.#found.delete(program);
    else this.#found.set(program, { ...found, at: now });
    return found?.tool;
  }

  #look(program: string, known: Found | undefined): Omit<Found, 'at'> | undefined {
    const places =
      program === 'node' && this.#node !== undefined ? [this.#node] : this.#searched.map((folder) => path.join(folder, program));
    for (const place of places) {
      try {
        const stat = fs.statSync(place, { throwIfNoEntry: false });
        if (stat?.isFile() !== true) continue;
        const identity = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
        // One that needs a folder beside it may have been moved with that.
        if (known?.place === place && known.identity === identity && known.tool.readable.length === 0) return known;
        fs.accessSync(place, fs.constants.X_OK);
        const real = fs.realpathSync(place);
        const isSystem = ['/usr/', '/bin/'].some((prefix) => real.startsWith(prefix));
        const readable = isSystem ? [] : [path.dirname(path.dirname(real))];
        const mark = `${real}:${stat.ino}:${stat.size}:${stat.mtimeMs}`;
        return { tool: { file: isSystem ? place : real, mark, readable }, place, identity };
      } catch {
        // Not this one.
      }
    }
    return undefined;
  }

  missing(language: Language): string[] {
    return programsOf(language).filter((program) => this.find(program) === undefined);
  }
}

/** Undefined where it holds a program that it runs whatever it is given: the single executable, and Electron. */
function ownNode(): string | undefined {
  return isSea() || 'electron' in process.versions ? undefined : process.execPath;
}

/** The command that installs what a language needs. */
export function installLine({ packages }: Language): string {
  return `apt-get install --no-install-recommends ${packages.join(' ')}`;
}

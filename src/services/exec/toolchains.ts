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

/** Compilers and interpreters of this machine. */
export class Toolchains {
  readonly #node: string | undefined;
  readonly #searched: readonly string[];
  readonly #found = new Map<string, { tool: Tool; at: number }>();

  /** `node`: what a program of JavaScript gets; the Node that this program runs in, where that is one for others, too. */
  constructor({ node = ownNode(), searched = SEARCHED }: { node?: string | undefined; searched?: readonly string[] } = {}) {
    this.#node = node;
    this.#searched = searched;
  }

  /** Undefined where it is not installed. */
  find(program: string): Tool | undefined {
    const known = this.#found.get(program);
    if (known !== undefined && performance.now() - known.at < FOUND_FOR_MS) return known.tool;
    const tool = this.#look(program);
    if (tool === undefined) this.#found.delete(program);
    else this.#found.set(program, { tool, at: performance.now() });
    return tool;
  }

  #look(program: string): Tool | undefined {
    const places =
      program === 'node' && this.#node !== undefined ? [this.#node] : this.#searched.map((folder) => path.join(folder, program));
    for (const file of places) {
      try {
        fs.accessSync(file, fs.constants.X_OK);
        const real = fs.realpathSync(file);
        const stat = fs.statSync(real);
        if (!stat.isFile()) continue;
        const isSystem = ['/usr/', '/bin/'].some((prefix) => real.startsWith(prefix));
        const readable = isSystem ? [] : [path.dirname(path.dirname(real))];
        return { file: isSystem ? file : real, mark: `${real}:${stat.ino}:${stat.size}:${stat.mtimeMs}`, readable };
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

import fs from 'node:fs';
import path from 'node:path';
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

/** Compilers and interpreters of this machine. */
export class Toolchains {
  readonly #node: string;
  readonly #searched: readonly string[];

  /** `node`: the Node that this program runs in; a program of JavaScript gets the same. */
  constructor(node: string, searched: readonly string[] = SEARCHED) {
    this.#node = node;
    this.#searched = searched;
  }

  /** Undefined where it is not installed. */
  find(program: string): Tool | undefined {
    const places = program === 'node' ? [this.#node] : this.#searched.map((folder) => path.join(folder, program));
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

/** The command that installs what a language needs. */
export function installLine({ packages }: Language): string {
  return `apt-get install --no-install-recommends ${packages.join(' ')}`;
}

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { baseEnvironment, filled, filledArgv, type Language, type SeedWay } from './languages.ts';
import type { Sandbox } from './isolation/sandbox.ts';
import { defaultLimits } from './limits.ts';
import { makePassage, makePrivate, moveInto, ownName, removeFolder, storeFile } from './run-folders.ts';
import type { Toolchains } from './toolchains.ts';

const SEED = 'seed';
/** Once in the life of a compiler; it may be a slow machine, and Go compiles its whole library. */
const MAKE_WITHIN_MS = 120_000;

/** What a compilation has with a seed: arguments right behind the program, variables, and a folder that it must be able to read. */
export interface SeedUse {
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  readable: readonly string[];
}

/**
 * What a compiler can keep of one compilation for all later ones, made once for each compiler, of a program of our own and in a sandbox, in the
 * background of the first compilation; programs of users can only read it. Of Java the classes of the compiler itself, half of whose time goes into loading
 * them (https://docs.oracle.com/en/java/javase/17/docs/specs/man/java.html#application-class-data-sharing); of Go its build cache with the usual packages,
 * which it uses without writing where it may not write.
 */
export class CompilerSeeds {
  readonly #folder: string;
  readonly #dependencies: { sandbox: Sandbox; toolchains: Toolchains };
  readonly #making = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(dependencies: { sandbox: Sandbox; toolchains: Toolchains }, options: { folder: string }) {
    this.#dependencies = dependencies;
    this.#folder = options.folder;
  }

  /** Undefined where the language has no use for one, or it is not there yet: it is made then. */
  use(language: Language): SeedUse | undefined {
    const { seed, compile } = language;
    if (seed === undefined || compile === undefined) return undefined;
    const tool = this.#dependencies.toolchains.find(compile[0]);
    if (tool === undefined) return undefined;
    const name = `${language.code}-${createHash('sha256').update(tool.mark).digest('hex').slice(0, 16)}`;
    const place = path.join(this.#folder, name);
    const at = path.join(place, SEED);
    if (fs.existsSync(at)) return { ...filledIn(seed.use, at), readable: [place] };
    if (!this.#making.has(name))
      this.#making.set(
        name,
        this.#make(language, place).catch(() => {}),
      );
    return undefined;
  }

  stop(): void {
    this.#stop.abort(new Error('stopped'));
  }

  async #make(language: Language, place: string): Promise<void> {
    const { sandbox, toolchains } = this.#dependencies;
    const { seed, compile, file, memoryMethod } = language;
    const tool = compile === undefined ? undefined : toolchains.find(compile[0]);
    if (seed === undefined || compile === undefined || tool === undefined) return;
    makePassage(this.#folder);
    const folder = path.join(this.#folder, ownName());
    makePrivate(folder);
    try {
      await storeFile(folder, file, Buffer.from(seed.program ?? language.sample), Number.POSITIVE_INFINITY);
      const seen = sandbox.seenAt(folder);
      const places = { workdir: seen, file: `${seen}/${file}`, out: `${seen}/out` };
      const [, ...rest] = filledArgv(compile, places);
      const own = Object.entries(language.environment).map(([name, value]) => [name, filled(value, places)]);
      const { args, env } = filledIn(seed.make, `${seen}/${SEED}`);
      const program = await sandbox.start({
        argv: [tool.file, ...args, ...rest],
        env: { ...baseEnvironment(language), ...Object.fromEntries(own), ...env },
        folder,
        readable: tool.readable,
        limits: { ...defaultLimits, wallMs: MAKE_WITHIN_MS, cpuMs: MAKE_WITHIN_MS, memoryBytes: 2 * defaultLimits.memoryBytes },
        memoryMethod,
        network: false,
        keepStdinOpen: false,
        signal: this.#stop.signal,
        onOutput: () => {},
      });
      const { exitCode } = await program.end;
      if (exitCode !== 0 || fs.lstatSync(path.join(folder, SEED), { throwIfNoEntry: false }) === undefined) return;
      makePassage(folder);
      moveInto(folder, place);
    } finally {
      removeFolder(folder);
    }
  }
}

function filledIn({ args = [], env = {} }: SeedWay, at: string): { args: string[]; env: Record<string, string> } {
  const placed = (text: string): string => text.replace('{seed}', at);
  return { args: args.map(placed), env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, placed(value)])) };
}

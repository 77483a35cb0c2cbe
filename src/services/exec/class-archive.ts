import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { baseEnvironment, filledArgv, type Language } from './languages.ts';
import type { Sandbox } from './isolation/sandbox.ts';
import { defaultLimits } from './limits.ts';
import { makePassage, makePrivate, moveInto, ownName, removeFolder, storeFile } from './session-folder.ts';
import type { Toolchains } from './toolchains.ts';

const ARCHIVE = 'classes.jsa';
/** Once in the life of a compiler; it may be a slow machine. */
const MAKE_WITHIN_MS = 120_000;

/** What a compilation has with an archive: arguments right behind the program, and a folder that it must be able to read. */
export interface ArchiveUse {
  args: readonly string[];
  readable: readonly string[];
}

/**
 * The classes of a Java compiler as it has them in memory, kept in a file: half of its time goes into loading them. Made once for each
 * compiler, of our own sample and in a sandbox, in the background of the first compilation.
 * https://docs.oracle.com/en/java/javase/17/docs/specs/man/java.html#application-class-data-sharing
 */
export class ClassArchives {
  readonly #folder: string;
  readonly #dependencies: { sandbox: Sandbox; toolchains: Toolchains };
  readonly #making = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(dependencies: { sandbox: Sandbox; toolchains: Toolchains }, options: { folder: string }) {
    this.#dependencies = dependencies;
    this.#folder = options.folder;
  }

  /** Undefined where the language has no use for one, or it is not there yet: it is made then. */
  use(language: Language): ArchiveUse | undefined {
    const { archive, compile } = language;
    if (archive === undefined || compile === undefined) return undefined;
    const tool = this.#dependencies.toolchains.find(compile[0]);
    if (tool === undefined) return undefined;
    const name = `${language.code}-${createHash('sha256').update(tool.mark).digest('hex').slice(0, 16)}`;
    const place = path.join(this.#folder, name);
    if (fs.existsSync(path.join(place, ARCHIVE)))
      return { args: [archive.use.replace('{archive}', path.join(place, ARCHIVE))], readable: [place] };
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

  async #make({ archive, compile, file, sample, environment, memoryMethod, code, ...rest }: Language, place: string): Promise<void> {
    const { sandbox, toolchains } = this.#dependencies;
    const tool = compile === undefined ? undefined : toolchains.find(compile[0]);
    if (archive === undefined || compile === undefined || tool === undefined) return;
    makePassage(this.#folder);
    const folder = path.join(this.#folder, ownName());
    makePrivate(folder);
    try {
      await storeFile(folder, file, Buffer.from(sample), Number.POSITIVE_INFINITY);
      const seen = sandbox.seenAt(folder);
      const [, ...args] = filledArgv(compile, { workdir: seen, file: `${seen}/${file}`, out: `${seen}/out` });
      const program = await sandbox.start({
        argv: [tool.file, archive.make.replace('{archive}', `${seen}/${ARCHIVE}`), ...args],
        env: { ...baseEnvironment({ archive, compile, file, sample, environment, memoryMethod, code, ...rest }) },
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
      const made = path.join(folder, ARCHIVE);
      if (exitCode !== 0 || fs.lstatSync(made, { throwIfNoEntry: false })?.isFile() !== true) return;
      makePassage(folder);
      moveInto(folder, place);
    } finally {
      removeFolder(folder);
    }
  }
}

import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { FoundFile } from '../../contract/search.ts';
import { createIgnore } from '../workspace/ignore.ts';
import type { OpenProcess, Processes, RunResult } from '../processes/processes.ts';
import { ItemLines } from './item-lines.ts';
import { readLongLine } from './long-line.ts';
import { type FileMatches, ReplacementReader } from './rg-replacements.ts';
import { type LineLimits, readEvent } from './rg-events.ts';
import { throwIfBadPattern } from './rg-errors.ts';
import { RgMessages } from './rg-messages.ts';

/** Longest a search may take, a slow reader included. */
export const SEARCH_TIMEOUT_MS = 600_000;
const WALK_TIMEOUT_MS = 120_000;
const MAX_LIST_BYTES = 512 * 1024 * 1024;
/** Of all names that are given to one process: well below what Linux, macOS and Windows take. */
const MAX_ARGUMENT_BYTES = process.platform === 'win32' ? 24_000 : 512 * 1024;
const BAD_PATTERN_EXIT = 2;
/** Something matched, nothing did, and something could not be read. Whatever else is no answer. */
const EXITS: readonly (number | null)[] = [0, 1, 2];

/** For a start that may do a moment later. */
const LACKING: readonly string[] = ['TOO_MANY_PROCESSES', 'DISK_FULL', 'PROCESS_TIMEOUT'];

/** Which files are looked at. */
export interface Walk {
  /** '' for all. */
  path: string;
  include: readonly string[];
  exclude: readonly string[];
  hidden: boolean;
  ignored: boolean;
  /** Neither opened nor entered, whatever else is said; relative to the root. */
  without?: readonly string[];
}

export interface TextQuery {
  pattern: string;
  regex: boolean;
  caseSensitive: boolean;
  word: boolean;
  multiline: boolean;
  context: number;
  /** What each match would become. */
  replace?: string | undefined;
}

/** Told of each file's lines in order; resolves when there is room for more. `matches` counts those with ranges. */
export type OnFound = (file: FoundFile, matches: number) => Promise<boolean>;

/** The program ripgrep: it defines what matches and which files are looked at. */
export class Ripgrep {
  readonly #processes: Processes;
  readonly #program: string;
  readonly #root: string;
  readonly #unwatched: readonly string[];
  readonly #isUnwatched: (path: string) => boolean;

  /**
   * `program`: a path, or a name on PATH. `unwatched`: globs of what nobody hears of when it changes; a walk leaves it out as if ignore files did, but
   * one of a place in it.
   */
  constructor(dependencies: { processes: Processes }, options: { program: string; root: string; unwatched?: readonly string[] }) {
    this.#processes = dependencies.processes;
    this.#program = options.program;
    this.#root = options.root;
    const { unwatched = [] } = options;
    this.#isUnwatched = createIgnore(unwatched);
    this.#unwatched = unwatched.filter((glob) => simpleGlob.test(glob)).map((glob) => (glob.startsWith('**/') ? glob : `/${glob}`));
  }

  /** Whether that walk leaves out a path, whatever ignore files say. */
  leavesOut(path: string, walk: Pick<Walk, 'path' | 'ignored'>): boolean {
    return this.#honoursWatch(walk) && this.#isUnwatched(path);
  }

  /** Its version, or undefined when it can't be run. Throws what the system lacks just now: TOO_MANY_PROCESSES, DISK_FULL, PROCESS_TIMEOUT. */
  async version(): Promise<string | undefined> {
    try {
      // Not in the folder, which may be gone.
      const { root: cwd } = path.parse(this.#root);
      const { exitCode, stdout } = await this.#processes.run({ argv: [this.#program, '--version'], cwd, timeoutMs: 10_000 });
      return exitCode === 0 ? /ripgrep (\S+)/.exec(stdout.toString())?.[1] : undefined;
    } catch (error) {
      if (error instanceof OutriggerError && LACKING.includes(error.reason)) throw error;
      return undefined;
    }
  }

  /**
   * All files that a search would look at, workspace-relative. With `names`, those that are called so, and maybe more; hidden ones among these even where
   * they are not looked at. Throws BAD_PATTERN for a malformed glob, WORKSPACE_GONE.
   */
  async files(
    walk: Walk,
    options: { depth?: number; names?: readonly string[] | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<string[]> {
    const depth = options.depth === undefined ? [] : ['--max-depth', String(options.depth)];
    const names = options.names === undefined ? [] : nameArguments(options.names);
    const running = this.#processes.run({
      argv: [
        this.#program,
        '--files',
        '--null',
        ...commonArguments,
        ...depth,
        ...names,
        ...this.#walkArguments(walk),
        '--',
        place(walk.path),
      ],
      cwd: this.#root,
      timeoutMs: WALK_TIMEOUT_MS,
      maxOutputBytes: MAX_LIST_BYTES,
      signal: options.signal,
    });
    const ended = await this.#inFolder(running);
    const { exitCode, stdout, stderr, omittedBytes } = ended;
    if (exitCode === BAD_PATTERN_EXIT && stdout.length === 0) throwIfBadPattern(stderr.toString());
    throwIfUnfinished(ended);
    if (omittedBytes > 0) throw new OutriggerError('INTERNAL', `The list of files is longer than ${MAX_LIST_BYTES} bytes.`);
    const files = stdout.toString().split('\0');
    files.pop();
    const found = files.map(stripPlace);
    return this.#honoursWatch(walk) ? found.filter((file) => !this.#isUnwatched(file)) : found;
  }

  /**
   * Searches: with `files`, those alone, whatever ignore rules say of them; else all that `walk` reaches. Ends early when `found`
   * resolves with false. Throws BAD_PATTERN, CANCELED, PROCESS_TIMEOUT, WORKSPACE_GONE.
   */
  async search(
    query: TextQuery,
    where: { walk: Walk; depth?: number } | { files: readonly string[] },
    limits: LineLimits,
    found: OnFound,
    signal: AbortSignal,
  ): Promise<void> {
    const shared = [this.#program, '--json', ...commonArguments, ...queryArguments(query)] as const;
    if ('walk' in where) {
      const { walk } = where;
      const depth = where.depth === undefined ? [] : ['--max-depth', String(where.depth)];
      const argv = [...shared, ...depth, ...this.#walkArguments(walk), '--', place(walk.path)] as const;
      const seen: OnFound = async (file, matches) => this.#isUnwatched(file.path) || (await found(file, matches));
      await this.#run(argv, query.pattern, limits, this.#honoursWatch(walk) ? seen : found, signal);
      return;
    }
    for (const part of inParts(where.files))
      if (!(await this.#run([...shared, '--', ...part], query.pattern, limits, found, signal))) return;
  }

  /** What each match in these files becomes, file by file, in the lines that are wanted. Throws BAD_PATTERN, CANCELED, OUTPUT_TOO_LARGE, PROCESS_TIMEOUT. */
  async *replacements(
    query: TextQuery & { replace: string },
    files: readonly string[],
    signal: AbortSignal,
    isWanted: (path: string, line: number) => boolean = () => true,
  ): AsyncGenerator<FileMatches, void, undefined> {
    const shared = [this.#program, '--json', ...commonArguments, ...queryArguments({ ...query, context: 0 })] as const;
    const reader = new ReplacementReader({ stripPlace, isWanted });
    for (const part of inParts(files)) {
      const argv = [...shared, '--', ...part] as const;
      const opened = this.#processes.open({ argv, cwd: this.#root, timeoutMs: SEARCH_TIMEOUT_MS, signal });
      const messages = new RgMessages();
      let isRead = false;
      try {
        for await (const chunk of opened.stdout as AsyncIterable<Buffer>) {
          for (const { json, shortened } of messages.push(chunk)) {
            const file = reader.push(json, shortened);
            if (file !== undefined) yield file;
          }
        }
        isRead = true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
        // Ended on our side: what `result` says of it is the reason.
        isRead = true;
      } finally {
        if (!isRead) {
          opened.end();
          await opened.result.catch(() => {});
        }
      }
      const ended = await this.#inFolder(opened.result);
      if (ended.exitCode === BAD_PATTERN_EXIT) throwIfBadPattern(ended.stderr.toString(), query.pattern);
      throwIfUnfinished(ended);
    }
  }

  #honoursWatch({ path, ignored }: Pick<Walk, 'path' | 'ignored'>): boolean {
    return !ignored && !this.#isUnwatched(path);
  }

  #walkArguments(walk: Walk): string[] {
    const { include, exclude, hidden, ignored, without = [] } = walk;
    return [
      ...(hidden ? ['--hidden'] : []),
      ...(ignored ? ['--no-ignore'] : []),
      ...include.map((glob) => `--glob=${glob}`),
      ...exclude.map((glob) => `--glob=!${glob}`),
      // The last of the globs that fit counts, and these come last: neither a glob nor an ignore file leads into a git folder. A place that is named is no match of a glob.
      '--iglob=!.git',
      ...(this.#honoursWatch(walk) ? this.#unwatched.map((glob) => `--glob=!${glob}`) : []),
      ...without.map((path) => `--glob=!${globOf(path)}`),
    ];
  }

  async #run(
    argv: readonly [string, ...string[]],
    pattern: string,
    limits: LineLimits,
    found: OnFound,
    signal: AbortSignal,
  ): Promise<boolean> {
    const opened = this.#processes.open({ argv, cwd: this.#root, timeoutMs: SEARCH_TIMEOUT_MS, signal });
    const goesOn = await this.#read(opened, limits, found, signal);
    if (!goesOn) {
      opened.end();
      await opened.result.catch(() => {});
      signal.throwIfAborted();
      return false;
    }
    const ended = await this.#inFolder(opened.result);
    if (ended.exitCode === BAD_PATTERN_EXIT) throwIfBadPattern(ended.stderr.toString(), pattern);
    throwIfUnfinished(ended);
    return true;
  }

  /** A program can't be started in a folder that is gone; what the system says then names the program. */
  async #inFolder<T>(running: Promise<T>): Promise<T> {
    try {
      return await running;
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'TOOL_MISSING' && !fs.existsSync(this.#root))
        throw new OutriggerError('WORKSPACE_GONE', `The folder ${path.basename(this.#root)} is not there any more.`, { cause: error });
      throw error;
    }
  }

  /** False when `found` wanted no more. */
  async #read(opened: OpenProcess, limits: LineLimits, found: OnFound, signal: AbortSignal): Promise<boolean> {
    let file = '';
    const lines = new ItemLines();
    const tell = async (): Promise<boolean> => {
      const item = lines.take(file);
      return found(item.file, item.matches);
    };
    const messages = new RgMessages();
    try {
      for await (const chunk of opened.stdout as AsyncIterable<Buffer>) {
        for (const { json, shortened } of messages.push(chunk)) {
          const event = readEvent(json, limits, shortened);
          if (event === undefined) continue;
          if (event.type === 'begin') file = stripPlace(event.path);
          else if (event.type === 'end') {
            if (!lines.isEmpty && !(await tell())) return false;
          } else {
            lines.add(event.type === 'line' ? event.line : await readLongLine(path.join(this.#root, file), event.line, limits, signal));
            if (lines.isFull && !(await tell())) return false;
          }
        }
      }
    } catch (error) {
      // Ended on our side: what `result` says of it is the reason.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    }
    return true;
  }
}

/** One that was killed, or failed within itself, has not told all. */
function throwIfUnfinished({ exitCode, exitSignal }: Pick<RunResult, 'exitCode' | 'exitSignal'>): void {
  if (EXITS.includes(exitCode)) return;
  throw new OutriggerError('INTERNAL', `ripgrep ended with ${exitSignal ?? exitCode} before it had looked at everything.`);
}

const commonArguments = ['--no-config', '--no-messages', '--color', 'never'];

function queryArguments({ pattern, regex, caseSensitive, word, multiline, context, replace }: TextQuery): string[] {
  return [
    ...(regex ? [] : ['--fixed-strings']),
    caseSensitive ? '--case-sensitive' : '--ignore-case',
    ...(word ? ['--word-regexp'] : []),
    ...(multiline ? ['--multiline'] : []),
    ...(context > 0 ? ['--context', String(context)] : []),
    // A text is replaced by a text: no dollar sign in it stands for a group.
    ...(replace === undefined ? [] : [`--replace=${regex ? replace : replace.replaceAll('$', '$$$$')}`]),
    // One argument: a pattern may begin with a dash.
    `--regexp=${pattern}`,
  ];
}

/** One that means the same to ripgrep; what others leave out is left out of what it says. */
const simpleGlob = /^(?:\*\*\/)?[\w.-]+(?:\/[\w.-]+)*$/;

/** Of this place alone. (What was no UTF-8 is not known: a sign of it stands for anything.) */
export function globOf(path: string): string {
  return `/${path.replaceAll(/[*?[\]{}\\\s]/g, '[$&]').replaceAll('\uFFFD', '*')}`;
}

/** A type of files of our own: globs would bring to light what ignore files leave out. What means something in a glob, or in a type, stands for anything. */
function nameArguments(names: readonly string[]): string[] {
  return [...names.map((name) => `--type-add=wanted:${name.replaceAll(/[^\p{L}\p{N}_.-]+/gu, '*')}`), '--type=wanted'];
}

/** Without a place, ripgrep would read its input where that is a pipe. */
function place(path: string): string {
  return path === '' ? './' : `./${path}`;
}

function stripPlace(path: string): string {
  const plain = path.startsWith('./') ? path.slice(2) : path;
  return process.platform === 'win32' ? plain.replaceAll('\\', '/') : plain;
}

function* inParts(files: readonly string[]): Generator<string[]> {
  let part: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const size = Buffer.byteLength(file) + 3;
    if (bytes + size > MAX_ARGUMENT_BYTES && part.length > 0) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(place(file));
    bytes += size;
  }
  if (part.length > 0) yield part;
}

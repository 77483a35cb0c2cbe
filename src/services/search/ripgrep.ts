import { OutriggerError } from '../../contract/errors.ts';
import type { FoundFile, FoundLine } from '../../contract/search.ts';
import type { OpenProcess, Processes } from '../processes/processes.ts';
import { type LineLimits, readEvent } from './rg-events.ts';

/** Longest a search may take, a slow reader included. */
const SEARCH_TIMEOUT_MS = 600_000;
const WALK_TIMEOUT_MS = 120_000;
const MAX_LIST_BYTES = 512 * 1024 * 1024;
/** Lines of one file in one item: a file with a million of them comes in many. */
const LINES_PER_ITEM = 200;
/** Of all names that are given to one process: well below what Linux, macOS and Windows take. */
const MAX_ARGUMENT_BYTES = process.platform === 'win32' ? 24_000 : 512 * 1024;
const BAD_PATTERN_EXIT = 2;

/** Which files are looked at. */
export interface Walk {
  /** '' for all. */
  path: string;
  include: readonly string[];
  exclude: readonly string[];
  hidden: boolean;
  ignored: boolean;
}

export interface TextQuery {
  pattern: string;
  regex: boolean;
  caseSensitive: boolean;
  word: boolean;
  multiline: boolean;
  context: number;
}

/** Told of each file's lines in order; resolves when there is room for more. `matches` counts those with ranges. */
export type OnFound = (file: FoundFile, matches: number) => Promise<boolean>;

/** The program ripgrep: it defines what matches and which files are looked at. */
export class Ripgrep {
  readonly #processes: Processes;
  readonly #program: string;
  readonly #root: string;

  /** `program`: a path, or a name on PATH. */
  constructor(dependencies: { processes: Processes }, options: { program: string; root: string }) {
    this.#processes = dependencies.processes;
    this.#program = options.program;
    this.#root = options.root;
  }

  /** Its version, or undefined when it can't be run. */
  async version(): Promise<string | undefined> {
    try {
      const { exitCode, stdout } = await this.#processes.run({ argv: [this.#program, '--version'], cwd: this.#root, timeoutMs: 10_000 });
      return exitCode === 0 ? /ripgrep (\S+)/.exec(stdout.toString())?.[1] : undefined;
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'STOPPING') throw error;
      return undefined;
    }
  }

  /** All files that a search would look at, workspace-relative. Throws BAD_PATTERN for a malformed glob. */
  async files(walk: Walk, options: { depth?: number; signal?: AbortSignal | undefined } = {}): Promise<string[]> {
    const depth = options.depth === undefined ? [] : ['--max-depth', String(options.depth)];
    const { exitCode, stdout, stderr } = await this.#processes.run({
      argv: [this.#program, '--files', '--null', ...commonArguments, ...depth, ...walkArguments(walk), '--', place(walk.path)],
      cwd: this.#root,
      timeoutMs: WALK_TIMEOUT_MS,
      maxOutputBytes: MAX_LIST_BYTES,
      signal: options.signal,
    });
    if (exitCode === BAD_PATTERN_EXIT && stdout.length === 0) throwIfBadPattern(stderr.toString());
    const files = stdout.toString().split('\0');
    files.pop();
    return files.map(stripPlace);
  }

  /**
   * Searches: with `files`, those alone, whatever ignore rules say of them; else all that `walk` reaches. Ends early when `found`
   * resolves with false. Throws BAD_PATTERN, CANCELED, PROCESS_TIMEOUT.
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
      const depth = where.depth === undefined ? [] : ['--max-depth', String(where.depth)];
      await this.#run([...shared, ...depth, ...walkArguments(where.walk), '--', place(where.walk.path)], limits, found, signal);
      return;
    }
    for (const part of inParts(where.files)) if (!(await this.#run([...shared, '--', ...part], limits, found, signal))) return;
  }

  async #run(argv: readonly [string, ...string[]], limits: LineLimits, found: OnFound, signal: AbortSignal): Promise<boolean> {
    const opened = this.#processes.open({ argv, cwd: this.#root, timeoutMs: SEARCH_TIMEOUT_MS, signal });
    const goesOn = await this.#read(opened, limits, found);
    if (!goesOn) {
      opened.end();
      await opened.result.catch(() => {});
      signal.throwIfAborted();
      return false;
    }
    const { exitCode, stderr } = await opened.result;
    if (exitCode === BAD_PATTERN_EXIT) throwIfBadPattern(stderr.toString());
    return true;
  }

  /** False when `found` wanted no more. */
  async #read(opened: OpenProcess, limits: LineLimits, found: OnFound): Promise<boolean> {
    let file = '';
    let lines: FoundLine[] = [];
    let matches = 0;
    const flush = async (): Promise<boolean> => {
      if (lines.length === 0) return true;
      const item = { path: file, lines };
      const count = matches;
      lines = [];
      matches = 0;
      return found(item, count);
    };
    let rest = '';
    opened.stdout.setEncoding('utf8');
    try {
      for await (const chunk of opened.stdout as AsyncIterable<string>) {
        const texts = (rest + chunk).split('\n');
        rest = texts.pop() ?? '';
        for (const text of texts) {
          const event = readEvent(text, limits);
          if (event === undefined) continue;
          if (event.type === 'begin') file = stripPlace(event.path);
          else if (event.type === 'line') {
            lines.push(event.line);
            if (event.line.ranges !== undefined) matches++;
            if (lines.length >= LINES_PER_ITEM && !(await flush())) return false;
          } else if (!(await flush())) return false;
        }
      }
    } catch (error) {
      // Ended on our side: what `result` says of it is the reason.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    }
    return true;
  }
}

const commonArguments = ['--no-config', '--no-messages', '--color', 'never'];

function queryArguments({ pattern, regex, caseSensitive, word, multiline, context }: TextQuery): string[] {
  return [
    ...(regex ? [] : ['--fixed-strings']),
    caseSensitive ? '--case-sensitive' : '--ignore-case',
    ...(word ? ['--word-regexp'] : []),
    ...(multiline ? ['--multiline'] : []),
    ...(context > 0 ? ['--context', String(context)] : []),
    // One argument: a pattern may begin with a dash.
    `--regexp=${pattern}`,
  ];
}

function walkArguments({ include, exclude, hidden, ignored }: Walk): string[] {
  return [
    ...(hidden ? ['--hidden'] : []),
    ...(ignored ? ['--no-ignore'] : []),
    ...include.map((glob) => `--glob=${glob}`),
    ...exclude.map((glob) => `--glob=!${glob}`),
    ...(hidden ? ['--glob=!.git'] : []),
  ];
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

/** ripgrep says in several lines what is wrong with a pattern, with a caret below the place. */
function throwIfBadPattern(stderr: string): void {
  const text = stderr.trim();
  if (text === '') return;
  const isGlob = text.includes('error parsing glob');
  if (!isGlob && !/regex|pattern|literal|multiline/i.test(text)) return;
  // ripgrep shows the pattern four columns in, wrapped in `(?:` and `)`; what points at the wrapping has no place in the pattern.
  const column = (/^(\s*)\^/m.exec(text)?.[1] ?? '').length - 6;
  throw new OutriggerError('BAD_PATTERN', lastLine(text), {
    details: { said: text.slice(0, 4000), ...(isGlob || column < 1 ? {} : { column }) },
  });
}

function lastLine(text: string): string {
  return (
    text
      .split('\n')
      .findLast((line) => line.trim() !== '')
      ?.trim()
      .replace(/^error: /, '') ?? text
  );
}

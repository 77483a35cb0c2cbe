import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { ProcessInfo } from '../../contract/processes.ts';
import { movedPath } from '../../core/moved-path.ts';
import { isAway, type WorkbenchClient } from '../client-port.ts';
import { isWithin } from '../file-paths.ts';
import type { ProcessStore } from '../processes/process-store.ts';
import { isRunning } from '../processes/process-words.ts';
import type { RunStore } from '../run/run-store.ts';
import { distinct, type Problem } from './problem.ts';
import type { Finding } from './problem-lines.ts';
import { pathOfProgram } from './problem-places.ts';
import { ProcessProblems } from './process-problems.ts';
import { problemsOfRun } from './run-problems.ts';

/** Of the end of a log that is read first, and of what came meanwhile, each stream. */
const tailBytes = 64 * 1024;
/** What ended longer ago, as the page is opened, is of the past. */
const pastMs = 10 * 60_000;
/** Of those that are newest. */
const mostProcesses = 20;
/** Files that one look at a log asks for. */
const mostFiles = 30;

export interface ProblemStoreDependencies {
  client: Pick<WorkbenchClient, 'call'>;
  processes: Pick<ProcessStore, 'programs' | 'get'>;
  run: Pick<RunStore, 'current'>;
  now: () => number;
  /** Resolves when the page was drawn; for as long as it is hidden, not at all. */
  drawn: () => Promise<void>;
  /** Where the workspace is on this machine; undefined: this caller is not told. */
  root: () => string | undefined;
}

/** What runs of this page and the processes of the sidecar say is wrong in files, until they say otherwise. */
export class ProblemStore {
  /** By path and line. */
  readonly all: ReadonlySignal<readonly Problem[]>;
  readonly errors: ReadonlySignal<number>;
  readonly warnings: ReadonlySignal<number>;
  /** By what they are of: `run:` and the path that was run, `process:` and an id. */
  readonly #bySource: Signal<ReadonlyMap<string, readonly Problem[]>> = signal(new Map());
  readonly #readers = new Map<string, ProcessProblems>();
  readonly #dependencies: ProblemStoreDependencies;
  #reading = false;
  #openedAt = 0;

  constructor(dependencies: ProblemStoreDependencies) {
    this.#dependencies = dependencies;
    this.all = computed(() => [...this.#bySource.value.values()].flat().toSorted(byPlace));
    this.errors = computed(() => this.all.value.filter(({ severity }) => severity === 'error').length);
    this.warnings = computed(() => this.all.value.length - this.errors.value);
  }

  /** Follows runs and processes from now on; answers what ends that. */
  start(): () => void {
    const { processes, run, now } = this.#dependencies;
    this.#openedAt = now();
    const stops = [
      effect(() => {
        const record = run.current.value;
        if (record?.phase.value !== 'over') return;
        untracked(() => this.#put(`run:${record.path}`, problemsOfRun(record)));
      }),
      effect(() => {
        const { value: programs } = processes.programs;
        untracked(() => {
          this.#forget(programs);
          void this.#read();
        });
      }),
    ];
    return () => stops.forEach((stop) => stop());
  }

  moved(from: string, to: string): void {
    const follow = (path: string): string => movedPath(path, from, to) ?? path;
    this.#bySource.value = new Map(
      [...this.#bySource.value].map(([source, problems]) => [
        source.startsWith('run:') ? `run:${follow(source.slice('run:'.length))}` : source,
        problems.map((problem) => ({ ...problem, path: follow(problem.path) })),
      ]),
    );
  }

  removed(path: string): void {
    for (const [source, problems] of this.#bySource.value)
      this.#put(
        source,
        problems.filter((problem) => !isWithin(path, problem.path)),
      );
  }

  /** Until something is said again. */
  clear(): void {
    this.#bySource.value = new Map();
  }

  #put(source: string, problems: readonly Problem[]): void {
    const before = this.#bySource.value.get(source) ?? [];
    if (before.length === 0 && problems.length === 0) return;
    const next = new Map(this.#bySource.value);
    if (problems.length === 0) next.delete(source);
    else next.set(source, distinct(problems));
    this.#bySource.value = next;
  }

  /** Those that are no more, or began anew, have said nothing yet. */
  #forget(programs: readonly ProcessInfo[]): void {
    for (const [id, { startedAt }] of this.#readers) {
      const process = programs.find((one) => one.id === id);
      if (process?.startedAt === startedAt) continue;
      this.#readers.delete(id);
      this.#put(`process:${id}`, []);
    }
  }

  /** Reads what was written and not read yet, one log after the other. Never throws. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (let due = this.#due(); due !== undefined; due = this.#due()) {
        await this.#dependencies.drawn();
        await this.#readOf(due);
      }
    } catch {
      // The link is away, or the process is: the next news of them are read again.
    } finally {
      this.#reading = false;
    }
  }

  #due(): ProcessInfo | undefined {
    const { value: programs } = this.#dependencies.processes.programs;
    return programs.slice(0, mostProcesses).find((process) => {
      const reader = this.#readers.get(process.id);
      if (reader === undefined) return isRunning(process) || (process.endedAt ?? 0) > this.#openedAt - pastMs;
      return !reader.isDone(process);
    });
  }

  async #readOf(process: ProcessInfo): Promise<void> {
    const { id, output } = process;
    const before = this.#readers.get(id);
    const { read } = before ?? {};
    const isFar = read === undefined || output.stdout.end - read.stdout > tailBytes || output.stderr.end - read.stderr > tailBytes;
    // What is skipped may end in a line, or begin in one.
    const reader = before === undefined || isFar ? new ProcessProblems(process) : before;
    this.#readers.set(id, reader);
    const answer = await this.#dependencies.client.call('processes.output', { id, ...(isFar ? { last: tailBytes } : { from: read }) });
    let said: Finding[] = [];
    let anew = false;
    for (const item of answer.items) {
      const taken = reader.take(item);
      if (taken.anew) said = [];
      anew ||= taken.anew;
      said.push(...taken.findings);
    }
    said.push(...reader.settle(answer.next, answer.ended));
    const problems = await this.#placed(said, process).catch((error: unknown) => {
      // They are read again: what was said once is kept once.
      this.#readers.delete(id);
      throw error;
    });
    if (this.#readers.get(id) !== reader) return;
    const known = anew ? [] : (this.#bySource.value.get(`process:${id}`) ?? []);
    this.#put(`process:${id}`, [...known, ...problems]);
  }

  /** Those in files that are there. */
  async #placed(findings: readonly Finding[], { id, title, path, host }: ProcessInfo): Promise<Problem[]> {
    const root = host === 'local' ? this.#dependencies.root() : undefined;
    const known = new Map<string, boolean>();
    const placed: Problem[] = [];
    for (const { severity, text, places } of findings) {
      for (const place of places) {
        const at = pathOfProgram(place.file, path, root);
        if (at === undefined || !(await this.#isFile(at, known))) continue;
        placed.push({ severity, text, path: at, line: place.line, column: place.column, from: { kind: 'process', id, title } });
        break;
      }
    }
    return placed;
  }

  async #isFile(path: string, known: Map<string, boolean>): Promise<boolean> {
    const before = known.get(path);
    if (before !== undefined || known.size >= mostFiles) return before ?? false;
    const { entry } = await this.#dependencies.client.call('files.stat', { path }).catch((error: unknown) => {
      if (isAway(error)) throw error;
      // One that this caller may not see, for one.
      return { entry: undefined };
    });
    known.set(path, entry?.kind === 'file');
    return entry?.kind === 'file';
  }
}

function byPlace(a: Problem, b: Problem): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

import type { ActorKind } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { TerminalInfo, TerminalItem } from '../../contract/terminals.ts';
import { createBell } from '../../core/bell.ts';
import type { TerminalSize } from '../processes/host.ts';
import type { ProcessSpec, StartedBy } from '../processes/process-spec.ts';
import type { ProcessTable } from '../processes/process-table.ts';
import { Screen } from './screen.ts';

/** Sent at a time, bytes. */
const PIECE_BYTES = 64 * 1024;
/** A viewer who is further behind gets the screen instead of all that led to it. */
const MAX_BEHIND_BYTES = 512 * 1024;
/** Who looks at one terminal at a time: each of them hears of each other. */
const MAX_VIEWERS = 100;
/** Screens of programs that ended; the others are made again from what was kept of their output, for who looks. */
const MAX_ENDED_SCREENS = 16;
const DEFAULT_SIZE: TerminalSize = { columns: 80, rows: 24 };

export interface OpenRequest {
  /** The shell, when it is left out. */
  argv: readonly [string, ...string[]] | undefined;
  path: string;
  env: Readonly<Record<string, string>>;
  size: TerminalSize;
  tag: string | undefined;
  title: string | undefined;
  host: string;
  timeoutMs?: number | undefined;
  startedBy: StartedBy;
}

export interface TerminalsOptions {
  /** Started where no program is named. */
  shell: string;
  /** Lines above the screen that are kept. */
  scrollback: number;
}

interface Viewer {
  name: string;
  kind: ActorKind;
}

interface Terminal {
  id: string;
  screen: Screen;
  viewers: Set<Viewer>;
  /** Of all who look at it. */
  bells: Set<() => void>;
}

/** Programs in terminals: what is on their screens is kept, and shown to whoever comes. */
export class Terminals {
  readonly #processes: ProcessTable;
  readonly #options: TerminalsOptions;
  readonly #terminals = new Map<string, Promise<Terminal>>();
  /** Those that are there, oldest first. */
  readonly #ready = new Set<Terminal>();
  readonly #stopNews: () => void;

  constructor(dependencies: { processes: ProcessTable }, options: TerminalsOptions) {
    this.#processes = dependencies.processes;
    this.#options = options;
    this.#stopNews = this.#processes.onRemoval((id) => void this.#forget(id));
  }

  /** Throws as ProcessTable.start does, which `ended` is for. */
  async open(request: OpenRequest, ended?: AbortSignal): Promise<{ terminal: TerminalInfo; existed: boolean }> {
    const { argv, size, env, ...rest } = request;
    const spec: ProcessSpec = {
      ...rest,
      argv: argv ?? [this.#options.shell],
      env: { TERM: 'xterm-256color', COLORTERM: 'truecolor', ...env },
      terminal: size,
      keepStdinOpen: true,
      checkpoint: false,
    };
    const { process, existed } = await this.#processes.start(spec, ended);
    if (process.terminal !== true)
      throw new OutriggerError('BAD_INPUT', `${process.id} has the tag ${request.tag}, and runs in no terminal.`);
    const terminal = await this.#terminal(process.id);
    return { terminal: this.#info(terminal, process), existed };
  }

  /** No screen is made for a list: of a program that ended before this sidecar began, only the first size is known. */
  async list(): Promise<TerminalInfo[]> {
    const ofTerminals = this.#processes.list().filter(({ terminal }) => terminal === true);
    return Promise.all(
      ofTerminals.map(async (process) => {
        const size = this.#processes.spec(process.id).terminal ?? DEFAULT_SIZE;
        const terminal = await this.#terminals.get(process.id);
        if (terminal !== undefined) return this.#info(terminal, process);
        return { id: process.id, title: process.title, ...size, viewers: [], process };
      }),
    );
  }

  /** Resolves when there is room for more. Throws NO_PROCESS, PROCESS_ENDED, and the signal's reason. */
  async input(name: string, text: string, signal?: AbortSignal): Promise<void> {
    const { id } = this.#named(name);
    const terminal = await this.#terminals.get(id)?.catch(() => undefined);
    terminal?.screen.settleSize();
    await this.#processes.process(id).write(Buffer.from(text), signal);
  }

  /** Throws NO_PROCESS, PROCESS_ENDED. */
  async resize(name: string, size: TerminalSize): Promise<void> {
    const { id } = this.#named(name);
    const { screen } = await this.#terminal(id);
    screen.resize(size);
  }

  /** Throws NO_PROCESS. */
  async close(name: string): Promise<void> {
    const { id } = this.#named(name);
    const process = this.#processes.process(id);
    do {
      await process.stop(0);
      // Whoever was about to start it again has to hear that it was stopped.
      await process.restarted();
    } while (!process.isOver);
    this.#processes.remove(id);
  }

  /**
   * The screen, and what comes, at the viewer's pace, until the program ended and all was shown. Rejects when the call is aborted.
   * Throws NO_PROCESS, also when the terminal is closed, and TOO_MANY.
   */
  async attach(
    name: string,
    viewer: Viewer,
    signal: AbortSignal,
    emit: (item: TerminalItem) => Promise<void> | void,
  ): Promise<TerminalInfo> {
    const { id } = this.#named(name);
    const { process, info } = this.#processes.view(id);
    const { log } = process;
    const terminal = await this.#terminal(id);
    const { screen, viewers, bells } = terminal;
    if (viewers.size >= MAX_VIEWERS) throw new OutriggerError('TOO_MANY', `${viewers.size} look at ${id} already.`);
    const bell = createBell(signal);
    const stops = [log.onGrowth(bell.ring), screen.onChange(bell.ring)];
    viewers.add(viewer);
    bells.add(bell.ring);
    for (const ring of bells) ring();
    const told = { title: '', viewers: '' };
    // What changed of the terminal itself since this viewer was last told.
    const tellChanges = async (): Promise<void> => {
      const { title, viewers: who } = this.#info(terminal, info());
      const now = { title, viewers: JSON.stringify(who) };
      const before = { ...told };
      Object.assign(told, now);
      if (now.title !== before.title) await emit({ type: 'title', title });
      if (now.viewers !== before.viewers) await emit({ type: 'viewers', viewers: who });
    };
    const decoder = new TextDecoder();
    /** In the output, and of the changes of the size. */
    let [offset, changes] = [0, 0];
    const showAll = async (): Promise<void> => {
      const { text, next, size, changes: count } = await screen.snapshot();
      // What was cut off in the middle of a character is on the screen.
      decoder.decode();
      [offset, changes] = [next, count];
      await emit({ type: 'screen', text, ...size });
    };
    try {
      await showAll();
      for (;;) {
        const { ended } = log;
        // Whoever comes later sees it in the size that was asked for last.
        if (ended) screen.settleSize();
        await tellChanges();
        for (;;) {
          signal.throwIfAborted();
          const change = screen.changeAfter(changes);
          if (change === 'far' || log.end.stdout - offset > MAX_BEHIND_BYTES) {
            await showAll();
            continue;
          }
          if (change !== undefined && change.offset <= offset) {
            changes = change.number;
            await emit({ type: 'size', ...change.size });
            continue;
          }
          const most = change === undefined ? PIECE_BYTES : Math.min(PIECE_BYTES, change.offset - offset);
          const piece = log.next({ stdout: offset, stderr: 0 }, ['stdout'], most);
          if (piece === undefined) break;
          if (piece.lost > 0 && piece.bytes.length > 0) {
            await showAll();
            continue;
          }
          const text = decoder.decode(piece.bytes, { stream: true });
          offset = piece.offset + piece.bytes.length;
          if (text !== '') await emit({ type: 'output', text });
        }
        if (ended) return this.#info(terminal, info());
        await bell.rung();
      }
    } finally {
      for (const stop of stops) stop();
      viewers.delete(viewer);
      bells.delete(bell.ring);
      for (const ring of bells) ring();
      this.#closeOldest();
    }
  }

  stop(): void {
    this.#stopNews();
    for (const terminal of this.#terminals.values()) void terminal.then(({ screen }) => screen.close());
    this.#terminals.clear();
  }

  /** Throws NO_PROCESS. */
  #named(name: string): ProcessInfo {
    const process = this.#processes.get(name);
    if (process.terminal !== true) throw new OutriggerError('NO_PROCESS', `${process.id} runs in no terminal.`);
    return process;
  }

  /** One of an earlier sidecar shows what its log has kept. */
  #terminal(id: string): Promise<Terminal> {
    let terminal = this.#terminals.get(id);
    if (terminal === undefined) {
      const process = this.#processes.process(id);
      terminal = Screen.of(process, this.#processes.spec(id).terminal ?? DEFAULT_SIZE, this.#options.scrollback).then((screen) => ({
        id,
        screen,
        viewers: new Set(),
        bells: new Set(),
      }));
      this.#terminals.set(id, terminal);
      terminal.then(
        (made) => {
          this.#ready.add(made);
          this.#closeOldest();
        },
        () => this.#terminals.delete(id),
      );
    }
    return terminal;
  }

  /** Screens of what ended, and nobody looks at, are many after a while. */
  #closeOldest(): void {
    const ended = [...this.#ready].filter(({ id, viewers }) => viewers.size === 0 && this.#hasEnded(id));
    for (const { id } of ended.slice(0, Math.max(0, ended.length - MAX_ENDED_SCREENS))) void this.#forget(id);
  }

  #hasEnded(id: string): boolean {
    try {
      return this.#processes.process(id).isOver;
    } catch {
      // NO_PROCESS: it is about to be forgotten here as well.
      return true;
    }
  }

  async #forget(id: string): Promise<void> {
    const making = this.#terminals.get(id);
    this.#terminals.delete(id);
    const terminal = await making?.catch(() => undefined);
    if (terminal === undefined) return;
    this.#ready.delete(terminal);
    // Who looks at it sees its end first.
    for (const ring of terminal.bells) ring();
    terminal.screen.close();
  }

  #info({ id, screen, viewers }: Terminal, process: ProcessInfo): TerminalInfo {
    return {
      id,
      title: screen.title ?? process.title,
      ...screen.size,
      viewers: [...viewers].map(({ name, kind }) => ({ name, kind })),
      process,
    };
  }
}

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { OutriggerError } from '../../contract/errors.ts';
import { LineSplitter } from '../../core/ndjson.ts';
import type { HostedProcess } from '../processes/host.ts';
import { LocalHost } from '../processes/local-host.ts';
import type { Processes } from '../processes/processes.ts';
import { nodeProgram } from './node-program.ts';
import type { Outline } from './outline.ts';
import type { FromSymbols, SymbolsOrder } from './symbols-program.ts';

/** A parser that gets nowhere is ended after this, and so is a process that does not begin. */
const TIMEOUT_MS = 30_000;
/** It takes some 60 MB; one that nobody asks anything is ended after that time, and started again when it is wanted. */
const IDLE_MS = 30_000;
/** JSON of one outline: with more than half a million symbols, a file has none. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** So many texts on which the parser died are remembered. */
const MAX_FATAL = 1000;
const MAX_LAST_WORDS = 2000;

export interface SymbolsProcessOptions {
  root: string;
  timeoutMs?: number;
  idleMs?: number;
}

/**
 * The process that makes outlines (symbols-program.ts): started when there is work, ended when there was none for a while, and started again where a
 * parser ended it. A text on which that happened is passed over from then on, whichever file holds it.
 */
export class SymbolsProcess {
  readonly #host: LocalHost;
  readonly #root: string;
  readonly #timeoutMs: number;
  readonly #idleMs: number;
  readonly #fatal = new Set<string>();
  #child: Child | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #ahead = 0;
  #idle: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor({ processes }: { processes: Processes }, { root, timeoutMs = TIMEOUT_MS, idleMs = IDLE_MS }: SymbolsProcessOptions) {
    this.#host = new LocalHost({
      env: processes.env,
      starter: processes.starter,
      find: (program, options) => (path.isAbsolute(program) ? program : processes.find(program, options)),
    });
    this.#root = root;
    this.#timeoutMs = timeoutMs;
    this.#idleMs = idleMs;
  }

  /**
   * One for each path, in order, one order after the other; null: it can't be read, or its parser died of it. With `text`, there is one path, which
   * only says the language. Throws TOOL_MISSING, TOO_MANY_PROCESSES, STOPPING, and INTERNAL where the process does not get to its work.
   */
  async outlines(paths: readonly string[], text?: string): Promise<(Outline | null)[]> {
    clearTimeout(this.#idle);
    this.#ahead++;
    const outlines = this.#turn.then(() => this.#outlines(paths, text));
    this.#turn = outlines.catch(() => {});
    try {
      return await outlines;
    } finally {
      if (--this.#ahead === 0 && !this.#isStopped) this.#idle = setTimeout(() => void this.#endChild(), this.#idleMs).unref();
    }
  }

  /** Ends it, whatever it is at. May be called twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    await this.#endChild();
    await this.#turn;
  }

  async #outlines(paths: readonly string[], text: string | undefined): Promise<(Outline | null)[]> {
    const outlines: (Outline | null)[] = [];
    let killedAt: string | undefined;
    while (outlines.length < paths.length) {
      const child = await this.#running();
      const { hasAnswered } = child;
      const before = outlines.length;
      child.send({ root: this.#root, paths: paths.slice(outlines.length), text, fatal: [...this.#fatal] });
      const died = await this.#hear(child, outlines, paths.length);
      if (died === undefined) continue;
      if (this.#child === child) this.#child = undefined;
      if (this.#isStopped) throw stopping();
      if (died.parsing !== undefined && died.parsing !== killedAt && (await child.wasKilled())) killedAt = died.parsing;
      else if (died.parsing !== undefined) {
        this.#remember(died.parsing);
        outlines.push(null);
      } else if (!hasAnswered && outlines.length === before) throw await child.failure();
    }
    return outlines;
  }

  /** Undefined when all were heard; else what was parsed when the process died. Throws TOOL_MISSING. */
  async #hear(child: Child, outlines: (Outline | null)[], count: number): Promise<{ parsing: string | undefined } | undefined> {
    let parsing: string | undefined;
    while (outlines.length < count) {
      const said = await child.next(parsing === undefined ? TIMEOUT_MS : this.#timeoutMs);
      if (said === undefined) return { parsing };
      if (said.type === 'missing') throw new OutriggerError('TOOL_MISSING', said.message, { details: { tool: 'oxc-parser' } });
      if (said.type === 'outline') outlines.push(said.outline);
      parsing = said.type === 'parsing' ? said.sha256 : undefined;
    }
    return undefined;
  }

  #remember(sha256: string): void {
    this.#fatal.add(sha256);
    const [oldest] = this.#fatal;
    if (this.#fatal.size > MAX_FATAL && oldest !== undefined) this.#fatal.delete(oldest);
  }

  async #running(): Promise<Child> {
    if (this.#isStopped) throw stopping();
    if (this.#child?.hasEnded === false) return this.#child;
    const { argv, env } = nodeProgram(fileURLToPath(new URL('./symbols-program.ts', import.meta.url)));
    // Not in the folder, which may be gone.
    const { root: cwd } = path.parse(this.#root);
    const child = new Child(await this.#host.start({ argv, cwd, env }));
    this.#child = child;
    // The stop may have come while it was started.
    if (this.#isStopped) await this.#endChild();
    return child;
  }

  async #endChild(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.end();
  }
}

function stopping(): OutriggerError {
  return new OutriggerError('STOPPING', 'The sidecar is stopping.');
}

/** One process, and what it says. */
class Child {
  hasAnswered = false;
  hasEnded = false;
  #isUnwanted = false;
  readonly #program: HostedProcess;
  readonly #said: FromSymbols[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #lastWords = '';
  #wake: (() => void) | undefined;

  constructor(program: HostedProcess) {
    this.#program = program;
    const lines = new LineSplitter(MAX_ANSWER_BYTES, {
      line: (line) => this.#hear(JSON.parse(line) as FromSymbols),
      bad: () => this.#hear({ type: 'outline', outline: null }),
    });
    // The bytes are ours for the time of the call.
    program.stdout.on('data', (bytes) => lines.push(Buffer.from(bytes)));
    program.stdout.once('error', () => {});
    program.stdout.once('close', () => {
      this.hasEnded = true;
      this.#closed.resolve();
      this.#wake?.();
    });
    program.stderr?.on('data', (bytes) => {
      this.#lastWords = (this.#lastWords + bytes.toString()).slice(-MAX_LAST_WORDS);
    });
    program.stderr?.once('error', () => {});
  }

  send(order: SymbolsOrder): void {
    void this.#program.write(Buffer.from(`${JSON.stringify(order)}\n`));
  }

  /** What it says next; undefined when it has ended, and when it was ended because that took longer. */
  async next(timeoutMs: number): Promise<FromSymbols | undefined> {
    const timer = setTimeout(() => void this.end(), timeoutMs);
    try {
      while (this.#said.length === 0 && !this.hasEnded)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      return this.#said.shift();
    } finally {
      clearTimeout(timer);
    }
  }

  async end(): Promise<void> {
    this.#isUnwanted = true;
    if (!this.hasEnded) this.#program.signal('SIGKILL');
    await this.#closed.promise;
    await this.#program.exit;
  }

  /** By somebody else: where memory runs out, by the kernel. No parser ends so by itself. */
  async wasKilled(): Promise<boolean> {
    return (await this.#program.exit).exitSignal === 'SIGKILL' && !this.#isUnwanted;
  }

  async failure(): Promise<OutriggerError> {
    const { exitCode, exitSignal } = await this.#program.exit;
    return new OutriggerError('INTERNAL', `The process that makes outlines ended with ${exitSignal ?? exitCode} before its work.`, {
      cause: new Error(this.#lastWords),
    });
  }

  #hear(message: FromSymbols): void {
    this.hasAnswered = true;
    this.#said.push(message);
    this.#wake?.();
  }
}

import type { Operations } from '../../contract/operations.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Output } from '../../contract/operation.ts';
import type { OutputItem, ProcessInfo } from '../../contract/processes.ts';
import { ask, type Asking } from '../code-api/ask.ts';
import type { ConnectStream } from './connect-wire.ts';
import { type Fields, fieldsOf, textOf, textsOf } from './fields.ts';
import { sandboxPathOf, workspacePathOf } from './sandbox-path.ts';

/** Programs that were started here and have ended can be found by their number, the newest of them. */
const MAX_REMEMBERED = 1000;
const MAX_TIMEOUT_MS = 24 * 60 * 60 * 1000;
const DEFAULT_SIZE = { cols: 80, rows: 24 };

/** As Go names them, in which clients know them. */
const signalWords: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGABRT: 'aborted',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
};
/** Enumerations stand as names or as numbers (protobuf.dev/programming-guides/json). */
const signals: Readonly<Record<string, 'SIGTERM' | 'SIGKILL'>> = {
  SIGNAL_SIGTERM: 'SIGTERM',
  SIGNAL_SIGKILL: 'SIGKILL',
  15: 'SIGTERM',
  9: 'SIGKILL',
};

/** `process.Process` of envd: programs and terminals, which clients name by the number of their process or by a tag. */
export class E2bProcesses {
  readonly #root: string;
  readonly #remembered = new Map<number, string>();

  /** `root`: the workspace as the programs in it see it. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Start: a program, and what it writes until it ends. It goes on when the caller is gone, for `timeoutMs` at most. */
  async start(asking: Asking, input: Fields, stream: ConnectStream, timeoutMs: number | undefined): Promise<void> {
    const config = fieldsOf(input['process'], 'process');
    const limitMs = timeoutMs === undefined ? undefined : Math.min(timeoutMs, MAX_TIMEOUT_MS);
    const pty = input['pty'] === undefined ? undefined : sizeOf(input['pty']);
    const argv = [textOf(config['cmd'], 'process.cmd'), ...textsOf(config['args'], 'process.args')] as [string, ...string[]];
    const common = {
      argv,
      path: workspacePathOf(config['cwd'] === undefined ? '' : textOf(config['cwd'], 'process.cwd'), this.#root),
      env: environmentOf(config['envs']),
      ...(input['tag'] === undefined ? {} : { tag: textOf(input['tag'], 'tag') }),
      ...titleOf(argv),
    };
    const started = await this.#begin(asking, common, pty, input['stdin'] !== false, limitMs).catch(badFolder);
    if (started.existed) throw new OutriggerError('FILE_EXISTS', `A process with the tag ${common.tag ?? ''} runs already.`);
    await this.#follow(asking, started.process, stream, true);
  }

  /** Connect: what a process wrote and will write, also one that has ended; its output was kept. */
  async connect(asking: Asking, input: Fields, stream: ConnectStream): Promise<void> {
    await this.#follow(asking, await this.#find(asking, input, true), stream, false);
  }

  async list(asking: Asking): Promise<Fields> {
    const { processes } = await ask(asking, 'processes.list', { running: true });
    return {
      processes: processes.flatMap(({ pid, tag, argv: [cmd, ...args], path, host }) =>
        pid === undefined || host !== 'local'
          ? []
          : [{ pid, ...(tag === undefined ? {} : { tag }), config: { cmd, args, envs: {}, cwd: sandboxPathOf(path) } }],
      ),
    };
  }

  async input(asking: Asking, input: Fields): Promise<Fields> {
    const given = fieldsOf(input['input'], 'input');
    const base64 = textOf(given['stdin'] ?? given['pty'], 'input.stdin');
    const { id } = await this.#find(asking, input, false);
    await ask(asking, 'processes.input', { id, base64: standardBase64(base64) });
    return {};
  }

  async closeInput(asking: Asking, input: Fields): Promise<Fields> {
    const { id } = await this.#find(asking, input, false);
    await ask(asking, 'processes.input', { id, end: true });
    return {};
  }

  async signal(asking: Asking, input: Fields): Promise<Fields> {
    const signal = signals[String(input['signal'])];
    if (signal === undefined) throw new OutriggerError('BAD_INPUT', 'The signal must be SIGNAL_SIGTERM or SIGNAL_SIGKILL.');
    const { id } = await this.#find(asking, input, false);
    await ask(asking, 'processes.signal', { id, signal });
    return {};
  }

  /** The size of a terminal is all that can be changed. */
  async update(asking: Asking, input: Fields): Promise<Fields> {
    const { cols, rows } = sizeOf(input['pty']);
    const { id } = await this.#find(asking, input, false);
    await ask(asking, 'terminals.resize', { id, columns: cols, rows });
    return {};
  }

  async #begin(
    asking: Asking,
    common: Parameters<typeof ask<'processes.start'>>[2],
    size: { cols: number; rows: number } | undefined,
    keepStdinOpen: boolean,
    timeoutMs: number | undefined,
  ): Promise<Output<Operations['processes.start']>> {
    const limited = timeoutMs === undefined ? common : { ...common, timeoutMs };
    if (size === undefined) return await ask(asking, 'processes.start', { ...limited, keepStdinOpen });
    const { terminal, existed } = await ask(asking, 'terminals.open', { ...limited, columns: size.cols, rows: size.rows });
    return { process: terminal.process, existed };
  }

  async #follow(asking: Asking, { id, pid = 0, terminal }: ProcessInfo, stream: ConnectStream, hold: boolean): Promise<void> {
    this.#remember(pid, id);
    stream.tell({ event: { start: { pid } } });
    let lost = 0;
    const emit = (item: unknown): Promise<void> | void => {
      const { stream: name, base64 = '', lost: missing = 0 } = item as OutputItem;
      lost += missing;
      return base64 === '' ? undefined : stream.send({ event: { data: { [terminal === true ? 'pty' : name]: base64 } } });
    };
    const { process } = await ask(asking, 'processes.output', { id, encoding: 'base64', follow: true, hold }, { emit });
    if (process.reason === 'timeout') throw new OutriggerError('DEADLINE', 'The time of the program was over, and it was ended.');
    stream.tell({ event: { end: endOf(process) } });
    // The wire has no word for output that is not kept any more: where some is missing, the trailers count its bytes.
    stream.end(lost === 0 ? undefined : { 'outrigger-lost-bytes': [String(lost)] });
  }

  #remember(pid: number, id: string): void {
    if (pid === 0) return;
    this.#remembered.delete(pid);
    this.#remembered.set(pid, id);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED) return;
      this.#remembered.delete(oldest);
    }
  }

  /** Throws NO_PROCESS; `also`: one that has ended is meant as well. */
  async #find(asking: Asking, input: Fields, also: boolean): Promise<ProcessInfo> {
    const { pid, tag } = fieldsOf(input['process'], 'process');
    if (tag !== undefined) {
      const found = await ask(asking, 'processes.get', { id: textOf(tag, 'process.tag') });
      if (also || found.state !== 'ended') return found;
      throw new OutriggerError('NO_PROCESS', `The process with the tag ${found.tag ?? ''} has ended.`);
    }
    if (!Number.isSafeInteger(pid)) throw new OutriggerError('BAD_INPUT', 'process needs a pid or a tag.');
    const { processes } = await ask(asking, 'processes.list', { running: true });
    // Those of other hosts have numbers of their own.
    const running = processes.find((one) => one.pid === pid && one.host === 'local');
    if (running !== undefined) return running;
    const id = also ? this.#remembered.get(pid as number) : undefined;
    if (id === undefined) throw new OutriggerError('NO_PROCESS', `There is no process ${pid as number}.`);
    return { ...(await ask(asking, 'processes.get', { id })), pid: pid as number };
  }
}

function endOf({ exitCode, exitSignal, reason, problem }: ProcessInfo): Fields {
  if (exitCode !== undefined) {
    const status = `exit status ${exitCode}`;
    return { exitCode, exited: true, status, ...(exitCode === 0 ? {} : { error: status }) };
  }
  const signal = exitSignal === undefined ? undefined : `signal: ${signalWords[exitSignal] ?? exitSignal.slice(3).toLowerCase()}`;
  const status = signal ?? problem ?? reason ?? 'lost';
  return { exitCode: -1, exited: false, status, error: status };
}

/** What a shell is told to do says more than that it is a shell. */
function titleOf(argv: readonly string[]): { title?: string } {
  const [, dashes, , script] = argv;
  return argv.length === 4 && dashes === '-l' && script !== undefined && script.trim() !== '' ? { title: script.slice(0, 500) } : {};
}

/** A folder that is not there is an argument that is none, as envd has it. */
function badFolder(error: unknown): never {
  if (error instanceof OutriggerError && error.reason === 'FILE_NOT_FOUND')
    throw new OutriggerError('BAD_INPUT', error.message, { cause: error });
  throw error;
}

function sizeOf(pty: unknown): { cols: number; rows: number } {
  const { size } = fieldsOf(pty, 'pty');
  const { cols, rows } = size === undefined ? DEFAULT_SIZE : fieldsOf(size, 'pty.size');
  if (!Number.isInteger(cols) || !Number.isInteger(rows)) throw new OutriggerError('BAD_INPUT', 'pty.size needs cols and rows.');
  return { cols: cols as number, rows: rows as number };
}

function environmentOf(envs: unknown): Record<string, string> {
  const given = envs === undefined ? {} : fieldsOf(envs, 'process.envs');
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, textOf(value, `process.envs.${name}`)]));
}

/** Of the two alphabets of base64 both may come (protobuf.dev/programming-guides/json). */
function standardBase64(text: string): string {
  // No expression: it would go back over each run of what does not end the text.
  let end = text.length;
  while (text[end - 1] === '=') end--;
  const standard = text.slice(0, end).replaceAll('-', '+').replaceAll('_', '/');
  return standard.padEnd(Math.ceil(standard.length / 4) * 4, '=');
}

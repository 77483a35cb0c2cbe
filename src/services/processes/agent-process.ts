import { constants } from 'node:os';
import { OutriggerError } from '../../contract/errors.ts';
import { AgentInput } from './agent-input.ts';
import { AgentOutput } from './agent-output.ts';
import {
  closeOutputFrame,
  creditFrame,
  inputEndFrame,
  inputFrame,
  type OutputNumber,
  type ProgramMessage,
  resizeFrame,
  signalFrame,
} from './agent-wire.ts';
import type { HostedProcess, HostExit, HostRequest, TerminalSize } from './host.ts';

/** What a terminal takes for the end of its input, at the start of a line. */
const endOfInput = Buffer.of(4);

export interface AgentProcessDependencies {
  /** Forgotten where the connection is gone. */
  send(frame: Buffer): void;
  /** Nothing is to come for it any more. */
  done(): void;
}

/** A program behind an agent, told by the messages about it. */
export class AgentProcess implements HostedProcess {
  readonly id: number;
  readonly stdout: AgentOutput;
  readonly stderr: AgentOutput | undefined;
  readonly exit: Promise<HostExit>;
  /** Resolves when it runs. Rejects with TOOL_MISSING, FILE_PERMISSION, FILE_NOT_FOUND, TOO_MANY_PROCESSES, HOST_UNAVAILABLE. */
  readonly running: Promise<void>;
  readonly #request: HostRequest;
  readonly #dependencies: AgentProcessDependencies;
  readonly #running = Promise.withResolvers<void>();
  readonly #exit = Promise.withResolvers<HostExit>();
  readonly #input: AgentInput;
  #pid = 0;
  #exited = false;
  #isCut = false;

  constructor(id: number, request: HostRequest, dependencies: AgentProcessDependencies) {
    this.id = id;
    this.#request = request;
    this.#dependencies = dependencies;
    this.running = this.#running.promise;
    this.exit = this.#exit.promise;
    this.#input = new AgentInput(
      (bytes) => dependencies.send(inputFrame(id, bytes)),
      () => dependencies.send(inputEndFrame(id)),
    );
    this.stdout = this.#output(1);
    this.stderr = request.terminal === undefined ? this.#output(2) : undefined;
  }

  get pid(): number {
    return this.#pid;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#input.write(bytes);
  }

  endInput(): void {
    if (this.#request.terminal === undefined) this.#input.end();
    else void this.#input.write(endOfInput);
  }

  signal(name: NodeJS.Signals): void {
    // Also after its end: others of its group may be there still, and the agent knows.
    this.#dependencies.send(signalFrame(this.id, constants.signals[name]));
  }

  resize(size: TerminalSize): void {
    if (this.#request.terminal !== undefined) this.#dependencies.send(resizeFrame(this.id, size));
  }

  /** Ends it, started or not, as nobody wants it any more. */
  abandon(): void {
    this.signal('SIGKILL');
    this.stdout.destroy();
    this.stderr?.destroy();
  }

  received(message: ProgramMessage): void {
    switch (message.type) {
      case 'started':
        this.#pid = message.pid;
        return this.#running.resolve();
      case 'failed':
        return this.#over(startError(this.#request, message.stage, message.errno), false);
      case 'output':
        return this.#outputOf(message.stream)?.received(message.bytes);
      case 'outputEnd':
        this.#outputOf(message.stream)?.end();
        return this.#doneWhenAllCame();
      case 'inputTaken':
        return this.#input.taken(message.bytes);
      case 'inputClosed':
        return this.#input.close();
      case 'exited':
        return this.#exitedWith(message);
    }
  }

  /** The connection is gone, and with it all that is to come. */
  lost(cause: Error | undefined): void {
    this.#isCut = true;
    this.#over(new OutriggerError('HOST_UNAVAILABLE', 'The connection to the exec agent ended.', { cause }), true);
  }

  #output(stream: OutputNumber): AgentOutput {
    return new AgentOutput({
      credit: (bytes) => this.#dependencies.send(creditFrame(this.id, stream, bytes)),
      closed: () => {
        this.#dependencies.send(closeOutputFrame(this.id, stream));
        this.#doneWhenAllCame();
      },
    });
  }

  #outputOf(stream: OutputNumber): AgentOutput | undefined {
    return stream === 1 ? this.stdout : this.stderr;
  }

  #exitedWith({ exitCode, signal, cpuMs, maxRssBytes }: Extract<ProgramMessage, { type: 'exited' }>): void {
    this.#exited = true;
    this.#exit.resolve({ exitCode, exitSignal: signal === null ? null : signalName(signal), cpuMs, maxRssBytes });
    this.#doneWhenAllCame();
  }

  #doneWhenAllCame(): void {
    if (!this.#exited || !this.stdout.isOver || this.stderr?.isOver === false) return;
    this.#input.close();
    this.#dependencies.done();
  }

  #over(error: OutriggerError, lost: boolean): void {
    this.#exited = true;
    this.#running.reject(error);
    this.#exit.resolve({ exitCode: null, exitSignal: null, ...(lost && { lost }) });
    this.stdout.end();
    this.stderr?.end();
    this.#doneWhenAllCame();
  }
}

/** What the kernel said of a start, in our words. */
function startError({ argv, cwd }: HostRequest, stage: string, errno: number): OutriggerError {
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`;
  const details = { stage, code };
  const refused = code === 'EACCES' || code === 'EPERM';
  if (stage === 'limit' || code === 'EAGAIN')
    return new OutriggerError('TOO_MANY_PROCESSES', 'The exec agent runs as many programs as it may.', { details });
  if (stage === 'folder')
    return new OutriggerError(refused ? 'FILE_PERMISSION' : 'FILE_NOT_FOUND', `The container's folder ${cwd} can't be used: ${code}.`, {
      details,
    });
  if (stage !== 'program')
    return new OutriggerError('HOST_UNAVAILABLE', `The exec agent can't start programs now (${stage}: ${code}).`, { details });
  if (refused) return new OutriggerError('FILE_PERMISSION', `${argv[0]} may not be run in that container: ${code}.`, { details });
  const why = code === 'ENOENT' ? `The program ${argv[0]} is not in that container` : `${argv[0]} can't be run in that container`;
  return new OutriggerError('TOOL_MISSING', code === 'ENOENT' ? `${why}, or what its first line names is not.` : `${why}: ${code}.`, {
    details: { ...details, tool: argv[0] },
  });
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `SIG${number}`;
}

// Frames between the sidecar and the exec agent, as docs/exec-agent.md describes them; native/exec-agent.c is the other side.
import type { HostRequest, TerminalSize } from './host.ts';

export const agentProtocol = 1;
const headerBytes = 9;
/** What one frame carries, from either side. */
const maxFrameBytes = 64 * 1024;
/** A start carries a command line and an environment. */
const maxStartBytes = 1024 * 1024;
const maxStrings = 4096;
/** Input of one program that the agent takes before it says that the program took it. */
export const inputWindowBytes = 64 * 1024;

const sent = { hello: 1, start: 2, input: 3, inputEnd: 4, signal: 5, resize: 6, credit: 7, closeOutput: 8 } as const;
const received = {
  greeting: 65,
  welcome: 66,
  refused: 67,
  started: 68,
  failed: 69,
  output: 70,
  outputEnd: 71,
  inputTaken: 72,
  inputClosed: 73,
  exited: 74,
} as const;

/** 1 is stdout, and all that a terminal shows; 2 is stderr. */
export type OutputNumber = 1 | 2;

const refusals = [undefined, 'wrong-token', 'other-protocol', 'no-room', 'bad-frame', 'no-token-file'] as const;
export type Refusal = NonNullable<(typeof refusals)[number]> | 'unknown';

const stages = [undefined, 'limit', 'pipes', 'fork', 'terminal', 'folder', 'program'] as const;
export type FailedStage = NonNullable<(typeof stages)[number]>;

/** `id` is the number that the sidecar gave to a program; 0 where a frame is about the connection. */
export type AgentMessage =
  | { type: 'greeting'; protocol: number }
  | { type: 'welcome'; maxPrograms: number }
  | { type: 'refused'; refusal: Refusal }
  | { type: 'started'; id: number; pid: number }
  /** `errno` is the kernel's number. */
  | { type: 'failed'; id: number; stage: FailedStage; errno: number }
  | { type: 'output'; id: number; stream: OutputNumber; bytes: Buffer }
  | { type: 'outputEnd'; id: number; stream: OutputNumber }
  | { type: 'inputTaken'; id: number; bytes: number }
  | { type: 'inputClosed'; id: number }
  /** One of `exitCode` and `signal` is null. */
  | { type: 'exited'; id: number; exitCode: number | null; signal: number | null; cpuMs: number; maxRssBytes: number };

/** About one program. */
export type ProgramMessage = Extract<AgentMessage, { id: number }>;

export function helloFrame(token: string): Buffer {
  return frame(sent.hello, 0, Buffer.concat([Buffer.of(agentProtocol), Buffer.from(token)]));
}

/** Undefined where the agent would not take it: too long, too many strings, a NUL in one, a folder that is not absolute, a variable without a name. */
export function startFrame(id: number, request: HostRequest): Buffer | undefined {
  if (!request.cwd.startsWith('/') || request.argv[0] === '' || Object.keys(request.env).some((name) => /^$|=/.test(name)))
    return undefined;
  const variables = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
  const strings = [request.cwd, ...request.argv, ...variables];
  if (strings.some((text) => text.includes('\0')) || request.argv.length > maxStrings || variables.length > maxStrings) return undefined;
  const head = Buffer.alloc(9);
  head.writeUInt8(request.terminal === undefined ? 0 : 1, 0);
  writeSize(head, 1, request.terminal ?? { columns: 0, rows: 0 });
  head.writeUInt16LE(request.argv.length, 5);
  head.writeUInt16LE(variables.length, 7);
  const payload = Buffer.concat([head, Buffer.from(strings.map((text) => `${text}\0`).join(''))]);
  return payload.length > maxStartBytes ? undefined : frame(sent.start, id, payload);
}

/** At most `inputWindowBytes`, and never more than there is credit for. */
export function inputFrame(id: number, bytes: Uint8Array): Buffer {
  return frame(sent.input, id, bytes);
}

export function inputEndFrame(id: number): Buffer {
  return frame(sent.inputEnd, id);
}

export function signalFrame(id: number, number: number): Buffer {
  return frame(sent.signal, id, Buffer.of(number));
}

export function resizeFrame(id: number, size: TerminalSize): Buffer {
  const payload = Buffer.alloc(4);
  writeSize(payload, 0, size);
  return frame(sent.resize, id, payload);
}

/** Lets so many more bytes of output come. */
export function creditFrame(id: number, stream: OutputNumber, bytes: number): Buffer {
  const payload = Buffer.alloc(5);
  payload.writeUInt8(stream, 0);
  payload.writeUInt32LE(bytes, 1);
  return frame(sent.credit, id, payload);
}

export function closeOutputFrame(id: number, stream: OutputNumber): Buffer {
  return frame(sent.closeOutput, id, Buffer.of(stream));
}

/** Cuts what comes into messages. */
export class AgentMessageReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws an Error for what no agent sends; nothing may be read after that. A message of an unknown type is left out. */
  read(chunk: Buffer): AgentMessage[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: AgentMessage[] = [];
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const length = bytes.readUInt32LE(at);
      if (length > maxFrameBytes) throw new Error(`a frame of ${length} bytes`);
      const end = at + headerBytes + length;
      if (end > bytes.length) break;
      const message = readMessage(bytes.readUInt8(at + 4), bytes.readUInt32LE(at + 5), bytes.subarray(at + headerBytes, end));
      if (message !== undefined) messages.push(message);
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return messages;
  }
}

function readMessage(type: number, id: number, payload: Buffer): AgentMessage | undefined {
  try {
    return parse(type, id, payload);
  } catch (error) {
    throw new Error(`a frame of type ${type} that is too short`, { cause: error });
  }
}

function parse(type: number, id: number, payload: Buffer): AgentMessage | undefined {
  switch (type) {
    case received.greeting:
      return { type: 'greeting', protocol: payload.readUInt8(0) };
    case received.welcome:
      return { type: 'welcome', maxPrograms: payload.readUInt32LE(0) };
    case received.refused:
      return { type: 'refused', refusal: refusals[payload.readUInt8(0)] ?? 'unknown' };
    case received.started:
      return { type: 'started', id, pid: payload.readUInt32LE(0) };
    case received.failed:
      return { type: 'failed', id, stage: stages[payload.readUInt8(0)] ?? 'program', errno: payload.readUInt32LE(1) };
    case received.output:
      return { type: 'output', id, stream: streamOf(payload), bytes: payload.subarray(1) };
    case received.outputEnd:
      return { type: 'outputEnd', id, stream: streamOf(payload) };
    case received.inputTaken:
      return { type: 'inputTaken', id, bytes: payload.readUInt32LE(0) };
    case received.inputClosed:
      return { type: 'inputClosed', id };
    case received.exited:
      return exited(id, payload);
    default:
      return undefined;
  }
}

function exited(id: number, payload: Buffer): AgentMessage {
  const signal = payload.readUInt32LE(4);
  return {
    type: 'exited',
    id,
    exitCode: signal === 0 ? payload.readUInt32LE(0) : null,
    signal: signal === 0 ? null : signal,
    cpuMs: Math.round(Number(payload.readBigUInt64LE(8)) / 1000),
    maxRssBytes: Number(payload.readBigUInt64LE(16)),
  };
}

function streamOf(payload: Buffer): OutputNumber {
  return payload.readUInt8(0) === 2 ? 2 : 1;
}

function writeSize(into: Buffer, at: number, { columns, rows }: TerminalSize): void {
  into.writeUInt16LE(bounded(columns), at);
  into.writeUInt16LE(bounded(rows), at + 2);
}

function bounded(cells: number): number {
  return Math.min(65_535, Math.max(0, Math.trunc(cells)));
}

function frame(type: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(headerBytes + payload.length);
  bytes.writeUInt32LE(payload.length, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt32LE(id, 5);
  bytes.set(payload, headerBytes);
  return bytes;
}

import type { Readable, Writable } from 'node:stream';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError, type WireError } from '../../contract/errors.ts';
import type { Codec } from '../../contract/wire.ts';
import { createJsonCodec } from '../../core/json-codec.ts';
import { LineSplitter } from '../../core/ndjson.ts';
import { defaultPeerLimits, type Peer, type PeerLimits } from '../../core/peer.ts';
import { nodeBase64 } from '../../net/base64.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { serveRpc } from '../rpc/rpc.ts';

export interface StdioDependencies {
  dispatch: Dispatch;
  input: Readable;
  /** Nothing else may write to it. */
  output: Writable;
  /** Whoever started this process; its access is the ceiling. */
  caller: Caller;
}

export interface StdioOptions {
  limits?: Partial<PeerLimits>;
  /** Other spellings of the wire, e.g. with another host's error codes. */
  codec?: Codec;
  /** How long calls under way may go on after the input has ended. */
  drainMs?: number;
  /** A host that takes none of its answers for so long, while so many wait that nothing more is read, is given up. */
  stallMs?: number;
}

export interface StdioConnection {
  readonly peer: Peer<WireError>;
  /** Resolves when the input has ended and all that was asked is answered, or the output is gone. */
  readonly closed: Promise<void>;
  close(): void;
}

/** A UTF-16 unit takes up to three bytes. */
const bytesPerUnit = 3;
const defaultDrainMs = 3000;
const defaultStallMs = 120_000;

/** Lines of JSON over a pair of streams. */
export function serveStdio(dependencies: StdioDependencies, options: StdioOptions = {}): StdioConnection {
  const { dispatch, input, output, caller } = dependencies;
  const maxFrameLength = options.limits?.maxFrameLength ?? defaultPeerLimits.maxFrameLength;
  const socket = lineSocket(input, output, {
    maxLineBytes: maxFrameLength * bytesPerUnit,
    drainMs: options.drainMs ?? defaultDrainMs,
    stallMs: options.stallMs ?? defaultStallMs,
    idle: () => peer.idle(),
  });
  const peer: Peer<WireError> = serveRpc(socket, {
    dispatch,
    caller,
    codec: options.codec ?? createJsonCodec<WireError>(nodeBase64),
    transport: 'stdio',
    connectionId: 'stdio',
    idPrefix: 's',
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const closed = new Promise<void>((resolve) => {
    socket.onClose(resolve);
  });
  return {
    peer,
    closed,
    close: () => {
      peer.close(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
      socket.close(0, 'stopping');
    },
  };
}

export interface LineSocketOptions {
  maxLineBytes: number;
  /** After the end of the input, messages may still go out for so long, */
  drainMs: number;
  /** or until this settles. */
  idle: () => Promise<void>;
  /** Closed when nothing was taken for so long while it was paused: the end of an input that is not read is not noticed. */
  stallMs?: number;
}

/** A pair of streams as a socket of lines. */
export function lineSocket(input: Readable, output: Writable, options: LineSocketOptions): TextSocket {
  const { maxLineBytes, drainMs, idle, stallMs = defaultStallMs } = options;
  const drainListeners: (() => void)[] = [];
  const closeListeners: (() => void)[] = [];
  let onText: (text: string) => void = () => undefined;
  let onBad: (problem: string) => void = () => undefined;
  let held = '';
  let closed = false;
  let stalled: NodeJS.Timeout | undefined;

  const lines = new LineSplitter(maxLineBytes, {
    line: (text) => onText(text),
    bad: (problem) => onBad(problem === 'too-long' ? `A line is longer than ${maxLineBytes} bytes.` : 'A line is not UTF-8.'),
  });
  const flush = (): void => {
    if (held === '' || output.destroyed) return;
    const text = held;
    held = '';
    output.write(text, () => {
      stalled?.refresh();
      if (output.writableLength === 0 && held === '') for (const listener of drainListeners) listener();
    });
  };
  const close = (): void => {
    if (closed) return;
    flush();
    closed = true;
    goOn();
    input.off('data', onData);
    input.off('end', onEnd);
    input.pause();
    for (const listener of closeListeners) listener();
  };
  const goOn = (): void => {
    clearTimeout(stalled);
    stalled = undefined;
  };
  const onData = (chunk: Uint8Array | string): void => lines.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  const onEnd = (): void => {
    lines.end();
    const timer = setTimeout(close, drainMs);
    void idle().then(() => {
      clearTimeout(timer);
      close();
    });
  };
  input.on('data', onData);
  input.on('end', onEnd);
  input.on('error', close);
  output.on('error', close);
  output.on('close', close);

  return {
    send(text) {
      if (closed) return;
      if (held === '') setImmediate(flush);
      held += `${text}\n`;
    },
    get buffered() {
      return held.length + output.writableLength;
    },
    onDrain: (listener) => drainListeners.push(listener),
    onText: (listener) => {
      onText = listener;
    },
    onBad: (listener) => {
      onBad = listener;
    },
    onClose: (listener) => closeListeners.push(listener),
    pause: () => {
      input.pause();
      stalled ??= setTimeout(close, stallMs);
    },
    resume: () => {
      goOn();
      input.resume();
    },
    close,
  };
}

import { FrameError, type PeerCodec, type PeerFrame } from './peer-frame.ts';
import { maxBytesLength, StreamReceiver, StreamSender } from './peer-stream.ts';

/** The longest that timers of Node and browsers wait: asked for more, they fire at once. */
export const maxTimerMs = 2 ** 31 - 1;

export interface PeerTimers {
  /** Runs it once after `ms`, or after `maxTimerMs` where that is sooner. */
  set(run: () => void, ms: number): unknown;
  clear(timer: unknown): void;
  /** Runs it later in this turn of the event loop (setImmediate or its like). */
  soon(run: () => void): void;
}

export type PeerReason =
  | 'BAD_FRAME'
  | 'DUPLICATE_ID'
  | 'TOO_MANY'
  | 'DEADLINE'
  | 'CANCELED'
  | 'CONNECTION_LOST'
  | 'INPUT_TOO_LARGE'
  | 'OUTPUT_TOO_LARGE'
  | 'STREAM_ONLY';

/** Errors belong to the layer above; the peer only says which. */
export interface PeerErrors<WireError> {
  make(reason: PeerReason, message: string, options?: { cause?: unknown }): Error;
  /** `id` is the request that failed, null when it is not known. */
  toWire(error: unknown, id: string | null): WireError;
  fromWire(wire: WireError): Error;
}

export interface PeerLimits {
  /** A longer message is refused unread; UTF-16 units. */
  maxFrameLength: number;
  /** A longer message is not sent: the request or the answer fails instead; UTF-16 units. */
  maxSendLength: number;
  /** Messages that can't be understood before the connection is closed. */
  maxBadFrames: number;
  /** Handlers running for the other side. */
  maxRequests: number;
  /** Bytes queued in the socket above which streams wait and nothing more is read. */
  pauseAboveBytes: number;
  /** Bytes queued in the socket above which the connection is given up. */
  maxBufferedBytes: number;
}

/** Where senders put it. As `frameId` has it, and without anything that is written in another way. */
const idAtBegin = /^\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"/;

export const defaultPeerLimits: PeerLimits = {
  maxFrameLength: 1024 * 1024,
  maxSendLength: 64 * 1024 * 1024,
  maxBadFrames: 32,
  maxRequests: 256,
  pauseAboveBytes: 1024 * 1024,
  maxBufferedBytes: 128 * 1024 * 1024,
};

/** A request of the other side, as `handle` gets it. Its answer is what `handle` resolves with. */
export interface PeerRequest {
  readonly id: string;
  readonly method: string;
  readonly params: unknown;
  /** The caller wants items and bytes as they come. */
  readonly stream: boolean;
  /** Aborted on cancel, deadline and loss of the connection; its reason is an error made by `errors.make`. */
  readonly signal: AbortSignal;
  /** The bytes that the caller sends; undefined when it sends none. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** A promise when the caller has no room: wait for it before the next one. */
  emit(item: unknown): Promise<void> | undefined;
  /** As `emit`, for bytes. */
  write(bytes: Uint8Array): Promise<void> | undefined;
}

export interface PeerCallOptions {
  /** Ask for items and bytes as they come; they must then be consumed. */
  stream?: boolean;
  body?: AsyncIterable<Uint8Array>;
  /** Then the call fails with DEADLINE: at once when it is not more than 0, never when it is Infinity. */
  timeoutMs?: number;
  /** Ask for a sign of life this often, at least; never more often than once a second. */
  keepaliveMs?: number;
  signal?: AbortSignal;
}

/** A call to the other side. Leaving a loop over `items` or `bytes` early cancels it. */
export interface PeerCall {
  readonly id: string;
  readonly result: Promise<unknown>;
  readonly items: AsyncIterable<unknown>;
  readonly bytes: AsyncIterable<Uint8Array>;
  cancel(cause?: unknown): void;
}

export interface PeerDependencies<WireError> {
  codec: PeerCodec<WireError>;
  errors: PeerErrors<WireError>;
  timers: PeerTimers;
  /** Takes one message; must not call back into the peer. */
  send(text: string): void;
  /** Bytes queued in this process and not yet taken by the system. */
  buffered(): number;
  /** Registers what to call when `buffered` has come down. */
  onDrain(listener: () => void): void;
  /** Stop and go on reading from the other side, where the socket can. */
  pause?(): void;
  resume?(): void;
  /** Answers requests of the other side; without it they are refused. */
  handle?(request: PeerRequest): Promise<unknown>;
  onEvent?(event: string, data: unknown): void;
  /** The peer gave up by itself (junk, a reader that is too slow): close the socket. */
  onClose?(error: Error): void;
  /** Told apart from the other side's ids by this prefix. */
  idPrefix: string;
}

/** What the other side sent that had no effect. */
export interface PeerCounts {
  bad: number;
  unknown: number;
  /** Belonged to a call that is over, or to none. */
  stray: number;
}

const minKeepaliveMs = 1000;

interface Incoming {
  readonly id: string;
  readonly controller: AbortController;
  readonly sender: StreamSender;
  readonly body: StreamReceiver<Uint8Array> | undefined;
  deadline: unknown;
  keepalive: unknown;
  /** Nothing was sent for it since the last keepalive. */
  quiet: boolean;
}

interface Outgoing {
  readonly id: string;
  /** Its answer comes in pieces. */
  readonly stream: boolean;
  readonly items: StreamReceiver<readonly unknown[]>;
  readonly bytes: StreamReceiver<Uint8Array>;
  readonly body: StreamSender | undefined;
  settle(answer: { result: unknown } | { error: unknown }): void;
}

/**
 * Requests and answers over one connection, in both directions at once. Knows no socket and no clock: text goes out by `send`,
 * comes in by `receive`. Each request has exactly one end (result or error), and what the other side can make grow is bounded.
 */
export class Peer<WireError> {
  readonly counts: PeerCounts = { bad: 0, unknown: 0, stray: 0 };
  readonly #deps: PeerDependencies<WireError>;
  readonly #limits: PeerLimits;
  readonly #incoming = new Map<string, Incoming>();
  readonly #outgoing = new Map<string, Outgoing>();
  #running = 0;
  #idle: (() => void)[] = [];
  #lastId = 0;
  #paused = false;
  #closed: Error | undefined;

  constructor(dependencies: PeerDependencies<WireError>, limits: Partial<PeerLimits> = {}) {
    this.#deps = dependencies;
    this.#limits = { ...defaultPeerLimits, ...limits };
    dependencies.onDrain(() => this.#drain());
  }

  /** Requests of the other side that still run here; one that was canceled counts until its handler has ended. */
  get running(): number {
    return this.#running;
  }

  /** Calls of this side that have no answer yet. */
  get waiting(): number {
    return this.#outgoing.size;
  }

  /** Settles when no handler runs any more. */
  idle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Takes one message of the other side. Never throws. */
  receive(text: string): void {
    if (this.#closed !== undefined) return;
    if (text.length > this.#limits.maxFrameLength) {
      this.#tooLong(text);
      return;
    }
    let frame: PeerFrame<WireError> | undefined;
    try {
      frame = this.#deps.codec.decode(text);
    } catch (error) {
      this.bad(error instanceof FrameError ? error.message : 'The message can not be read.', error instanceof FrameError ? error.id : null);
      return;
    }
    if (frame === undefined) this.counts.unknown++;
    else this.#take(frame);
  }

  /** A request is answered: whoever asked would wait for ever. */
  #tooLong(text: string): void {
    const message = `The message is longer than ${this.#limits.maxFrameLength} characters.`;
    const id = idAtBegin.exec(text)?.[1];
    if (id === undefined || this.#incoming.has(id) || this.#outgoing.has(id)) this.bad(message, id);
    else this.#sendError(id, this.#deps.errors.make('INPUT_TOO_LARGE', message));
  }

  /**
   * Counts a message that can't be understood and answers BAD_FRAME; too many close the connection. The call that it belongs to ends with that. Where
   * `id` is null it may have been a piece of any stream that comes in, so all their calls end.
   */
  bad(message: string, id: string | null = null): void {
    if (this.#closed !== undefined) return;
    const error = this.#deps.errors.make('BAD_FRAME', message);
    this.counts.bad++;
    const isOfNone = id === null || !(this.#incoming.has(id) || this.#outgoing.has(id));
    if (isOfNone) this.#sendError(id, error);
    for (const request of [...this.#incoming.values()])
      if (id === null ? request.body?.open === true : request.id === id) this.#fail(request, error);
    for (const call of [...this.#outgoing.values()]) if (id === null ? call.stream : call.id === id) this.#abandon(call, error);
    if (this.counts.bad > this.#limits.maxBadFrames)
      this.#giveUp(this.#deps.errors.make('BAD_FRAME', `More than ${this.#limits.maxBadFrames} bad messages.`));
  }

  /** Tells the other side something; false when it was left out because the other side reads too slowly. */
  event(event: string, data: unknown): boolean {
    if (this.#closed !== undefined || !this.#writable()) return false;
    this.#send(this.#deps.codec.encode({ kind: 'event', event, data }));
    return true;
  }

  call(method: string, params: unknown, options: PeerCallOptions = {}): PeerCall {
    const { errors, timers, codec } = this.#deps;
    const id = this.#nextId();
    const answer = Promise.withResolvers<unknown>();
    // Whoever only reads items or bytes gets the error there.
    answer.promise.catch(() => undefined);

    let timer: unknown;
    let settled = false;
    const grant = (credit: number): void => this.#send(codec.encode({ kind: 'credit', id, credit }));
    const cancel = (error: Error): void => {
      if (settled) return;
      call.items.clear();
      call.bytes.clear();
      this.#abandon(call, error);
    };
    const canceled = (cause?: unknown): void => cancel(errors.make('CANCELED', 'The call was canceled.', { cause }));
    const onAbort = (): void => canceled(options.signal?.reason);
    const call: Outgoing = {
      id,
      stream: options.stream === true,
      items: new StreamReceiver(grant),
      bytes: new StreamReceiver(grant),
      body: options.body === undefined ? undefined : this.#sender(id),
      settle: (end) => {
        if (settled) return;
        settled = true;
        this.#outgoing.delete(id);
        timers.clear(timer);
        options.signal?.removeEventListener('abort', onAbort);
        call.body?.drop();
        if ('error' in end) {
          answer.reject(end.error);
          call.items.fail(end.error);
          call.bytes.fail(end.error);
        } else {
          answer.resolve(end.result);
          call.items.end();
          call.bytes.end();
        }
      },
    };
    const handle: PeerCall = {
      id,
      result: answer.promise,
      items: iterate(
        () => call.items.take(),
        (frame) => frame,
        canceled,
      ),
      bytes: iterate(
        () => call.bytes.take(),
        (frame) => [frame],
        canceled,
      ),
      cancel: canceled,
    };

    if (this.#closed !== undefined) {
      call.settle({ error: this.#closed });
      return handle;
    }
    if (options.signal?.aborted === true) {
      call.settle({ error: errors.make('CANCELED', 'The call was canceled.', { cause: options.signal.reason }) });
      return handle;
    }
    const outOfTime = (): Error => errors.make('DEADLINE', 'The call ran out of time.');
    const timeoutMs = options.timeoutMs === Number.POSITIVE_INFINITY ? undefined : options.timeoutMs;
    // NaN too is not more than 0.
    if (timeoutMs !== undefined && !(timeoutMs > 0)) {
      call.settle({ error: outOfTime() });
      return handle;
    }
    const frame: PeerFrame<WireError> & { kind: 'request' } = { kind: 'request', id, method, params };
    if (options.stream === true) frame.stream = true;
    if (options.body !== undefined) frame.body = true;
    if (timeoutMs !== undefined) frame.deadlineMs = timeoutMs;
    if (options.keepaliveMs !== undefined) frame.keepaliveMs = options.keepaliveMs;
    const text = codec.encode(frame);
    if (text.length > this.#limits.maxSendLength) {
      call.settle({ error: errors.make('INPUT_TOO_LARGE', `The request is longer than ${this.#limits.maxSendLength} characters.`) });
      return handle;
    }
    this.#outgoing.set(id, call);
    options.signal?.addEventListener('abort', onAbort);
    if (timeoutMs !== undefined) timer = timers.set(() => cancel(outOfTime()), Math.min(timeoutMs, maxTimerMs));
    this.#send(text);
    if (options.body !== undefined && call.body !== undefined) void this.#pumpBody(call, call.body, options.body, cancel, () => settled);
    return handle;
  }

  /** All calls of this side fail with `error`, all handlers are aborted with it, and nothing is sent any more. */
  close(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    for (const call of [...this.#outgoing.values()]) call.settle({ error });
    for (const request of [...this.#incoming.values()]) this.#finish(request, error);
  }

  #take(frame: PeerFrame<WireError>): void {
    switch (frame.kind) {
      case 'request':
        this.#request(frame);
        return;
      case 'event':
        this.#deps.onEvent?.(frame.event, frame.data);
        return;
      case 'cancel': {
        const request = this.#incoming.get(frame.id);
        if (request === undefined) this.counts.stray++;
        else this.#fail(request, this.#deps.errors.make('CANCELED', 'The call was canceled.'));
        return;
      }
      case 'end': {
        const body = this.#incoming.get(frame.id)?.body;
        if (body === undefined) this.counts.stray++;
        else body.end();
        return;
      }
      case 'credit': {
        const sender = this.#outgoing.get(frame.id)?.body ?? this.#incoming.get(frame.id)?.sender;
        if (sender === undefined) this.counts.stray++;
        else sender.grant(frame.credit);
        return;
      }
      case 'bytes':
        this.#takeBytes(frame.id, frame.bytes);
        return;
      default:
        this.#takeAnswer(frame);
    }
  }

  #takeAnswer(frame: PeerFrame<WireError> & { kind: 'result' | 'error' | 'items' | 'keepalive' }): void {
    const call = frame.id === null ? undefined : this.#outgoing.get(frame.id);
    if (call === undefined) this.counts.stray++;
    else if (frame.kind === 'result') call.settle({ result: frame.result });
    else if (frame.kind === 'error') call.settle({ error: this.#deps.errors.fromWire(frame.error) });
    else if (frame.kind === 'items' && !call.items.push(frame.items)) this.#overrun(call);
  }

  #takeBytes(id: string, bytes: Uint8Array): void {
    if (bytes.length > maxBytesLength) {
      this.bad(`"bytes" may hold ${maxBytesLength} bytes a message.`, id);
      return;
    }
    const call = this.#outgoing.get(id);
    if (call !== undefined) {
      if (!call.bytes.push(bytes)) this.#overrun(call);
      return;
    }
    const request = this.#incoming.get(id);
    if (request?.body === undefined) this.counts.stray++;
    else if (!request.body.push(bytes))
      this.#fail(request, this.#deps.errors.make('BAD_FRAME', 'More bytes were sent than credit was given for.'));
  }

  /** The other side ignores credit: its answer can't be held. */
  #overrun(call: Outgoing): void {
    this.#abandon(call, this.#deps.errors.make('BAD_FRAME', 'The peer sent more than it was given credit for.'));
  }

  /** Ends a call of this side that the other one still answers. */
  #abandon(call: Outgoing, error: Error): void {
    this.#send(this.#deps.codec.encode({ kind: 'cancel', id: call.id }));
    call.settle({ error });
  }

  #request(frame: PeerFrame<WireError> & { kind: 'request' }): void {
    const { errors, timers, handle } = this.#deps;
    const { id } = frame;
    if (this.#incoming.has(id) || this.#outgoing.has(id)) {
      this.#sendError(id, errors.make('DUPLICATE_ID', `A request with the id ${JSON.stringify(id)} is in flight already.`));
      return;
    }
    if (handle === undefined || this.#running >= this.#limits.maxRequests) {
      this.#sendError(
        id,
        errors.make('TOO_MANY', `At most ${handle === undefined ? 0 : this.#limits.maxRequests} requests may be in flight here.`),
      );
      return;
    }
    const request: Incoming = {
      id,
      controller: new AbortController(),
      sender: this.#sender(id),
      body:
        frame.body === true
          ? new StreamReceiver((credit) => this.#send(this.#deps.codec.encode({ kind: 'credit', id, credit })))
          : undefined,
      deadline: undefined,
      keepalive: undefined,
      quiet: true,
    };
    this.#incoming.set(id, request);
    if (frame.deadlineMs !== undefined) {
      const fail = (): void => this.#fail(request, errors.make('DEADLINE', 'The call ran out of time.'));
      request.deadline = timers.set(fail, Math.min(frame.deadlineMs, maxTimerMs));
    }
    if (frame.keepaliveMs !== undefined) this.#keepAlive(request, Math.min(Math.max(frame.keepaliveMs, minKeepaliveMs), maxTimerMs));
    void this.#run(request, frame, handle);
  }

  async #run(
    request: Incoming,
    frame: PeerFrame<WireError> & { kind: 'request' },
    handle: (request: PeerRequest) => Promise<unknown>,
  ): Promise<void> {
    const { id, sender, body, controller } = request;
    this.#running++;
    try {
      const result = await handle({
        id,
        method: frame.method,
        params: frame.params,
        stream: frame.stream === true,
        signal: controller.signal,
        body:
          body === undefined
            ? undefined
            : iterate(
                () => body.take(),
                (bytes) => [bytes],
                () => body.clear(),
              ),
        emit: (item) => sender.item(this.#itemText(item)),
        write: (bytes) => sender.bytes(bytes),
      });
      await sender.drained();
      this.#answer(request, result);
    } catch (error) {
      // What was emitted before the failure still belongs to the answer.
      await sender.drained();
      this.#fail(request, error);
    } finally {
      this.#running--;
      if (this.#running === 0) {
        const idle = this.#idle;
        this.#idle = [];
        for (const go of idle) go();
      }
    }
  }

  #answer(request: Incoming, result: unknown): void {
    if (this.#incoming.get(request.id) !== request) return;
    let text: string;
    try {
      text = this.#deps.codec.encode({ kind: 'result', id: request.id, result });
    } catch (error) {
      this.#fail(request, error);
      return;
    }
    if (text.length > this.#limits.maxSendLength) {
      this.#fail(
        request,
        this.#deps.errors.make('OUTPUT_TOO_LARGE', `The answer is longer than ${this.#limits.maxSendLength} characters.`),
      );
      return;
    }
    this.#finish(request, undefined);
    this.#send(text);
  }

  /** Ends a request with an error, once, and aborts its handler when it still runs. */
  #fail(request: Incoming, error: unknown): void {
    if (this.#incoming.get(request.id) !== request) return;
    this.#finish(request, error);
    this.#sendError(request.id, error);
  }

  #finish(request: Incoming, error: unknown): void {
    this.#incoming.delete(request.id);
    this.#deps.timers.clear(request.deadline);
    this.#deps.timers.clear(request.keepalive);
    if (error !== undefined) request.controller.abort(error);
    request.sender.drop();
    request.body?.clear();
    if (error === undefined) request.body?.end();
    else request.body?.fail(error);
  }

  #keepAlive(request: Incoming, everyMs: number): void {
    request.keepalive = this.#deps.timers.set(() => {
      if (request.quiet && this.#writable()) this.#send(this.#deps.codec.encode({ kind: 'keepalive', id: request.id }));
      request.quiet = true;
      this.#keepAlive(request, everyMs);
    }, everyMs);
  }

  async #pumpBody(
    call: Outgoing,
    sender: StreamSender,
    body: AsyncIterable<Uint8Array>,
    cancel: (error: Error) => void,
    over: () => boolean,
  ): Promise<void> {
    try {
      for await (const chunk of body) {
        if (over()) return;
        await sender.bytes(chunk);
        if (over()) return;
      }
      await sender.drained();
      if (!over()) this.#send(this.#deps.codec.encode({ kind: 'end', id: call.id }));
    } catch (error) {
      cancel(error instanceof Error ? error : this.#deps.errors.make('CANCELED', 'The body could not be read.', { cause: error }));
    }
  }

  #itemText(item: unknown): string {
    const text = JSON.stringify(item) ?? 'null';
    if (text.length > this.#limits.maxSendLength) {
      throw this.#deps.errors.make('OUTPUT_TOO_LARGE', `One item is longer than ${this.#limits.maxSendLength} characters.`);
    }
    return text;
  }

  #sender(id: string): StreamSender {
    const { codec, timers } = this.#deps;
    const sent = (): void => {
      const request = this.#incoming.get(id);
      if (request !== undefined) request.quiet = false;
    };
    return new StreamSender({
      sendItems: (items) => {
        sent();
        this.#send(codec.encodeItems(id, items));
      },
      sendBytes: (bytes) => {
        sent();
        this.#send(codec.encode({ kind: 'bytes', id, bytes }));
      },
      writable: () => this.#writable(),
      soon: timers.soon,
    });
  }

  #nextId(): string {
    let id: string;
    do id = `${this.#deps.idPrefix}${++this.#lastId}`;
    while (this.#incoming.has(id));
    return id;
  }

  #writable(): boolean {
    return this.#deps.buffered() < this.#limits.pauseAboveBytes;
  }

  #sendError(id: string | null, error: unknown): void {
    const { codec, errors } = this.#deps;
    let text: string;
    try {
      text = codec.encode({ kind: 'error', id, error: errors.toWire(error, id) });
    } catch {
      // What it brings along can't be written down.
      text = codec.encode({ kind: 'error', id, error: errors.toWire(new Error('The error can not be written as JSON.'), id) });
    }
    this.#send(text);
  }

  #send(text: string): void {
    if (this.#closed !== undefined) return;
    this.#deps.send(text);
    const buffered = this.#deps.buffered();
    if (buffered > this.#limits.maxBufferedBytes) {
      this.#giveUp(this.#deps.errors.make('CONNECTION_LOST', `The peer left more than ${this.#limits.maxBufferedBytes} bytes unread.`));
    } else if (buffered > this.#limits.pauseAboveBytes && !this.#paused) {
      // Whoever does not read answers may not ask more.
      this.#paused = true;
      this.#deps.pause?.();
    }
  }

  #drain(): void {
    if (this.#closed !== undefined) return;
    if (this.#paused && this.#writable()) {
      this.#paused = false;
      this.#deps.resume?.();
    }
    for (const request of this.#incoming.values()) request.sender.pump();
    for (const call of this.#outgoing.values()) call.body?.pump();
  }

  #giveUp(error: Error): void {
    this.close(error);
    this.#deps.onClose?.(error);
  }
}

/** Turns frames into their parts, one at a time. `leave` is called when the consumer stops early. */
function iterate<Frame, Part>(
  take: () => Promise<IteratorResult<Frame, undefined>>,
  parts: (frame: Frame) => readonly Part[],
  leave: () => void,
): AsyncIterable<Part> {
  return {
    [Symbol.asyncIterator]() {
      let held: readonly Part[] = [];
      let at = 0;
      return {
        async next() {
          while (at >= held.length) {
            const step = await take();
            if (step.done === true) return { done: true, value: undefined };
            held = parts(step.value);
            at = 0;
          }
          return { done: false, value: held[at++] as Part };
        },
        async return() {
          leave();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

import { type ErrorReason, errorTable, fromWireError, OutriggerError, type WireError } from '../contract/errors.ts';
import type { PeerTimers } from '../core/peer.ts';
import type { CallBounds } from './call-bounds.ts';

export interface HttpCallsOptions {
  url: string;
  token?: string | undefined;
  name: () => string | undefined;
  /** As failures call it. */
  server: string;
  fetch: typeof globalThis.fetch;
  timers: Pick<PeerTimers, 'set' | 'clear'>;
  /** A quiet stream says something so often, in whole seconds: what stands between, and Node's own fetch, take long silence for a lost connection. */
  keepaliveMs: number;
  /** One that is silent for so much longer is lost. */
  patienceMs: number;
}

export type UploadBody = Uint8Array | ArrayBuffer | Blob | string | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Operations over plain HTTP: one request each. */
export class HttpCalls {
  readonly #options: HttpCallsOptions;
  readonly #closing = new AbortController();

  constructor(options: HttpCallsOptions) {
    this.#options = options;
  }

  /** Ends what is under way; it and whatever is asked afterwards fail with CONNECTION_LOST. */
  close(): void {
    this.#closing.abort(new OutriggerError('CONNECTION_LOST', 'The client was closed.'));
  }

  /** Aborted by `close`. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async call(name: string, input: unknown, bounds: CallBounds): Promise<unknown> {
    const response = await this.#request(
      name,
      { body: JSON.stringify(input ?? {}), headers: { 'content-type': 'application/json' } },
      bounds,
    );
    return factsOf(response) ?? this.#guard(bounds, () => response.json());
  }

  /** What reading `body` throws is thrown as it is. */
  async upload(name: string, input: object, body: UploadBody, bounds: CallBounds): Promise<unknown> {
    const source = new Source(bounds.joined(this.closing));
    const init: RequestInit & { duplex?: 'half' } = { headers: { 'content-type': 'application/octet-stream' } };
    try {
      const sent = sendable(body, source);
      // Browsers, and workers in them, send streams over HTTP/2 at most: there the bytes are gathered first.
      const inBrowser = 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
      const isStream = sent instanceof ReadableStream;
      init.body = isStream && inBrowser ? await this.#guard(bounds, () => new Response(sent).blob()) : sent;
      if (isStream && !inBrowser) init.duplex = 'half';
      const response = await this.#request(`${name}?${query(input)}`, init, bounds);
      return await this.#guard(bounds, () => response.json());
    } catch (error) {
      throw source.failed ? source.error : error;
    } finally {
      source.leave();
    }
  }

  async download(name: string, input: unknown, bounds: CallBounds): Promise<{ output: unknown; bytes: AsyncIterable<Uint8Array> }> {
    const init = { body: JSON.stringify(input ?? {}), headers: { 'content-type': 'application/json' } };
    const response = await this.#request(name, init, bounds);
    const output = outputBeside(response);
    if (output === undefined) {
      // A proxy's page, which is not what was asked for.
      response.body?.cancel().catch(() => undefined);
      throw this.#lost(undefined);
    }
    return { output, bytes: this.#bodyBytes(response, bounds) };
  }

  /** Items, then the output; one try, no resuming. Of which nothing is heard, not even that it is quiet, fails with CONNECTION_LOST. */
  async *stream(name: string, input: unknown, bounds: CallBounds): AsyncGenerator<unknown, unknown> {
    const { timers, keepaliveMs, patienceMs } = this.#options;
    const keepaliveS = Math.max(1, Math.ceil(keepaliveMs / 1000));
    const silence = new Silence(timers, keepaliveS * 1000 + patienceMs);
    const headers = { 'content-type': 'application/json', accept: 'application/x-ndjson', 'keepalive-interval': String(keepaliveS) };
    const init = { body: JSON.stringify(input ?? {}), headers };
    const response = await silence.endsWith(this.#request(name, init, bounds, silence.signal));
    const facts = factsOf(response);
    if (facts !== undefined) return facts;
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of this.#bodyBytes(response, bounds, silence)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        if (bounds.signal?.aborted === true)
          throw new OutriggerError('CANCELED', 'The call was canceled.', { cause: bounds.signal.reason });
        const message = messageIn(line);
        // A proxy's page.
        if (message === undefined) throw this.#lost(undefined);
        if (message.error !== undefined) throw fromWireError(message.error);
        if ('end' in message) return message.end;
        yield message.item;
      }
    }
    throw this.#lost(undefined);
  }

  async #request(path: string, init: RequestInit, bounds: CallBounds, ...ends: AbortSignal[]): Promise<Response> {
    const { url, token, fetch } = this.#options;
    const name = this.#options.name();
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    if (name !== undefined) headers.set('outrigger-name', encodeURIComponent(name));
    const all: RequestInit = { ...init, method: 'POST', headers, credentials: 'same-origin', cache: 'no-store' };
    all.signal = bounds.joined(this.closing, ...ends);
    const response = await this.#guard(bounds, () => fetch(`${url}/api/${path}`, all));
    if (response.ok || (response.status === 304 && response.headers.has(outputHeader))) {
      if (response.headers.has(idHeader)) return response;
      // A proxy's page, which may look like any output.
      response.body?.cancel().catch(() => undefined);
      throw this.#lost(undefined);
    }
    const text = await this.#guard(bounds, () => response.text());
    throw fromWireError(errorIn(text) ?? otherError(response));
  }

  async *#bodyBytes(response: Response, bounds: CallBounds, silence?: Silence): AsyncGenerator<Uint8Array, void> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const step = await this.#guard(bounds, () => (silence === undefined ? reader.read() : silence.endsWith(reader.read())));
        if (step.done) return;
        yield step.value;
      }
    } finally {
      // Leaving early ends the request; after the end this does nothing.
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Runs it; what the network or an abort throws becomes an error of the table. */
  async #guard<T>(bounds: CallBounds, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof OutriggerError) throw error;
      if (this.closing.aborted) throw this.closing.reason;
      if (bounds.signal?.aborted === true) throw new OutriggerError('CANCELED', 'The call was canceled.', { cause: error });
      if (bounds.timeout?.aborted === true) throw new OutriggerError('DEADLINE', 'The call ran out of time.', { cause: error });
      throw this.#lost(error);
    }
  }

  #lost(cause: unknown): OutriggerError {
    return new OutriggerError('CONNECTION_LOST', `The ${this.#options.server} does not answer.`, { cause });
  }
}

/** Aborted when what is waited for does not come in time. How long whoever reads takes in between does not count. */
class Silence {
  readonly #timers: HttpCallsOptions['timers'];
  readonly #ms: number;
  readonly #tooLong = new AbortController();

  constructor(timers: HttpCallsOptions['timers'], ms: number) {
    this.#timers = timers;
    this.#ms = ms;
  }

  get signal(): AbortSignal {
    return this.#tooLong.signal;
  }

  async endsWith<T>(work: Promise<T>): Promise<T> {
    const timer = this.#timers.set(() => this.#tooLong.abort(new Error(`Nothing came for ${this.#ms} ms.`)), this.#ms);
    try {
      return await work;
    } finally {
      this.#timers.clear(timer);
    }
  }
}

/** Present in each answer, also to a page of another origin. */
const idHeader = 'x-request-id';
/** Present where the body is bytes. */
const outputHeader = 'outrigger-output';

/** Undefined: there is none, or none of ours. */
function outputBeside(response: Response): unknown {
  const header = response.headers.get(outputHeader);
  try {
    return header === null ? undefined : JSON.parse(decodeURIComponent(header));
  } catch {
    return undefined;
  }
}

/** What an operation with bytes says beside them, which are left unread; undefined for an operation without. */
function factsOf(response: Response): unknown {
  const output = outputBeside(response);
  if (output !== undefined) response.body?.cancel().catch(() => undefined);
  return output;
}

function errorIn(text: string): WireError | undefined {
  try {
    const value = JSON.parse(text) as WireError | null;
    // Others have a `reason` too.
    return value !== null && Object.hasOwn(errorTable, value.reason) ? value : undefined;
  } catch {
    // Not ours: a proxy's page.
    return undefined;
  }
}

/** Of an answer that is no error of ours. No log of a sidecar knows of it, unless it has an id. */
function otherError({ status, headers }: Response): { reason: ErrorReason; message: string; hint?: string } {
  const known = { reason: reasonOf(status), message: `The server answered ${status}.` };
  if (known.reason === 'INPUT_TOO_LARGE') return { ...known, hint: 'What stands between takes no body as large as that: raise its limit.' };
  if (known.reason !== 'INTERNAL' || headers.has(idHeader)) return known;
  return { ...known, hint: 'That is no answer of Outrigger: check the address, and what stands between.' };
}

/** What a proxy's own answer comes to: it did not reach the server, heard no answer of it, or passes on no more. */
function reasonOf(status: number): ErrorReason {
  if (status === 413) return 'INPUT_TOO_LARGE';
  if (status === 429) return 'TOO_MANY';
  return status >= 502 && status <= 504 ? 'CONNECTION_LOST' : 'INTERNAL';
}

/** Undefined: none of ours. */
function messageIn(line: string): { item?: unknown; end?: unknown; error?: WireError } | undefined {
  try {
    const message = JSON.parse(line) as object | null;
    return typeof message === 'object' && message !== null && ['item', 'end', 'error'].some((key) => key in message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function sendable(body: UploadBody, source: Source): Exclude<BodyInit, FormData | URLSearchParams> {
  if (typeof body === 'string' || body instanceof Blob) return body;
  if (body instanceof ArrayBuffer) return body;
  // Fetch takes no shared memory; Node's sends other bytes instead.
  if (body instanceof Uint8Array) return body.buffer instanceof ArrayBuffer ? (body as Uint8Array<ArrayBuffer>) : new Uint8Array(body);
  return source.streamOf(body);
}

/** Where the bytes of an upload come from. Fetch says of what fails there only that it failed, and may read on when it was aborted. */
class Source {
  failed = false;
  error: unknown;
  readonly #over: AbortSignal;
  /** Asks for no more, and lets go of where the bytes come from. */
  leave: () => void = () => undefined;

  /** `over`: as `leave`. */
  constructor(over: AbortSignal) {
    this.#over = over;
  }

  streamOf(bytes: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
    const pieces = 'getReader' in bytes ? piecesOf(bytes) : itemsOf(bytes);
    let reading = true;
    const stop = (): void => {
      reading = false;
      this.#over.removeEventListener('abort', this.leave);
    };
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.leave = () => {
          if (!reading) return;
          stop();
          controller.error(new Error('The upload is over.'));
          // Nobody waits for it any more.
          void pieces.leave().catch(() => undefined);
        };
        if (this.#over.aborted) this.leave();
        else this.#over.addEventListener('abort', this.leave);
      },
      pull: async (controller) => {
        try {
          const step = await pieces.next();
          if (!reading) return;
          if (step.done !== true) controller.enqueue(step.value as Uint8Array);
          else {
            stop();
            controller.close();
          }
        } catch (error) {
          if (!reading) return;
          stop();
          this.failed = true;
          this.error = error;
          throw error;
        }
      },
      cancel: () => this.leave(),
    });
  }
}

interface Pieces {
  next: () => Promise<{ done?: boolean | undefined; value?: Uint8Array | undefined }>;
  /** Ends what it is read from, also while a piece is waited for, where that can be. */
  leave: () => Promise<unknown>;
}

/** Not by its iterator, which some browsers' streams lack, and which leaves only when the next piece has come. */
function piecesOf(stream: ReadableStream<Uint8Array>): Pieces {
  const reader = stream.getReader();
  return { next: () => reader.read(), leave: () => reader.cancel() };
}

function itemsOf(bytes: AsyncIterable<Uint8Array>): Pieces {
  const iterator = bytes[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    leave: async () => {
      // Streams of Node have it.
      (bytes as { destroy?: () => void }).destroy?.();
      await iterator.return?.();
    },
  };
}

function query(input: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(input)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) parameters.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one));
    }
  }
  return parameters.toString();
}

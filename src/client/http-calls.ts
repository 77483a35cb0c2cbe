import { fromWireError, OutriggerError, type WireError } from '../contract/errors.ts';

export interface HttpCallsOptions {
  url: string;
  token?: string | undefined;
  fetch: typeof globalThis.fetch;
}

export interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

export type UploadBody = Uint8Array | Blob | string | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** A quiet stream says something so often, s: what stands between, and Node's own fetch, take long silence for a lost connection. */
const keepaliveS = 25;

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

  async call(name: string, input: unknown, options: CallOptions = {}): Promise<unknown> {
    const response = await this.#request(
      name,
      { body: JSON.stringify(input ?? {}), headers: { 'content-type': 'application/json' } },
      options,
    );
    return this.#guard(options, () => response.json());
  }

  /** What reading `body` throws is thrown as it is. */
  async upload(name: string, input: object, body: UploadBody, options: CallOptions = {}): Promise<unknown> {
    const source = new Source();
    const init: RequestInit & { duplex?: 'half' } = { headers: { 'content-type': 'application/octet-stream' } };
    init.body = await sendable(body, source);
    if (init.body instanceof ReadableStream) init.duplex = 'half';
    try {
      const response = await this.#request(`${name}?${query(input)}`, init, options);
      return await this.#guard(options, () => response.json());
    } catch (error) {
      throw source.failed ? source.error : error;
    }
  }

  async download(name: string, input: unknown, options: CallOptions = {}): Promise<{ output: unknown; bytes: AsyncIterable<Uint8Array> }> {
    const init = { body: JSON.stringify(input ?? {}), headers: { 'content-type': 'application/json' } };
    const response = await this.#request(name, init, options);
    const output: unknown = JSON.parse(decodeURIComponent(response.headers.get('outrigger-output') ?? 'null'));
    return { output, bytes: this.#bodyBytes(response, options) };
  }

  /** Items, then the output; one try, no resuming. */
  async *stream(name: string, input: unknown, options: CallOptions = {}): AsyncGenerator<unknown, unknown> {
    const headers = { 'content-type': 'application/json', accept: 'application/x-ndjson', 'keepalive-interval': String(keepaliveS) };
    const init = { body: JSON.stringify(input ?? {}), headers };
    const response = await this.#request(name, init, options);
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of this.#bodyBytes(response, options)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        const message = JSON.parse(line) as { item?: unknown; end?: unknown; error?: WireError };
        if (message.error !== undefined) throw fromWireError(message.error);
        if ('end' in message) return message.end;
        yield message.item;
      }
    }
    throw lost(undefined);
  }

  async #request(path: string, init: RequestInit, options: CallOptions): Promise<Response> {
    const { url, token, fetch } = this.#options;
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const signals = [
      this.closing,
      options.signal,
      options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs),
    ].filter((signal) => signal !== undefined);
    const all: RequestInit = { ...init, method: 'POST', headers, credentials: 'same-origin', cache: 'no-store' };
    all.signal = AbortSignal.any(signals);
    const response = await this.#guard(options, () => fetch(`${url}/api/${path}`, all));
    if (response.ok) return response;
    const text = await this.#guard(options, () => response.text());
    throw fromWireError(errorIn(text) ?? { reason: 'INTERNAL', message: `The server answered ${response.status}.` });
  }

  async *#bodyBytes(response: Response, options: CallOptions): AsyncGenerator<Uint8Array, void> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const step = await this.#guard(options, () => reader.read());
        if (step.done) return;
        yield step.value;
      }
    } finally {
      // Leaving early ends the request; after the end this does nothing.
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Runs it; what the network or an abort throws becomes an error of the table. */
  async #guard<T>(options: CallOptions, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof OutriggerError) throw error;
      if (this.closing.aborted) throw this.closing.reason;
      if (options.signal?.aborted === true) throw new OutriggerError('CANCELED', 'The call was canceled.', { cause: error });
      if (error instanceof Error && error.name === 'TimeoutError')
        throw new OutriggerError('DEADLINE', 'The call ran out of time.', { cause: error });
      throw lost(error);
    }
  }
}

function lost(cause: unknown): OutriggerError {
  return new OutriggerError('CONNECTION_LOST', 'The sidecar does not answer.', { cause });
}

function errorIn(text: string): WireError | undefined {
  try {
    const value = JSON.parse(text) as WireError | null;
    return typeof value?.reason === 'string' ? value : undefined;
  } catch {
    // Not ours: a proxy's page.
    return undefined;
  }
}

/** Browsers, and workers in them, send streams over HTTP/2 at most; where fetch takes none, the bytes are gathered first. */
async function sendable(body: UploadBody, source: Source): Promise<BodyInit> {
  if (typeof body === 'string' || body instanceof Blob) return body;
  if (body instanceof Uint8Array) return body as Uint8Array<ArrayBuffer>;
  const inBrowser = 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  // Node's streams are both.
  if (!inBrowser) return source.streamOf(body as AsyncIterable<Uint8Array>);
  const parts: BlobPart[] = [];
  if (body instanceof ReadableStream) return new Response(body).blob();
  for await (const chunk of body) parts.push(chunk as Uint8Array<ArrayBuffer>);
  return new Blob(parts);
}

/** Where the bytes of an upload come from. Fetch says of what fails there only that it failed. */
class Source {
  failed = false;
  error: unknown;

  streamOf(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
    const iterator = bytes[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const step = await iterator.next();
          if (step.done === true) controller.close();
          else controller.enqueue(step.value);
        } catch (error) {
          this.failed = true;
          this.error = error;
          throw error;
        }
      },
      cancel: async () => {
        await iterator.return?.();
      },
    });
  }
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

import { OutriggerError, type WireError } from '../contract/errors.ts';
import type { Change, FeedItem } from '../contract/events.ts';
import type { Answer, Asked, Item, Output, Table } from '../contract/operation.ts';
import type { Operations } from '../contract/operations.ts';
import { Backoff, type BackoffOptions } from '../core/backoff.ts';
import type { Peer, PeerCall, PeerTimers } from '../core/peer.ts';
import { CallBounds, type CallOptions } from './call-bounds.ts';
import { type ClientOptions, type ClientWebSocket, commonTimers } from './client-options.ts';
import { Connection } from './connection.ts';
import { HttpCalls, type UploadBody } from './http-calls.ts';

export type { CallOptions, ClientOptions, ClientWebSocket, Connection, UploadBody };
export type { ConnectionState } from './connection.ts';

export interface StreamOptions<Input, ItemType> {
  signal?: AbortSignal;
  /**
   * What to ask after the connection was lost, given the last item that came; undefined: give up. Without it a lost connection
   * ends the stream with CONNECTION_LOST.
   */
  onResume?: (last: ItemType | undefined) => Input | undefined;
}

/**
 * Items as they come; once they are read, `end` settles with the output after them, or with what ended the stream. Leaving the loop
 * cancels the call, also while a `next` waits, which is done then.
 */
export interface ClientStream<ItemType, OutputType> extends AsyncIterable<ItemType> {
  readonly end: Promise<OutputType>;
}

export interface Client<T extends Table> {
  readonly connection: Connection;
  /** Over the WebSocket when there is one, else over HTTP. What an operation streams is gathered under `items`. Throws OutriggerError. */
  call<K extends keyof T & string>(name: K, input: Asked<T[K]>, options?: CallOptions): Promise<Answer<T[K]>>;
  /** As `call`, with the items one by one; they are read at the caller's pace. */
  stream<K extends keyof T & string>(
    name: K,
    input: Asked<T[K]>,
    options?: StreamOptions<Asked<T[K]>, Item<T[K]>>,
  ): ClientStream<Item<T[K]>, Output<T[K]>>;
  /** Over HTTP, as raw bytes. What reading `body` throws is thrown as it is. */
  upload<K extends keyof T & string>(name: K, input: Asked<T[K]>, body: UploadBody, options?: CallOptions): Promise<Output<T[K]>>;
  /** Over HTTP, as raw bytes. */
  download<K extends keyof T & string>(
    name: K,
    input: Asked<T[K]>,
    options?: CallOptions,
  ): Promise<{ output: Output<T[K]>; bytes: AsyncIterable<Uint8Array> }>;
  /**
   * The workspace's changes after `cursor` (from now without one), across lost connections: nothing comes twice, and what can't be
   * told any more comes as `resync`. After each lost connection `git` comes once, as nobody knows what the repository did meanwhile.
   * Ends with `signal`, which is no error.
   */
  watchChanges(cursor?: string, options?: { signal?: AbortSignal; git?: boolean }): AsyncIterable<FeedItem>;
  /** As whom the caller is told of from the next call on, where several hold the token; undefined: by the name of that. */
  setName(name: string | undefined): void;
  /** Ends all that is under way; it fails with CONNECTION_LOST, as does whatever is asked afterwards. */
  close(): void;
}

const protocolPattern = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{16,}$/;

/** A client of a sidecar, for browsers and Node. Opens nothing until it is used; `close` lets go of all. */
export function createClient<T extends Table = Operations>(options: ClientOptions): Client<T> {
  const url = options.url.replace(/\/+$/, '');
  const { token, server = 'sidecar', connectTimeoutMs = 10_000 } = options;
  const WebSocketClass = 'webSocket' in options ? options.webSocket : (globalThis.WebSocket as unknown as typeof options.webSocket);
  const timers = options.timers ?? commonTimers;
  const now = options.now ?? Date.now;
  const { pingMs = 25_000, pongMs = 10_000 } = options;
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  let name = options.name?.toWellFormed();
  const http = new HttpCalls({ url, token, name: () => name, server, fetch, timers, keepaliveMs: pingMs, patienceMs: pongMs });
  const socketUrl = `${url.replace(/^http/, 'ws')}/rpc`;
  const random = options.random ?? Math.random;
  const backoff = options.backoff ?? { baseMs: 100, maxMs: 10_000 };
  const connection = new Connection(
    {
      open: () => {
        if (WebSocketClass === undefined) throw new Error('There is no WebSocket here.');
        if (token === undefined) return new WebSocketClass(socketUrl);
        // A token that a protocol name can't hold goes into the address.
        if (protocolPattern.test(token)) return new WebSocketClass(socketUrl, [token]);
        return new WebSocketClass(`${socketUrl}?token=${encodeURIComponent(token)}`);
      },
      name: () => name,
      obstacle: () => http.call('system.info', {}, new CallBounds({ timeoutMs: connectTimeoutMs })).then(() => undefined, asError),
      sameWay: !('webSocket' in options) && options.fetch === undefined,
      timers,
      now,
      random,
    },
    {
      server,
      offlineAfterMs: options.offlineAfterMs ?? 60_000,
      connectTimeoutMs,
      pingMs,
      pongMs,
      backoff,
    },
  );

  /** The live peer, waiting for the first attempt only; undefined: there is none now. */
  const livePeerOf = async (bounds: CallBounds): Promise<Peer<WireError> | undefined> => {
    const { name } = connection.state;
    if (WebSocketClass === undefined || name === 'reconnecting' || name === 'offline') return undefined;
    if (name === 'live') return connection.peer;
    try {
      return await connection.whenLive({ patient: false, signal: bounds.joined() });
    } catch (error) {
      if (bounds.timeout?.aborted === true && bounds.signal?.aborted !== true)
        throw new OutriggerError('DEADLINE', 'The call ran out of time.', { cause: error });
      if (error instanceof OutriggerError && error.reason === 'CONNECTION_LOST' && connection.state.name !== 'closed') return undefined;
      throw error;
    }
  };

  const call = async (name: string, input: unknown, callOptions: CallOptions = {}): Promise<unknown> => {
    const bounds = new CallBounds(callOptions);
    const peer = await livePeerOf(bounds);
    if (peer === undefined) return http.call(name, input, bounds);
    try {
      return await peer.call(name, input, bounds.rest).result;
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'INPUT_TOO_LARGE') return http.call(name, input, bounds);
      throw error;
    }
  };

  const stream = (name: string, input: unknown, streamOptions: StreamOptions<unknown, unknown> = {}): ClientStream<unknown, unknown> => {
    const end = Promise.withResolvers<unknown>();
    // Whoever only reads the items hears of a failure there.
    end.promise.catch(() => undefined);
    const { signal, onResume } = streamOptions;
    const items = leavable(signal, (leaving) => {
      const joined = onResume === undefined ? { signal: leaving } : { signal: leaving, onResume };
      const overHttp: Follow = (asked, end, last) =>
        followOverHttp({ http, timers, now, backoff: { ...backoff, random } }, name, asked, { ...joined, signal: end }, last);
      return WebSocketClass === undefined ? overHttp(input, leaving) : follow({ connection, overHttp }, name, input, joined);
    });
    return {
      end: end.promise,
      [Symbol.asyncIterator]: () => ({
        async next() {
          try {
            const step = await items.next();
            if (step.done === true) end.resolve(step.value);
            return step.done === true ? { done: true, value: undefined } : step;
          } catch (error) {
            end.reject(error);
            throw error;
          }
        },
        async return() {
          end.reject(new OutriggerError('CANCELED', 'The call was canceled.'));
          await items.return();
          return { done: true, value: undefined };
        },
      }),
    };
  };

  const client = {
    connection,
    call,
    stream,
    upload: (name: string, input: unknown, body: UploadBody, callOptions: CallOptions = {}) =>
      http.upload(name, (input ?? {}) as object, body, new CallBounds(callOptions)),
    download: (name: string, input: unknown, callOptions: CallOptions = {}) => http.download(name, input, new CallBounds(callOptions)),
    watchChanges: (cursor?: string, { signal, ...rest }: { signal?: AbortSignal; git?: boolean } = {}) =>
      leavable(signal, (leaving) => watch(stream, cursor, { ...rest, signal: leaving })),
    setName: (called: string | undefined) => {
      name = called?.toWellFormed();
      connection.sayName();
    },
    close: () => {
      http.close();
      connection.close();
    },
  };
  return client as unknown as Client<T>;
}

const refusedPollMs = 1000;

/**
 * What `begin` makes, read by somebody who may leave at any time: a generator by itself hears of that only after the item it waits for.
 * `begin` gets a signal of that and of `signal`. A `next` that waits is done then.
 */
function leavable<T, R>(signal: AbortSignal | undefined, begin: (leaving: AbortSignal) => AsyncGenerator<T, R>): Leavable<T, R> {
  const left = new AbortController();
  const items = begin(signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]));
  const all: Leavable<T, R> = {
    [Symbol.asyncIterator]: () => all,
    async next() {
      try {
        return await items.next();
      } catch (error) {
        if (left.signal.aborted) return { done: true, value: undefined };
        throw error;
      }
    },
    async return() {
      left.abort();
      await items.return(undefined as R);
      return { done: true, value: undefined };
    },
  };
  return all;
}

interface Leavable<T, R> extends AsyncIterable<T> {
  next(): Promise<IteratorResult<T, R | undefined>>;
  return(): Promise<IteratorResult<T, R | undefined>>;
}

/** One stream over as many requests as it takes, until the signal; `before`: the last item that came of it in another way. */
async function* followOverHttp(
  { http, timers, now, backoff: backoffOptions }: { http: HttpCalls; timers: PeerTimers; now: () => number; backoff: BackoffOptions },
  name: string,
  input: unknown,
  { signal, onResume }: StreamOptions<unknown, unknown> & { signal: AbortSignal },
  before: unknown,
): AsyncGenerator<unknown, unknown> {
  const backoff = new Backoff(backoffOptions);
  let asked = input;
  let last = before;
  for (;;) {
    const items = http.stream(name, asked, new CallBounds({ signal }));
    let firstAt: number | undefined;
    try {
      for (let step = await items.next(); ; step = await items.next()) {
        if (step.done === true) return step.value;
        firstAt ??= now();
        last = step.value;
        yield last;
      }
    } catch (error) {
      if (onResume === undefined || http.closing.aborted || !mayComeBack(error)) throw error;
      const next = onResume(last);
      if (next === undefined) throw error;
      if (firstAt !== undefined) backoff.lasted(now() - firstAt);
      asked = next;
    } finally {
      await items.return(undefined);
    }
    await rest(backoff.next(), AbortSignal.any([signal, http.closing]), timers);
  }
}

/** It is asked again later and later, so that what turns it away for now is waited out too. */
function mayComeBack(error: unknown): boolean {
  return error instanceof OutriggerError && ['CONNECTION_LOST', 'STOPPING', 'TOO_MANY'].includes(error.reason);
}

/** Resolves after so many milliseconds, or at the signal. */
async function rest(ms: number, signal: AbortSignal, timers: PeerTimers): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      timers.clear(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = timers.set(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

type Follow = (asked: unknown, end: AbortSignal, last?: unknown) => AsyncGenerator<unknown, unknown>;

/** One stream over as many connections as it takes; over HTTP where no WebSocket is passed on, as long as there is none. */
async function* follow(
  { connection, overHttp }: { connection: Connection; overHttp: Follow },
  name: string,
  input: unknown,
  { signal, onResume }: StreamOptions<unknown, unknown> & { signal: AbortSignal },
): AsyncGenerator<unknown, unknown> {
  let asked = input;
  let last: unknown;
  for (;;) {
    const peer = await livePeer(connection, { patient: onResume !== undefined, signal });
    if (peer === undefined) {
      if (onResume === undefined) return yield* overHttp(asked, signal);
      // A browser has six connections for all requests to a server, and a page may have as many streams.
      const live = new AbortController();
      const off = connection.on('state', ({ name: state }) => {
        if (state === 'live') live.abort();
      });
      const items = overHttp(asked, AbortSignal.any([signal, live.signal]), last);
      try {
        for (let step = await items.next(); ; step = await items.next()) {
          if (step.done === true) return step.value;
          last = step.value;
          yield last;
        }
      } catch (error) {
        if (!live.signal.aborted || signal.aborted) throw error;
      } finally {
        off();
        await items.return(undefined);
      }
      asked = onResume(last);
      if (asked === undefined) throw new OutriggerError('CONNECTION_LOST', 'The stream was to go on over another connection.');
      continue;
    }
    const call: PeerCall = peer.call(name, asked, { stream: true, signal });
    void passOver(call.bytes);
    try {
      for await (const item of call.items) {
        // Others came with it before.
        if (signal.aborted) throw new OutriggerError('CANCELED', 'The call was canceled.', { cause: signal.reason });
        last = item;
        yield item;
      }
      return await call.result;
    } catch (error) {
      if (onResume === undefined || !mayComeBack(error)) throw error;
      const next = onResume(last);
      if (next === undefined) throw error;
      // One that is there refuses what is new: a sidecar that stops, for a while before it closes its connections, and one that has too much to do.
      await connection.left(peer, refusedPollMs, signal);
      asked = next;
    }
  }
}

/** Undefined where only HTTP is passed on. */
async function livePeer(connection: Connection, options: Parameters<Connection['whenLive']>[0]): Promise<Peer<WireError> | undefined> {
  if (connection.peer === undefined && connection.isPassedOver) return undefined;
  try {
    return await connection.whenLive(options);
  } catch (error) {
    if (error instanceof OutriggerError && error.reason === 'CONNECTION_LOST' && connection.isPassedOver) return undefined;
    throw error;
  }
}

/** Bytes that nobody reads would hold up the end of their call. */
async function passOver(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of bytes);
  } catch {
    // The call says why.
  }
}

async function* watch(
  stream: (name: string, input: unknown, options: StreamOptions<unknown, unknown>) => ClientStream<unknown, unknown>,
  from: string | undefined,
  options: { signal?: AbortSignal; git?: boolean },
): AsyncGenerator<FeedItem, void> {
  const input = (cursor: string | undefined): object => ({
    ...(cursor === undefined ? {} : { cursor }),
    ...(options.git === undefined ? {} : { git: options.git }),
  });
  let cursor = from;
  // Of the change after `cursor`: a caller limited to some paths hears of a move in parts, of which the last alone has its cursor.
  const parts = new Set<string>();
  let isAgain = false;
  const onResume = (): object => {
    isAgain = true;
    return input(cursor);
  };
  const { signal } = options;
  try {
    for await (const next of stream('changes.watch', input(from), signal === undefined ? { onResume } : { onResume, signal })) {
      const item = next as FeedItem;
      if (item.type === 'change') {
        if (cursor !== undefined && !isAfter(item, cursor)) continue;
        const [epoch, told] = split(item.cursor);
        const part = `${epoch} ${item.revision} ${item.what} ${item.path}`;
        if (parts.has(part)) continue;
        parts.add(part);
        if (told === item.revision) parts.clear();
      }
      cursor = item.cursor;
      yield item;
      if (item.type !== 'ready' || !isAgain) continue;
      isAgain = false;
      // The journal has the folder's changes alone.
      if (options.git !== false) yield { type: 'git', cursor, what: 'repository', at: Date.now() };
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

/** Cursors are `<epoch>-<revision>`; of two epochs nothing can be said, so all is news. */
function isAfter(change: Change, cursor: string): boolean {
  const [epoch, revision] = split(cursor);
  return split(change.cursor)[0] !== epoch || change.revision > revision;
}

function split(cursor: string): [epoch: string, revision: number] {
  const cut = cursor.lastIndexOf('-');
  return [cursor.slice(0, cut), Number(cursor.slice(cut + 1))];
}

function asError(error: unknown): OutriggerError {
  return error instanceof OutriggerError ? error : new OutriggerError('CANCELED', 'The call was canceled.', { cause: error });
}

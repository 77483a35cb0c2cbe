import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { type Batch, type ByteChannel, closeCodes } from '../../contract/wire.ts';
import { type AuthenticateDependencies, type AuthenticateOptions, upgradeCaller } from '../../net/authenticate.ts';
import type { Upgrade } from '../../net/upgrade.ts';
import type { WebSockets } from '../../net/websocket.ts';
import { DocumentChannel, MAX_UNREAD_BYTES, type SharedSocket } from './document-channel.ts';
import {
  type Addressed,
  authenticatedMessage,
  closeMessage,
  permissionDeniedMessage,
  readAddressed,
  readToken,
  types,
} from './messages.ts';

/** Documents, and sessions in them, of one socket. */
const MAX_CHANNELS = 1000;
const MAX_ADDRESS_CHARS = 4096;
/** Of one socket. Who comes back opens all at once, and a caller may have only so many calls in flight. */
const MAX_OPENING = 16;

export interface HocuspocusDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  sockets: WebSockets;
}

export interface HocuspocusOptions extends AuthenticateOptions {
  maxMessageBytes: number;
}

/**
 * For the stock provider of the npm package @hocuspocus/provider: many documents on one socket, each with a token of its own. The name of a document is
 * the path of a file. A token may as well come with the upgrade; then those of documents may be empty. Throws what refuses the upgrade.
 */
export async function acceptHocuspocus(upgrade: Upgrade, dependencies: HocuspocusDependencies, options: HocuspocusOptions): Promise<void> {
  const { requestId } = upgrade;
  const { caller, protocol } = await whoAsks(upgrade, dependencies, options);
  const accept = { maxPayload: options.maxMessageBytes, protocol };
  if (caller !== undefined) {
    const socket = dependencies.sockets.acceptBytes(upgrade, accept);
    new CollabSocket(socket, dependencies, { requestId, owner: caller, known: () => {} });
    return;
  }
  const socket = dependencies.sockets.acceptStranger(upgrade, accept);
  new CollabSocket(socket, dependencies, { requestId, owner: undefined, known: () => socket.known() });
}

/** Undefined: nobody said yet. */
async function whoAsks(
  upgrade: Upgrade,
  dependencies: AuthenticateDependencies,
  options: AuthenticateOptions,
): Promise<{ caller: Caller | undefined; protocol: string | undefined }> {
  try {
    return await upgradeCaller(upgrade, dependencies, options);
  } catch (error) {
    if (!(error instanceof OutriggerError) || error.reason !== 'NO_TOKEN') throw error;
    return { caller: undefined, protocol: undefined };
  }
}

interface Asking {
  requestId: string;
  /** Whose the socket is. */
  owner: Caller | undefined;
  /** Called when a token was found good. */
  known: () => void;
}

class CollabSocket implements SharedSocket {
  readonly #socket: ByteChannel;
  readonly #dependencies: HocuspocusDependencies;
  readonly #asking: Asking;
  readonly #channels = new Map<string, DocumentChannel>();
  /** Why nothing is read now. */
  readonly #pausing = new Set<object>();
  readonly #unread = {};
  #pongWaits = false;
  readonly #tokens = new Set<AbortSignal>();
  #opening = 0;
  /** What is to be opened next. */
  readonly #queue: (() => Promise<void>)[] = [];

  constructor(socket: ByteChannel, dependencies: HocuspocusDependencies, asking: Asking) {
    this.#socket = socket;
    this.#dependencies = dependencies;
    this.#asking = asking;
    if (asking.owner !== undefined) this.#endWith(asking.owner);
    socket.onClose((code) => this.#closed(code));
    socket.onDrain(() => {
      this.resume(this.#unread);
      for (const channel of this.#channels.values()) channel.drained();
    });
    socket.onMessage((message) => this.#receive(message));
  }

  // ── for its channels ─────────────────────────────────────────────────────────────────────────────────────────────────

  get buffered(): number {
    return this.#socket.buffered;
  }

  send(batch: Batch): void {
    this.#socket.send(batch);
  }

  pause(reason: object): void {
    this.#pausing.add(reason);
    this.#socket.pause();
  }

  resume(reason: object): void {
    if (this.#pausing.delete(reason) && this.#pausing.size === 0) this.#socket.resume();
  }

  ended(channel: DocumentChannel, code: number, reason: string): void {
    // A provider whose document was closed does not come back to it by itself; one whose socket was, does.
    if (!isFinal(code)) return this.#socket.close(code, reason);
    if (this.#leave(channel, code)) this.#say(closeMessage(channel.address, reason));
  }

  // ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(message: Uint8Array): void {
    if (message.length === 1) {
      if (message[0] === types.ping) this.#answerPing();
      return;
    }
    let read: Addressed & { token?: string | undefined };
    try {
      read = readAddressed(message);
      if (read.address.length > MAX_ADDRESS_CHARS) throw new Error('The address is too long.');
      if (read.type === types.auth) read.token = readToken(read.rest);
    } catch {
      this.#socket.close(closeCodes.badMessage, 'The message is none of Hocuspocus.');
      return;
    }
    const { address, type, rest, token } = read;
    const channel = this.#channels.get(address);
    if (token !== undefined) void this.#authenticate(address, token, channel);
    // What is for a document that is not open is dropped: who opens it is asked for what they have.
    else if (channel === undefined) return;
    else if (type === types.close) this.#leave(channel, 1000);
    else if (type === types.sync || type === types.awareness || type === types.queryAwareness) channel.receive(rest);
    else if (type === types.syncReply) {
      // The answer to a step 1, which is to be taken as any other.
      rest[0] = types.sync;
      channel.receive(rest);
    }
  }

  async #authenticate(address: string, token: string, open: DocumentChannel | undefined): Promise<void> {
    if (open !== undefined) return this.#authenticateAgain(open, token);
    if (Math.max(this.#channels.size, this.#queue.length) >= MAX_CHANNELS)
      return this.#say(permissionDeniedMessage(address, `There are ${MAX_CHANNELS} documents open on this socket already.`));
    const channel = new DocumentChannel(address, this);
    this.#channels.set(address, channel);
    this.#queue.push(() => this.#open(channel, token));
    await this.#openNext();
  }

  async #openNext(): Promise<void> {
    if (this.#opening >= MAX_OPENING) return;
    this.#opening++;
    for (let open = this.#queue.shift(); open !== undefined; open = this.#queue.shift()) await open();
    this.#opening--;
  }

  async #open(channel: DocumentChannel, token: string): Promise<void> {
    if (channel.signal.aborted) return;
    try {
      const caller = await this.#callerOf(token);
      const { output } = await this.#dependencies.dispatch({
        name: 'documents.open',
        input: { path: channel.path },
        caller,
        transport: 'hocuspocus',
        requestId: this.#asking.requestId,
        signal: channel.signal,
        channel,
      });
      if (channel.signal.aborted) return;
      const { readOnly } = output as Output<Operations['documents.open']>;
      const scope = readOnly ? 'readonly' : 'read-write';
      this.#say(authenticatedMessage(channel.address, scope));
      channel.begin({ caller, scope });
    } catch (error) {
      this.#refuse(channel, error);
    }
  }

  /** A provider sends its token again, perhaps a new one: whoever another one makes it comes anew. */
  async #authenticateAgain(channel: DocumentChannel, token: string): Promise<void> {
    const { opened } = channel;
    if (opened === undefined) return;
    try {
      const caller = await this.#callerOf(token);
      if (caller.id !== opened.caller.id) this.#socket.close(closeCodes.replaced, 'Another token came.');
      else if (!channel.signal.aborted) this.#say(authenticatedMessage(channel.address, opened.scope));
    } catch (error) {
      this.#refuse(channel, error);
    }
  }

  async #callerOf(token: string): Promise<Caller> {
    const { owner, known } = this.#asking;
    if (token === '' && owner !== undefined) return owner;
    const caller = await this.#dependencies.authenticate(
      token === '' ? { token: undefined, from: 'none' } : { token, from: 'bearer' },
      'upgrade',
    );
    known();
    this.#endWith(caller);
    return caller;
  }

  #refuse(channel: DocumentChannel, error: unknown): void {
    const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'Something failed inside.');
    if (!this.#leave(channel, closeCodes.tryLater)) return;
    // What passes by itself is asked for again, with the socket, but for what would take the socket from all others again and again.
    if (known.retryable && known.code !== 'resource_exhausted') this.#socket.close(closeCodes.tryLater, known.message.slice(0, 100));
    else this.#say(permissionDeniedMessage(channel.address, known.message));
  }

  /** False where it was left before. */
  #leave(channel: DocumentChannel, code: number): boolean {
    if (this.#channels.get(channel.address) !== channel) return false;
    this.#channels.delete(channel.address);
    channel.end(code, new OutriggerError('CANCELED', 'The document was left.'));
    return true;
  }

  /** Those that came at once have one answer: unread, so small a message takes fifty times its size. */
  #answerPing(): void {
    if (this.#pongWaits) return;
    this.#pongWaits = true;
    queueMicrotask(() => {
      this.#pongWaits = false;
      this.#say(Uint8Array.of(types.pong));
    });
  }

  #say(message: Uint8Array): void {
    this.#socket.send({ messages: [message] });
    if (this.buffered > MAX_UNREAD_BYTES) this.pause(this.#unread);
  }

  // ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The socket is closed when the token of one who uses it ends. */
  #endWith({ ended }: Caller): void {
    if (ended === undefined || this.#tokens.has(ended)) return;
    this.#tokens.add(ended);
    ended.addEventListener('abort', this.#tokenEnded, { once: true });
    if (ended.aborted) this.#tokenEnded();
  }

  readonly #tokenEnded = (): void => this.#socket.close(closeCodes.tokenEnded, 'The token does not hold any more.');

  #closed(code: number): void {
    for (const ended of this.#tokens) ended.removeEventListener('abort', this.#tokenEnded);
    for (const channel of [...this.#channels.values()]) this.#leave(channel, code);
  }
}

/** See closeCodes. */
function isFinal(code: number): boolean {
  return code >= 4400 && code < 4500 && code !== closeCodes.tokenEnded;
}

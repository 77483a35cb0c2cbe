import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { Change } from '../../contract/events.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { platxaCloseCodes, TOKEN_ENDED } from './close-codes.ts';
import type { DocumentLink, LinkSocket } from './document-link.ts';
import { type FileNews, lostFrame } from './file-news.ts';
import { errorFrame, type JsonMessage, JsonMessageError, parseJsonMessage } from './json-message.ts';

const MAX_DOCUMENTS = 1000;
/** A reader this far behind is not told of files any more and not read from, until it has caught up. */
const MAX_BEHIND_BYTES = 1024 * 1024;

export interface JsonSocketDependencies {
  dispatch: Dispatch;
  news: FileNews;
  caller: Caller;
  /** Names the connection in the log: what its upgrade called itself. */
  id: string;
  /** Told when a socket comes and goes, and of its first message that can't be used. */
  log: (event: string, facts: Record<string, unknown>) => void;
  /** Milliseconds, monotonic. */
  now: () => number;
}

export interface JsonSocketOptions {
  maxMessagesPerS: number;
}

/** Serves one socket until it closes. */
export function servePlatxaSocket(socket: TextSocket, dependencies: JsonSocketDependencies, options: JsonSocketOptions): void {
  new JsonSocket(socket, dependencies, options).start();
}

interface Joined {
  link: DocumentLink;
  readOnly: boolean;
}

class JsonSocket {
  readonly #socket: TextSocket;
  readonly #dependencies: JsonSocketDependencies;
  readonly #maxMessagesPerS: number;
  readonly #documents = new Map<string, Joined>();
  readonly #ended = new AbortController();
  /** Messages that came while one is worked on, in order; the socket is paused meanwhile. */
  readonly #waiting: string[] = [];
  /** Why nothing is read now. */
  readonly #pausing = new Set<object>();
  #caughtUp: (() => void) | undefined;
  #working = false;
  #closing = false;
  #allowance: number;
  #allowedAt: number;
  #lostNews = 0;
  #unusable = 0;

  constructor(socket: TextSocket, dependencies: JsonSocketDependencies, options: JsonSocketOptions) {
    this.#socket = socket;
    this.#dependencies = dependencies;
    this.#maxMessagesPerS = options.maxMessagesPerS;
    this.#allowance = options.maxMessagesPerS;
    this.#allowedAt = dependencies.now();
  }

  start(): void {
    const { caller, news, id, log } = this.#dependencies;
    log('platxa.connected', { requestId: id, caller: caller.name });
    const unauthorised = (): void => this.#close(platxaCloseCodes.unauthorised, TOKEN_ENDED);
    const stopNews = news.join(caller, (frame, change) => this.#fileNews(frame, change));
    caller.ended?.addEventListener('abort', unauthorised, { once: true });
    this.#socket.onClose(() => {
      this.#closing = true;
      stopNews();
      caller.ended?.removeEventListener('abort', unauthorised);
      this.#ended.abort(new OutriggerError('CANCELED', 'The socket closed.'));
      for (const { link } of this.#documents.values()) link.close(1006);
      log('platxa.disconnected', { requestId: id, documents: this.#documents.size, unusable: this.#unusable });
      this.#documents.clear();
      this.#caughtUp?.();
    });
    this.#socket.onDrain(() => this.#drained());
    this.#socket.onBad((problem) => this.#close(platxaCloseCodes.badRequest, problem));
    this.#socket.onText((text) => this.#take(text));
    if (caller.ended?.aborted === true) unauthorised();
  }

  #take(text: string): void {
    if (this.#closing) return;
    if (!this.#isAllowed()) {
      const message = `More than ${this.#maxMessagesPerS} messages a second.`;
      this.#socket.send(errorFrame({ reason: 'TOO_MANY', message }));
      this.#close(platxaCloseCodes.atCapacity, message);
      return;
    }
    this.#waiting.push(text);
    if (!this.#working) void this.#work();
  }

  /** Refilled by the second: a burst of as many is fine. */
  #isAllowed(): boolean {
    const now = this.#dependencies.now();
    this.#allowance = Math.min(this.#maxMessagesPerS, this.#allowance + ((now - this.#allowedAt) / 1000) * this.#maxMessagesPerS);
    this.#allowedAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let text = this.#waiting.shift(); text !== undefined && !this.#closing; text = this.#waiting.shift()) {
      if (this.#socket.buffered > MAX_BEHIND_BYTES) await this.#catchUp();
      let message: JsonMessage | undefined;
      try {
        message = parseJsonMessage(text);
        if (message === undefined) continue;
        await this.#handle(message);
        if (message.messageId !== undefined)
          this.#send(JSON.stringify({ type: 'ack', docName: message.docName, messageId: message.messageId }));
      } catch (error) {
        const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'Something failed inside.');
        this.#noteUnusable(known);
        this.#send(errorFrame(known, message?.docName, error instanceof JsonMessageError ? error.messageId : message?.messageId));
      }
    }
    this.#working = false;
  }

  /** Who asks on and on and reads no answer is answered no more. */
  async #catchUp(): Promise<void> {
    this.#pause(this);
    await new Promise<void>((resolve) => (this.#caughtUp = resolve));
    this.#resume(this);
  }

  /** Once for a socket: what comes after is counted. */
  #noteUnusable({ reason, message }: OutriggerError): void {
    const { id, log } = this.#dependencies;
    if (this.#unusable++ === 0) log('platxa.message-refused', { requestId: id, reason, message });
  }

  async #handle(message: JsonMessage): Promise<void> {
    const { link, readOnly } = await this.#join(message.docName);
    if (message.type === 'sync') link.sync(message.stateVector);
    else if (message.type === 'presence') link.presence(message.client, message.state);
    else {
      if (readOnly && message.update.length > 0) throw new OutriggerError('READ_ONLY', `${message.docName} may be looked at, not changed.`);
      link.update(message.update, message.seed);
    }
  }

  /** Attaches the document, once; messages are worked on one by one, so nothing else happens meanwhile. */
  async #join(docName: string): Promise<Joined> {
    const known = this.#documents.get(docName);
    if (known !== undefined) return known;
    if (this.#documents.size >= MAX_DOCUMENTS)
      throw new OutriggerError('TOO_MANY_DOCUMENTS', `One socket may be in ${MAX_DOCUMENTS} documents.`);
    const { dispatch, caller } = this.#dependencies;
    // What is read meanwhile would have to be kept.
    this.#pause(this.#documents);
    // Yjs is loaded with the first document, not where documents are off.
    const { DocumentLink: Link } = await import('./document-link.ts');
    const link = new Link(this.#forDocument(), docName, () => this.#documents.delete(docName));
    try {
      const { output } = await dispatch({
        name: 'documents.open',
        input: { path: docName },
        caller,
        transport: 'platxa',
        requestId: this.#dependencies.id,
        signal: this.#ended.signal,
        channel: link.channel,
      });
      const joined = { link, readOnly: (output as Output<Operations['documents.open']>).readOnly };
      if (this.#ended.signal.aborted) throw this.#ended.signal.reason;
      this.#documents.set(docName, joined);
      return joined;
    } catch (error) {
      link.close(1006);
      throw error;
    } finally {
      this.#resume(this.#documents);
    }
  }

  /** One document's hold on it holds up the others, and ends no hold of theirs. */
  #forDocument(): LinkSocket {
    const socket = this.#socket;
    const reason = {};
    return {
      send: (text) => socket.send(text),
      get buffered() {
        return socket.buffered;
      },
      pause: () => this.#pause(reason),
      resume: () => this.#resume(reason),
    };
  }

  #pause(reason: object): void {
    this.#pausing.add(reason);
    this.#socket.pause();
  }

  #resume(reason: object): void {
    if (this.#pausing.delete(reason) && this.#pausing.size === 0) this.#socket.resume();
  }

  #fileNews(frame: string, change: Change | undefined): void {
    // Whoever is in the document has the text already, as updates: that it was saved is an echo.
    if (change?.cause.kind === 'document' && this.#documents.has(change.path)) return;
    if (this.#lostNews > 0 || this.#socket.buffered > MAX_BEHIND_BYTES) this.#lostNews++;
    else this.#send(frame);
  }

  #drained(): void {
    this.#caughtUp?.();
    for (const { link } of [...this.#documents.values()]) link.drained();
    if (this.#lostNews === 0) return;
    this.#lostNews = 0;
    this.#send(lostFrame());
  }

  #send(text: string): void {
    if (!this.#closing) this.#socket.send(text);
  }

  #close(code: number, reason: string): void {
    this.#closing = true;
    this.#socket.close(code, reason);
  }
}

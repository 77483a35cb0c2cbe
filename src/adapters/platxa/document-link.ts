import { randomInt } from 'node:crypto';
import * as Y from 'yjs';
import { type Batch, type ByteChannel, closeCodes } from '../../contract/wire.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { errorFrame } from './json-message.ts';
import { type DocumentMessage, presenceMessage, readDocumentMessage, syncMessage } from './y-messages.ts';

/** `seed`: updates go as `yjs-update`; `payload`: as `sync` and `update`; `none`: the client has asked for no content yet. */
type Form = 'none' | 'seed' | 'payload';

/** The part of a socket that its documents use. */
export interface LinkSocket {
  send(text: string): void;
  readonly buffered: number;
  pause(): void;
  resume(): void;
}

type Told = { kind: 'text'; text: string } | { kind: 'presence'; entries: { client: number; state: unknown }[] };

/** A document holds far fewer of one socket at a time: the others have left. */
const MAX_OWN_CLIENTS = 1000;

/** What a batch says in JSON, made once for all JSON sockets of a room. */
const told = new WeakMap<Batch, Map<string, Told[]>>();

/** The state vector of who has nothing. */
const noContent = Uint8Array.of(0);
/** The update of who has nothing to tell. */
const noNews = Uint8Array.of(0, 0);

/** One document on one JSON socket: to the document a channel of y-protocols messages, to the client JSON frames. */
export class DocumentLink {
  readonly channel: ByteChannel;
  readonly #socket: LinkSocket;
  readonly #docName: string;
  readonly #onClosed: (code: number) => void;
  #form: Form = 'none';
  #receive: ((message: Uint8Array) => void) | undefined;
  #drained: (() => void)[] = [];
  #closedListeners: ((code: number) => void)[] = [];
  #closed: number | undefined;
  /** The document has a message of the client before it. */
  #isHanding = false;
  #refusal: OutriggerError | undefined;
  /** What the document had when it was joined. */
  #serverVector: Uint8Array | undefined;
  /** What the client said it has. */
  #clientVector: Uint8Array = noContent;
  /** The document asked for all that the client has: they know each other from a state that was lost. */
  #allWanted = false;
  readonly #ownClients = new Set<number>();
  readonly #client = randomInt(1, 2 ** 32);

  constructor(socket: LinkSocket, docName: string, onClosed: (code: number) => void) {
    this.#socket = socket;
    this.#docName = docName;
    this.#onClosed = onClosed;
    this.channel = {
      send: (batch) => this.#tell(batch),
      get buffered() {
        return socket.buffered;
      },
      onDrain: (listener) => void this.#drained.push(listener),
      onMessage: (listener) => (this.#receive = listener),
      onClose: (listener) => {
        if (this.#closed === undefined) this.#closedListeners.push(listener);
        else listener(this.#closed);
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: (code, reason) => this.#closedByDocument(code, reason),
    };
  }

  /** Brings the client up to date; what it has is told by its state vector. Throws what the document refuses it for. */
  sync(stateVector: Uint8Array): void {
    this.#form = 'payload';
    this.#ask(stateVector.length === 0 ? noContent : stateVector);
    if (this.#allWanted) this.#send({ type: 'sync', docName: this.#docName, payload: { stateVector: [...noContent] } });
  }

  /** Throws BAD_FRAME for what is no update, and what the document refuses it for. */
  update(update: Uint8Array, seed: boolean): void {
    if (update.length > 0) throwIfBroken(update);
    const first = this.#form === 'none';
    this.#form = seed ? 'seed' : 'payload';
    // Before anything else is sent, so that the text of a client that knows a lost state is not there twice.
    if (first) this.#ask(update.length === 0 ? noContent : Y.encodeStateVectorFromUpdate(update));
    if (update.length === 0) return;
    const isAll = this.#allWanted && covers(Y.encodeStateVectorFromUpdate(update), this.#clientVector);
    if (isAll) this.#allWanted = false;
    this.#hand(syncMessage(isAll ? 'state' : 'update', update));
  }

  /** Throws what the document refuses it for. */
  presence(client: number | undefined, state: string): void {
    const own = client ?? this.#client;
    this.#ownClients.delete(own);
    this.#ownClients.add(own);
    for (const oldest of this.#ownClients) {
      if (this.#ownClients.size <= MAX_OWN_CLIENTS) break;
      this.#ownClients.delete(oldest);
    }
    this.#hand(presenceMessage({ client: own, clock: nextClock(), state }));
  }

  /** The socket took all that was queued. */
  drained(): void {
    for (const listener of this.#drained) listener();
  }

  /** The socket is gone, or the document was never there. */
  close(code: number): void {
    if (this.#closed !== undefined) return;
    this.#closed = code;
    for (const listener of this.#closedListeners.splice(0)) listener(code);
  }

  #ask(stateVector: Uint8Array): void {
    this.#clientVector = stateVector;
    this.#hand(syncMessage('state vector', stateVector));
  }

  /** What the document refuses at once is the answer to this very message. */
  #hand(message: Uint8Array): void {
    this.#isHanding = true;
    try {
      this.#receive?.(message);
    } finally {
      this.#isHanding = false;
    }
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** The document asks what we have: at the join, where the client's news come later, and when it wants all of it. */
  #asked(stateVector: Uint8Array): void {
    if (this.#serverVector === undefined) {
      this.#serverVector = stateVector.slice();
      this.#receive?.(syncMessage('state', noNews));
    } else this.#allWanted = true;
  }

  #closedByDocument(code: number, reason: string): void {
    if (this.#closed !== undefined) return;
    // With these the socket itself is closed, which says it all.
    if (code !== closeCodes.goingAway && code !== closeCodes.tokenEnded) {
      const refusal = new OutriggerError(code === closeCodes.badMessage ? 'BAD_FRAME' : 'DOCUMENT_DELETED', reason);
      if (this.#isHanding) this.#refusal = refusal;
      else this.#socket.send(errorFrame(refusal, this.#docName));
    }
    this.close(code);
    this.#onClosed(code);
  }

  #tell(batch: Batch): void {
    if (this.#closed !== undefined) return;
    for (const message of this.#translated(batch)) {
      if (message.kind === 'text') this.#socket.send(message.text);
      else {
        const states = message.entries.filter(({ client }) => !this.#ownClients.has(client));
        if (states.length > 0) this.#send({ type: 'presence', docName: this.#docName, payload: { states } });
      }
    }
  }

  #translated(batch: Batch): Told[] {
    let forms = told.get(batch);
    if (forms === undefined) told.set(batch, (forms = new Map()));
    const key = `${this.#form} ${this.#docName}`;
    const known = forms.get(key);
    if (known !== undefined) return known;
    const list: Told[] = [];
    let own = false;
    for (const bytes of batch.messages) {
      const message = readDocumentMessage(bytes);
      if (message.kind === 'state vector') this.#asked(message.stateVector);
      own ||= message.kind === 'state vector' || message.kind === 'state';
      const one = this.#translate(message);
      if (one !== undefined) list.push(one);
    }
    // State vectors and states are for one member, and say something about it.
    if (!own) forms.set(key, list);
    return list;
  }

  #translate(message: DocumentMessage): Told | undefined {
    const docName = JSON.stringify(this.#docName);
    if (message.kind === 'presence')
      return message.entries.length === 0 ? undefined : { kind: 'presence', entries: message.entries.flatMap(readState) };
    if (message.kind === 'denied')
      return { kind: 'text', text: errorFrame({ reason: 'READ_ONLY', message: message.reason }, this.#docName) };
    if ((message.kind !== 'state' && message.kind !== 'update') || this.#form === 'none') return undefined;
    // By hand: as a list of numbers an update is long, and JSON.stringify is four times slower.
    const update = `[${message.update.join(',')}]`;
    if (this.#form === 'seed') return { kind: 'text', text: `{"type":"yjs-update","docName":${docName},"update":${update}}` };
    if (message.kind === 'update') return { kind: 'text', text: `{"type":"update","docName":${docName},"payload":{"update":${update}}}` };
    return {
      kind: 'text',
      text: `{"type":"sync","docName":${docName},"payload":{"update":${update},"stateVector":[${(this.#serverVector ?? noContent).join(',')}]}}`,
    };
  }

  #send(frame: unknown): void {
    this.#socket.send(JSON.stringify(frame));
  }
}

let lastClock = 0;

/**
 * Of all sockets, and by the time, so that it goes on after a restart: a client that comes back is the same one to its peers, who pass over what has
 * an older clock than they know. Two more each time: one more than its last says that a client left.
 */
function nextClock(): number {
  lastClock = Math.max(lastClock + 2, Date.now());
  return lastClock;
}

/** Read as a whole, deletions too: the document reads it only when the client was told that it is taken. Throws BAD_FRAME. */
function throwIfBroken(update: Uint8Array): void {
  try {
    Y.decodeUpdate(update);
  } catch (error) {
    throw new OutriggerError('BAD_FRAME', 'The update is no Yjs update.', { cause: error });
  }
}

/** Whether who has `vector` has all that `other` names. */
function covers(vector: Uint8Array, other: Uint8Array): boolean {
  const has = Y.decodeStateVector(vector);
  return [...Y.decodeStateVector(other)].every(([client, clock]) => (has.get(client) ?? 0) >= clock);
}

function readState({ client, state }: { client: number; state: string }): { client: number; state: unknown }[] {
  try {
    return [{ client, state: JSON.parse(state) as unknown }];
  } catch {
    // Another client's nonsense is not passed on as JSON.
    return [];
  }
}

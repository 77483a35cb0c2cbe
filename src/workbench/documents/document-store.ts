import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Change } from '../../contract/events.ts';
import type { DocumentInfo } from '../../contract/documents.ts';
import { movedPath } from '../../core/moved-path.ts';
import type { ErrorFacts } from '../client-port.ts';
import { isWithin } from '../file-paths.ts';
import { type DocumentPlace, DocumentSession, type FoundElsewhere, type SessionDependencies } from './document-session.ts';

export interface DocumentStoreDependencies extends SessionDependencies {
  /** Another document has the place of this one, and it held edits that were not sent. */
  onReplaced: (path: string, text: string) => void;
  /** The file was moved before this page heard of it; another change may have told it since. */
  onElsewhere: (from: string, to: string) => void;
}

/** The documents open in this page. One that is closed with edits not sent stays until they are. */
export class DocumentStore {
  readonly sessions: Signal<ReadonlyMap<string, DocumentSession>> = signal(new Map());
  readonly waiting: ReadonlySignal<{ edits: number; documents: number }>;
  /** Our own Yjs client ids. */
  readonly clients: ReadonlySignal<ReadonlySet<number>>;
  readonly #deps: DocumentStoreDependencies;
  /** Closed, and there until their edits are sent; called, they stay. */
  readonly #leaving = new Map<DocumentSession, () => void>();

  constructor(dependencies: DocumentStoreDependencies) {
    this.#deps = dependencies;
    this.waiting = computed(() => {
      const counts = [...this.sessions.value.values()].map(({ waiting }) => waiting.value).filter((edits) => edits > 0);
      return { edits: counts.reduce((sum, edits) => sum + edits, 0), documents: counts.length };
    });
    this.clients = computed(() => new Set([...this.sessions.value.values()].map(({ doc }) => doc.clientID)));
  }

  get(path: string): DocumentSession | undefined {
    return this.sessions.value.get(path);
  }

  open(path: string, startsAt?: DocumentPlace): DocumentSession {
    const known = this.sessions.value.get(path);
    if (known !== undefined) {
      this.#leaving.get(known)?.();
      return known;
    }
    const session = new DocumentSession(path, this.#deps, this.#foundElsewhere, startsAt);
    this.sessions.value = new Map(this.sessions.value).set(path, session);
    void session.open();
    return session;
  }

  /** Shows these documents, and no others, to those who are in them. */
  show(paths: readonly string[]): void {
    for (const [known, session] of this.sessions.value) session.show(paths.includes(known));
  }

  close(path: string): void {
    const session = this.sessions.value.get(path);
    if (session === undefined) return;
    session.show(false);
    if (session.settled) return this.#drop(session);
    this.#leaving.get(session)?.();
    const stop = session.edits.subscribe((edits) => {
      // The first time it is called before there is a `stop`.
      if (edits === 0) queueMicrotask(() => this.#leaving.has(session) && this.#drop(session));
    });
    this.#leaving.set(session, () => {
      stop();
      this.#leaving.delete(session);
    });
  }

  heard(info: DocumentInfo): void {
    this.sessions.value.get(info.path)?.heard(info);
  }

  apply(change: Change): void {
    if (change.what === 'moved' && change.from !== undefined) {
      for (const [path, session] of [...this.sessions.value]) {
        const to = movedPath(path, change.from, change.path);
        if (to === undefined) continue;
        const replaced = this.sessions.value.get(to);
        if (replaced !== undefined && replaced !== session) this.#replace(replaced);
        this.#move(session, to);
      }
      this.#lookAgain(change.path);
    } else if (change.what === 'removed') {
      for (const [path, session] of this.sessions.value) if (path === change.path || path.startsWith(`${change.path}/`)) session.removed();
    } else if (change.what === 'created') {
      const session = this.sessions.value.get(change.path);
      if (session?.state.value.name === 'closed' || session?.state.value.name === 'deleted') this.#made(session);
    } else this.sessions.value.get(change.path)?.retrySoon();
  }

  /** Changes were missed: what was gone, or no text, may be there again. */
  missed(): void {
    this.#lookAgain('');
  }

  /** Whether the file of each document that is open has all of it, as far as the sidecar has said. */
  get allSaved(): boolean {
    return [...this.sessions.value.values()].every(({ saved }) => saved);
  }

  /** Whether something typed here is in no file, so that leaving the page could lose it. */
  get hasUnkept(): boolean {
    return [...this.sessions.value.values()].some(({ unkept }) => unkept > 0);
  }

  tryNow(): void {
    for (const session of this.sessions.value.values()) session.tryNow();
  }

  /** The text of every document that holds edits not sent. */
  unsent(): { path: string; text: string }[] {
    return [...this.sessions.value]
      .filter(([, { waiting }]) => waiting.value > 0)
      .map(([path, { text }]) => ({ path, text: text.toString() }));
  }

  /** Leaves the document: until its file is another, it is said `why` it is no text here. */
  leave(session: DocumentSession, why: ErrorFacts): void {
    const path = session.path.value;
    this.#drop(session);
    const refused = new DocumentSession(path, this.#deps, this.#foundElsewhere, undefined);
    refused.state.value = { name: 'closed', error: why };
    this.sessions.value = new Map(this.sessions.value).set(path, refused);
  }

  /** Something else is at `place` now, and what could not be shown there, or below, may be there. */
  #lookAgain(place: string): void {
    for (const [path, session] of this.sessions.value) {
      if (!isWithin(place, path)) continue;
      session.retrySoon();
      if (session.state.value.name === 'deleted') void this.#lookFor(session);
    }
  }

  async #lookFor(session: DocumentSession): Promise<void> {
    const info = await this.#deps.client.call('documents.open', { path: session.path.value }).catch(() => undefined);
    // Of people who have it open still the sidecar has a document, and no file.
    if (info === undefined || info.state === 'deleted') return;
    if (this.sessions.value.get(session.path.value) === session && session.state.value.name === 'deleted') this.#made(session);
  }

  /** A file that is made anew is another document than the one that was deleted, but for edits that are not saved: those made it, or will. In both one stays where one was. */
  #made(session: DocumentSession): void {
    if (session.edits.value > 0) return session.tryNow();
    const { place } = session;
    const path = session.path.value;
    this.#drop(session);
    this.open(path, place);
  }

  #move(session: DocumentSession, to: string): void {
    const sessions = new Map(this.sessions.value);
    sessions.delete(session.path.value);
    this.sessions.value = sessions.set(to, session);
    session.moved(to);
  }

  /** One that is open by the new name already is the same document. */
  readonly #foundElsewhere: FoundElsewhere = (session, to) => {
    const from = session.path.value;
    if (this.sessions.value.get(from) !== session) return;
    if (this.sessions.value.has(to)) this.#drop(session);
    else this.#move(session, to);
    this.#deps.onElsewhere(from, to);
  };

  #replace(session: DocumentSession): void {
    if (!session.settled) this.#deps.onReplaced(session.path.value, session.text.toString());
    this.#drop(session);
  }

  #drop(session: DocumentSession): void {
    this.#leaving.get(session)?.();
    const sessions = new Map(this.sessions.value);
    if (sessions.get(session.path.value) === session) sessions.delete(session.path.value);
    this.sessions.value = sessions;
    session.close();
  }
}

import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { EditorView } from '@codemirror/view';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { DocumentInfo } from '../../contract/documents.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { type ErrorFacts, errorFacts, isAway, type WorkbenchClient } from '../client-port.ts';
import type { EditorFacts } from '../editor/editor-facts.ts';
import type { RemoteCaret } from '../editor/remote-carets.ts';
import type { DocumentLink, OpenDocumentLink } from './document-link.ts';
import { isStuck, UnsavedEdits } from './save-state.ts';

/** How a file can be shown. */
export type DocumentState =
  | { name: 'opening' }
  | { name: 'open' }
  /** It can't be edited as text here: binary, too large, gone, or refused. */
  | { name: 'closed'; error: ErrorFacts }
  | { name: 'deleted' };

/** How others see who is here. */
export interface PresenceUser {
  name: string;
  color: string;
  colorLight: string;
  kind: 'person';
}

export interface SessionDependencies {
  client: WorkbenchClient;
  openLink: OpenDocumentLink;
  user: ReadonlySignal<PresenceUser>;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** The page's own link is lost, and not back: when it is, `tryNow` is called. */
  isAway: () => boolean;
  /** Edits that had waited have reached the sidecar. */
  onSent: (edits: number) => void;
  /** Edits that are not sent stay here: the caller may only read now. */
  onKept: (path: string) => void;
}

/** The sidecar knows the file by another path: it was moved before this page heard of it. */
export type FoundElsewhere = (session: DocumentSession, to: string) => void;

/** Where somebody is in a document. */
export interface DocumentPlace {
  anchor: number;
  head: number;
  scroll: ReturnType<EditorView['scrollSnapshot']> | undefined;
}

type Opened = Output<Operations['documents.open']>;

const quietCheckMs = 3_500;
const undoPauseMs = 400;
/** A file that is written all the time is asked about no more often. */
const retryMs = 500;
const askAgainMs = 500;
/** News of a document come four times a second: longer than it takes the sidecar to have what was typed and to say so. */
const newsMs = 500;
/** Why a file can't be opened that passes by itself. */
const passing: ReadonlySet<string> = new Set(['TOO_MANY_DOCUMENTS', 'STARTING']);
/** Why a file can't be opened that another content of it could mend. */
const ofTheFile: ReadonlySet<string> = new Set(['DOCUMENT_TOO_LARGE', 'DOCUMENT_BINARY', 'NOT_TEXT', 'FILE_NOT_FOUND', 'NOT_A_FILE']);
const closeNotFound = 4404;
const closeOutdated = 4410;

/** Said to those who only read; what others typed is merged. */
const outdated: ErrorFacts = {
  message: 'The document began anew while this page was away.',
  reason: 'DOCUMENT_OUTDATED',
  code: 'failed_precondition',
  hint: 'Close it and open it again.',
  details: undefined,
};

/** A document that is open in this page: its text, its link, its undo, and what is not saved of it. */
export class DocumentSession {
  readonly path: Signal<string>;
  readonly doc = new Y.Doc();
  readonly text = this.doc.getText('content');
  readonly awareness = new Awareness(this.doc);
  readonly undo = new Y.UndoManager(this.text, { captureTimeout: undoPauseMs });
  readonly state: Signal<DocumentState> = signal({ name: 'opening' });
  readonly info: Signal<DocumentInfo | undefined> = signal(undefined);
  readonly readOnly = signal(false);
  readonly online = signal(false);
  /** Edits that the sidecar has not saved. */
  readonly edits = signal(0);
  /** Edits that did not reach the sidecar, as far as can be told. */
  readonly waiting: ReadonlySignal<number>;
  /** What its view says of the caret here and of those of the others; undefined while there is no view. */
  readonly facts: Signal<EditorFacts | undefined> = signal(undefined);
  readonly carets: Signal<readonly RemoteCaret[]> = signal([]);
  /** Kept with the session, so that scrolling, selection and undo survive a change of tab. */
  view: EditorView | undefined;
  /** Opens the view's find field. */
  openFind: (() => void) | undefined;
  /** Puts the caret into a line of the view, from 1. */
  goTo: ((line: number, column?: number) => void) | undefined;
  /** Where the view was scrolled to when it was last shown. */
  scrollSnapshot: DocumentPlace['scroll'];
  /** Where a view begins. */
  readonly #startsAt: DocumentPlace | undefined;
  readonly #deps: SessionDependencies;
  readonly #foundElsewhere: FoundElsewhere;
  readonly #unsaved = new UnsavedEdits();
  #link: DocumentLink | undefined;
  #linkedPath = '';
  #wasSynced = false;
  #shown = false;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #asking = new AbortController();
  /** The link of now takes no edits. */
  #denied = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #editedAt = Number.NEGATIVE_INFINITY;
  #gone: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, dependencies: SessionDependencies, foundElsewhere: FoundElsewhere, startsAt: DocumentPlace | undefined) {
    this.path = signal(path);
    this.#deps = dependencies;
    this.#foundElsewhere = foundElsewhere;
    this.#startsAt = startsAt;
    this.waiting = computed(() => (this.#sending ? 0 : this.edits.value));
    this.doc.on('update', (_update: Uint8Array, origin: unknown) => {
      // What the link brings is not ours; everything else on this page is.
      if (origin !== null && typeof origin === 'object' && 'wsconnected' in origin) return;
      this.#edited();
    });
    this.awareness.setLocalState(null);
  }

  /** Asks whether the file can be opened, then links it. Asks again when the link was away. */
  open(): Promise<void> {
    if (this.#link === undefined) this.state.value = { name: 'opening' };
    return this.#open();
  }

  /** The file is another now, and may be one that can be opened. Whoever looks sees why not until it is open. */
  retrySoon(): void {
    const { value: state } = this.state;
    if (state.name !== 'closed' || !ofTheFile.has(state.error.reason) || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.state.value.name === 'closed') void this.#open();
    }, retryMs);
  }

  async #open(): Promise<void> {
    // What is refused without the link is an error of the page to its browser.
    if (this.#link !== undefined || this.#deps.isAway()) return;
    try {
      const info = await this.#ask();
      if (info === undefined) return;
      if (this.state.value.name === 'closed') this.state.value = { name: 'opening' };
      this.#setReadOnly(info.readOnly);
      this.heard(info);
      this.#connect();
    } catch (error) {
      this.state.value = { name: 'closed', error: errorFacts(error) };
    }
  }

  /** Whether the file can be opened, asked until it is known; undefined: nobody waits for it any more. Throws why not. */
  async #ask(): Promise<Opened | undefined> {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal: canceled } = this.#asking;
    for (;;) {
      try {
        const path = this.path.value;
        const info = await this.#deps.client.call('documents.open', { path }, { signal: canceled });
        if (canceled.aborted) return undefined;
        // What was moved while the answer was on its way was heard of.
        if (info.path === path || this.path.value !== path) return info;
        const wasLinked = this.#link !== undefined;
        this.#foundElsewhere(this, info.path);
        // A link begins anew with the path, and asks then.
        return wasLinked || canceled.aborted ? undefined : info;
      } catch (error) {
        if (canceled.aborted) return undefined;
        if (!isAway(error) && !passing.has(errorFacts(error).reason)) throw error;
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
      }
    }
  }

  /** The sidecar's word on this document. */
  heard(info: DocumentInfo): void {
    this.info.value = info;
    // What did not reach the sidecar is in none of its saves.
    this.#unsaved.heard(info, this.#sending ? this.#deps.now() : Number.NEGATIVE_INFINITY);
    this.#count();
    if (info.state === 'deleted') this.#saidDeleted();
    else if (this.state.value.name === 'deleted' && this.#wasSynced) {
      this.state.value = { name: 'open' };
      if (this.#link === undefined) this.#connect();
    }
  }

  /** The file was removed. What is unsaved makes it anew: the sidecar's word on the document says whether anything was. */
  removed(): void {
    const { state } = this.info.value ?? {};
    const isDirty = state !== undefined && state !== 'saved' && state !== 'deleted';
    if ((this.online.value && isDirty) || (this.#sending && this.edits.value > 0)) return;
    this.#deleted();
  }

  /** Nothing was unsaved when that was said. What was typed since is on its way, and makes the file anew. */
  #saidDeleted(): void {
    clearTimeout(this.#gone);
    const leftMs = this.#sending ? this.#editedAt + newsMs - this.#deps.now() : 0;
    if (leftMs <= 0) return this.#deleted();
    this.#gone = setTimeout(() => {
      if (this.info.value?.state === 'deleted') this.#saidDeleted();
    }, leftMs);
  }

  #deleted(): void {
    if (this.state.value.name !== 'open') return;
    this.state.value = { name: 'deleted' };
    // A sidecar that starts anew does not know how the text stood in the file, and its word would be taken for it.
    if (this.edits.value > 0) return;
    this.#link?.close();
    this.#link = undefined;
    this.#goOffline();
  }

  /** The file was renamed: the document stays, its address changes. */
  moved(to: string): void {
    if (this.path.value === to) return;
    this.path.value = to;
    if (this.#link === undefined) return;
    this.#link.close();
    this.#link = undefined;
    this.#connect();
  }

  /** Where the one who looks is, or is to begin; undefined at the start. */
  get place(): DocumentPlace | undefined {
    if (this.view === undefined) return this.#startsAt;
    this.keepScroll();
    const { anchor, head } = this.view.state.selection.main;
    return { anchor, head, scroll: this.scrollSnapshot };
  }

  /** Before the view is taken out of the page. */
  keepScroll(): void {
    if (this.view?.dom.isConnected === true) this.scrollSnapshot = this.view.scrollSnapshot();
  }

  /** Only a document that is looked at says so to others. */
  show(shown: boolean): void {
    this.#shown = shown;
    this.announce();
  }

  announce(): void {
    if (!this.#shown || this.state.value.name !== 'open') {
      this.awareness.setLocalState(null);
      return;
    }
    if (this.awareness.getLocalState() === null) this.awareness.setLocalState({});
    this.awareness.setLocalStateField('user', this.#deps.user.value);
    // A view that is there already tells where its caret is with the next move; this tells it now.
    this.view?.dispatch({});
  }

  tryNow(): void {
    if (this.#link !== undefined) this.#link.tryNow();
    else if (this.state.value.name !== 'deleted') void this.open();
  }

  /** Edits of which no file has anything: not sent, or in a file that takes none. */
  get unkept(): number {
    return isStuck(this.info.value?.state) || this.#isUnheard ? this.edits.value : this.waiting.value;
  }

  /** Its file has all of it. A document without a word of the sidecar on it holds nothing of its own. */
  get saved(): boolean {
    return this.edits.value === 0 && (this.info.value?.state ?? 'saved') === 'saved';
  }

  /** Nothing of this page's work is lost by closing. */
  get settled(): boolean {
    return this.waiting.value === 0 && (isStuck(this.info.value?.state) || !this.#isUnheard);
  }

  /** Nothing was said of some edits for so long that the link may be dead: before that is known, nothing else tells. */
  get #isUnheard(): boolean {
    return this.#unsaved.lackWord(this.#deps.now());
  }

  close(): void {
    this.#asking.abort();
    clearTimeout(this.#quiet);
    clearTimeout(this.#retry);
    clearTimeout(this.#gone);
    this.view?.destroy();
    this.view = undefined;
    this.#link?.close();
    this.#link = undefined;
    this.undo.destroy();
    this.awareness.destroy();
    this.doc.destroy();
  }

  #connect(): void {
    const path = this.path.value;
    this.#linkedPath = path;
    this.#link = this.#deps.openLink(path, this.doc, this.awareness, {
      onSynced: () => {
        if (this.#linkedPath !== path) return;
        if (this.#wasSynced) return void this.#syncedAgain();
        this.#wasSynced = true;
        this.#goOnline();
      },
      onLost: () => {
        if (this.#linkedPath === path) this.#goOffline();
      },
      onDenied: () => {
        if (this.#linkedPath !== path) return;
        this.#denied = true;
        this.#setReadOnly(true);
      },
      onRefused: (code) => {
        if (this.#linkedPath !== path) return;
        this.#goOffline();
        if (this.state.value.name === 'open' && code === closeNotFound) return this.#deleted();
        // Why is the table's to say: it is asked once more over the other link.
        this.#link?.close();
        this.#link = undefined;
        if (code === closeOutdated) this.state.value = { name: 'closed', error: outdated };
        else void this.open();
      },
      isAway: this.#deps.isAway,
    });
  }

  /** The link is back, maybe as that of another caller: what waited counts as sent only if it may write. */
  async #syncedAgain(): Promise<void> {
    let info: Opened | undefined;
    try {
      info = await this.#ask();
      if (info === undefined) return;
    } catch {
      // What is wrong with the document its own link tells.
    }
    this.#setReadOnly(this.#denied || (info?.readOnly ?? this.readOnly.value));
    if (info !== undefined) this.heard(info);
    const waited = this.readOnly.value ? 0 : this.#unsaved.synced();
    this.#goOnline();
    if (waited > 0) this.#deps.onSent(waited);
  }

  #goOnline(): void {
    this.online.value = true;
    this.#count();
    if (this.state.value.name === 'opening') this.state.value = { name: 'open' };
    this.announce();
  }

  #goOffline(): void {
    this.#asking.abort();
    this.#denied = false;
    this.online.value = false;
  }

  #setReadOnly(readOnly: boolean): void {
    const isNew = readOnly && !this.readOnly.value;
    this.readOnly.value = readOnly;
    if (isNew && this.edits.value > 0) this.#deps.onKept(this.path.value);
  }

  /** What is typed reaches the sidecar. */
  get #sending(): boolean {
    return this.online.value && !this.readOnly.value;
  }

  #edited(): void {
    this.#editedAt = this.#deps.now();
    this.#unsaved.edited(this.#editedAt);
    this.#count();
    this.#askWhenQuiet();
  }

  #askWhenQuiet(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => void this.#askAboutEdits(), quietCheckMs);
  }

  /** That nothing was said of them means that they are saved only if who would say it can be heard. */
  async #askAboutEdits(): Promise<void> {
    const isAsked = (): boolean => this.#sending && this.edits.value > 0 && !this.doc.isDestroyed;
    if (!isAsked()) return;
    const now = this.#deps.now();
    try {
      await this.#deps.client.call('documents.open', { path: this.path.value });
    } catch (error) {
      // A refusal is an answer.
      if (isAway(error)) return this.#askWhenQuiet();
    }
    if (!isAsked()) return;
    this.#unsaved.quiet(now);
    this.#count();
  }

  #count(): void {
    this.edits.value = this.#unsaved.count;
  }
}

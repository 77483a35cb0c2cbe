import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { EditorView } from '@codemirror/view';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { DocumentInfo } from '../../contract/documents.ts';
import { type ErrorFacts, errorFacts, type WorkbenchClient } from '../client-port.ts';
import type { DocumentLink, OpenDocumentLink } from './document-link.ts';
import { UnsavedEdits } from './save-state.ts';

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
  now: () => number;
  /** Edits that had waited have reached the sidecar. */
  onSent: (edits: number) => void;
}

const quietCheckMs = 3_500;
const undoPauseMs = 400;
/** A file that is written all the time is asked about no more often. */
const retryMs = 500;
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
  /** Kept with the session, so that scrolling, selection and undo survive a change of tab. */
  view: EditorView | undefined;
  /** Opens the view's find field. */
  openFind: (() => void) | undefined;
  /** Puts the caret into a line of the view, from 1. */
  goTo: ((line: number, column?: number) => void) | undefined;
  /** Where the view was scrolled to when it was last shown. */
  scrollSnapshot: ReturnType<EditorView['scrollSnapshot']> | undefined;
  readonly #deps: SessionDependencies;
  readonly #unsaved = new UnsavedEdits();
  #link: DocumentLink | undefined;
  #linkedPath = '';
  #wasSynced = false;
  #shown = false;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #opening = new AbortController();
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, dependencies: SessionDependencies) {
    this.path = signal(path);
    this.#deps = dependencies;
    this.waiting = computed(() => (this.online.value ? 0 : this.edits.value));
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
    if (this.#link !== undefined) return;
    this.#opening.abort();
    this.#opening = new AbortController();
    const { signal: canceled } = this.#opening;
    for (;;) {
      try {
        const info = await this.#deps.client.call('documents.open', { path: this.path.value }, { signal: canceled });
        if (this.state.value.name === 'closed') this.state.value = { name: 'opening' };
        this.readOnly.value = info.readOnly;
        this.heard(info);
        this.#connect();
        return;
      } catch (error) {
        const facts = errorFacts(error);
        if (canceled.aborted) return;
        if (facts.reason !== 'CONNECTION_LOST' && facts.reason !== 'TOO_MANY_DOCUMENTS' && facts.reason !== 'STARTING') {
          this.state.value = { name: 'closed', error: facts };
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  /** The sidecar's word on this document. */
  heard(info: DocumentInfo): void {
    this.info.value = info;
    this.#unsaved.heard(info, this.#deps.now());
    this.#count();
    if (info.state === 'deleted') this.deleted();
    else if (this.state.value.name === 'deleted' && this.#wasSynced) this.state.value = { name: 'open' };
  }

  deleted(): void {
    if (this.state.value.name === 'open') this.state.value = { name: 'deleted' };
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
    if (this.#link === undefined) void this.open();
    else this.#link.tryNow();
  }

  /** Nothing of this page's work is lost by closing. */
  get settled(): boolean {
    return this.waiting.value === 0;
  }

  close(): void {
    this.#opening.abort();
    clearTimeout(this.#quiet);
    clearTimeout(this.#retry);
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
        const waited = this.#wasSynced && !this.online.value ? this.#unsaved.synced() : 0;
        this.#wasSynced = true;
        this.online.value = true;
        this.#count();
        if (this.state.value.name === 'opening') this.state.value = { name: 'open' };
        this.announce();
        if (waited > 0) this.#deps.onSent(waited);
      },
      onLost: () => {
        if (this.#linkedPath === path) this.online.value = false;
      },
      onRefused: (code) => {
        if (this.#linkedPath !== path) return;
        this.online.value = false;
        if (this.state.value.name === 'open' && code === closeNotFound) return this.deleted();
        // Why is the table's to say: it is asked once more over the other link.
        this.#link?.close();
        this.#link = undefined;
        if (code === closeOutdated) this.state.value = { name: 'closed', error: outdated };
        else void this.open();
      },
    });
  }

  #edited(): void {
    this.#unsaved.edited(this.#deps.now());
    this.#count();
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      if (!this.online.value) return;
      this.#unsaved.quiet(this.#deps.now());
      this.#count();
    }, quietCheckMs);
  }

  #count(): void {
    this.edits.value = this.#unsaved.count;
  }
}

import type { DocumentInfo } from '../../contract/documents.ts';

/** Edits that the sidecar has not said to be saved yet; counted, because people trust a number more than a spinner. */
export class UnsavedEdits {
  readonly #edits: number[] = [];
  #dirty = false;
  #revision = 0;
  /** The sidecar's last word. */
  #state: DocumentInfo['state'] = 'saved';

  get count(): number {
    return this.#edits.length;
  }

  /** `at` in ms. */
  edited(at: number): void {
    this.#edits.push(at);
  }

  /**
   * The sidecar says how the document is. Word of a save can be on its way while the next key is pressed, so edits of the last
   * `settleMs` stay counted.
   */
  heard(info: Pick<DocumentInfo, 'state' | 'revision'>, now: number): void {
    this.#state = info.state;
    if (info.state !== 'saved') {
      this.#dirty = true;
      return;
    }
    if (this.#dirty || info.revision > this.#revision) this.#forget(now - settleMs);
    this.#dirty = false;
    this.#revision = info.revision;
  }

  /** Both sides have everything: nothing waits any more, but for a file that takes none of it. Answers how many had. */
  synced(): number {
    if (isStuck(this.#state)) return 0;
    const { length } = this.#edits;
    this.#edits.length = 0;
    return length;
  }

  /** What was sent so long ago is saved, unless the sidecar's last word is that something is not. */
  quiet(now: number): void {
    if (this.#state !== 'saved' && this.#state !== 'deleted') return;
    this.#forget(now - quietMs);
  }

  /** Whether it is longer ago that some were made than it takes until something is said of them. */
  lackWord(now: number): boolean {
    const [first] = this.#edits;
    return first !== undefined && first < now - lateMs;
  }

  #forget(before: number): void {
    const kept = this.#edits.findIndex((at) => at > before);
    this.#edits.splice(0, kept < 0 ? this.#edits.length : kept);
  }
}

const settleMs = 300;
const quietMs = 3_000;
/** Somewhat more than the two seconds after which a document is saved that is typed in all the time, and the check of what is quiet. */
const lateMs = 5_000;

/** The sidecar has the edits, and the file can't take them. */
export function isStuck(state: DocumentInfo['state'] | undefined): boolean {
  return state === 'conflict' || state === 'failed';
}

export interface SaveFacts {
  online: boolean;
  edits: number;
  info: DocumentInfo | undefined;
  /** The link was lost long enough ago to be called offline. */
  offline: boolean;
  readOnly: boolean;
}

/** What the breadcrumb says of a document. */
export function saveWords({ online, edits, info, offline, readOnly }: SaveFacts): string {
  if (readOnly && edits > 0) return `${plural(edits)} not sent`;
  if (readOnly) return info === undefined || info.revision === 0 ? 'Read only' : `Read only · r${info.revision}`;
  if (!online && edits > 0) return offline ? `${plural(edits)} kept here` : `${plural(edits)} ${edits === 1 ? 'waits' : 'wait'}`;
  if (info?.state === 'failed') return 'Not saved';
  if (info?.state === 'conflict') return 'In conflict';
  if (edits > 0 || info?.state === 'saving' || info?.state === 'unsaved') return 'Saving…';
  return info === undefined || info.revision === 0 ? 'Saved' : `Saved · r${info.revision}`;
}

function plural(edits: number): string {
  return edits === 1 ? '1 edit' : `${edits} edits`;
}

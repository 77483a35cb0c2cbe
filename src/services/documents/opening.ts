import * as Y from 'yjs';
import { OutriggerError } from '../../contract/errors.ts';
import { diffText } from '../../core/text-diff.ts';
import { isSameFormat, lfAlone } from '../../core/text-format.ts';
import type { DiskText } from './disk-text.ts';
import type { DocumentStore, Saving, StoredDocument } from './document-store.ts';
import { type FileText, fileTextOf } from './file-text.ts';
import { beginLife, firstState, isSaved, newOwnId, ownDoc } from './lineage.ts';
import { mostState } from './sizes.ts';

/** What is there of a document that is about to be opened. */
export interface ToOpen {
  path: string;
  /** It may begin where there is no file. */
  create: boolean;
  stored: StoredDocument | undefined;
  disk: DiskText | undefined;
  /** Where the path leads when links are followed. */
  target: string;
}

export interface OpeningOptions {
  textName: string;
  maxBytes: number;
  trustState: boolean;
}

/** What a document begins with. */
export interface Opened {
  id: number;
  life: number;
  ydoc: Y.Doc;
  stateBytes: number;
  manner: FileText;
  savedText: string;
  savedContent: string | undefined;
  /** Where it was read, links followed, or will be. */
  target: string;
  /** Nothing was stored of it. */
  isNew: boolean;
  /** What was saved of the one before it under that name, which those who come back go on from. */
  before?: string | undefined;
  /** What the file holds by now, to be merged. `apart`: what is alike in both may be the same. */
  found?: { disk: DiskText; apart: boolean };
}

/** Goes on with what is stored, or begins anew with what the file holds. Waits for nothing. Throws FILE_NOT_FOUND. */
export function openDocument(toOpen: ToOpen, store: DocumentStore, options: OpeningOptions): Opened {
  const { path, create, stored, disk, target } = toOpen;
  if (stored?.saving !== undefined && disk !== undefined && wasSaved(stored, stored.saving, disk)) {
    // A kill came between the save and the word that it was made.
    stored.savedHash = stored.saving.hash;
    stored.savedText = stored.saving.text;
    store.append(stored.id, { type: 'disk', hash: stored.savedHash, text: stored.savedText });
  }
  const isOver =
    stored !== undefined && (disk === undefined || stored.state.length > mostState(options)) && isSaved(stored, options.textName);
  if (stored !== undefined && !isOver) return goOn(stored, toOpen, store, options);
  if (disk === undefined && !create) throw new OutriggerError('FILE_NOT_FOUND', `${path} is not there.`);
  // Whoever deleted the file while nobody edited it meant it: what comes under that name is another document. So is one that could take nothing any more.
  if (stored !== undefined) store.forget(stored.id);
  // A file that is made again under its name has the line ends that it had: what it held may come back with those who had it open.
  const manner = disk === undefined ? { text: '', format: stored?.format ?? lfAlone } : fileTextOf(disk.raw, stored?.format);
  const ydoc = ownDoc(firstState(manner.text, options.textName));
  const life = newOwnId();
  beginLife(ydoc, life);
  const state = Y.encodeStateAsUpdate(ydoc);
  const id = store.create(path, life, state, disk?.content ?? '', undefined, manner.format);
  const [savedText, savedContent] = [manner.text, disk?.content];
  return { id, life, ydoc, stateBytes: state.length, manner, savedText, savedContent, target, isNew: true, before: stored?.savedText };
}

/** Whether the file holds what a save was to put there, or what a program made of that since, and not of what was there before. */
function wasSaved({ savedHash, savedText, format }: StoredDocument, saving: Saving, disk: DiskText): boolean {
  if (disk.content === saving.hash || disk.content === savedHash) return disk.content === saving.hash;
  const { text } = fileTextOf(disk.raw, format);
  return changedIn(saving.text, text) < changedIn(savedText, text);
}

/** Letters that edits take away and bring. */
function changedIn(before: string, after: string): number {
  return diffText(before, after).reduce((sum, { remove, insert }) => sum + remove + insert.length, 0);
}

function goOn(stored: StoredDocument, { disk, target }: ToOpen, store: DocumentStore, { trustState }: OpeningOptions): Opened {
  const { id, life, state, savedHash } = stored;
  const manner = disk === undefined ? { text: stored.savedText, format: stored.format } : fileTextOf(disk.raw, stored.format);
  if (!isSameFormat(manner.format, stored.format)) store.setFormat(id, manner.format);
  const isAsSaved = disk?.content === savedHash && manner.text === stored.savedText;
  const agreed = disk !== undefined && (isAsSaved || trustState);
  const savedText = agreed ? manner.text : stored.savedText;
  const savedContent = agreed ? disk.content : disk === undefined || savedHash === '' ? undefined : savedHash;
  const opened: Opened = { id, life, ydoc: ownDoc(state), stateBytes: state.length, manner, savedText, savedContent, target, isNew: false };
  return disk === undefined || agreed ? opened : { ...opened, found: { disk, apart: stored.isBehind === true } };
}

import type fs from 'node:fs';
import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import type { BatchChange, BatchResult } from '../../contract/files.ts';
import { joinPath } from '../../contract/paths.ts';
import { temporaryName } from './atomic-write.ts';
import type { BatchStep, Mark } from './batch-steps.ts';
import {
  attach,
  BatchTree,
  detach,
  type FileContent,
  newNode,
  pathOf,
  type Spot,
  standing,
  type TreeNode,
  type TreeSource,
} from './batch-tree.ts';
import { checkConditions, decodeText, etagOf, hashBytes, hashOrNull, statIdentity } from './content.ts';
import { fileError } from './file-errors.ts';
import { type ChangeDraft, REMOVED } from './journal.ts';
import type { HeldText } from './live-text.ts';

/** New contents of one batch together. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024;
/** Earlier contents that are answered so that a batch can be undone. */
const MAX_UNDO_BYTES = 4 * 1024 * 1024;
/** Entries of the folders that a batch removes. */
const MAX_REMOVED = 5000;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

type Op<Name extends BatchChange['op']> = Extract<BatchChange, { op: Name }>;

/** A new file or folder, to be made beside where it will be before the first step. */
export interface NewContent {
  change: number;
  /** Where it goes. */
  at: string;
  /** Undefined for a folder. */
  bytes: Uint8Array | undefined;
  /** Made of the text of an open document. */
  typed: boolean;
  hash: string;
  mode: number;
  /** Whose owner the file is to have. */
  like: fs.Stats | undefined;
  /** Folder for the temporary file: the nearest that is there already. */
  folder: string;
}

/** What was made of it. */
export interface ReadyContent {
  name: string;
  mark: Mark;
  note: string | undefined;
}

/** What stands in the way of one change. */
export interface BatchFailure {
  change: number;
  path: string;
  reason: ErrorReason;
  message: string;
  /** What the error has besides: e.g. the current ETag. */
  details?: unknown;
}

/** What a plan asks of the world; all of it answers at once. */
export interface PlanSource extends TreeSource {
  rootStat: fs.Stats;
  /** Content of a file with these facts; undefined when it was not read yet. `whole`: with its bytes. */
  content(path: string, stat: fs.Stats, whole: boolean): FileContent | undefined;
  document(path: string): HeldText | undefined;
  /** Content written for this change; undefined when it was not yet. */
  ready(content: NewContent): ReadyContent | undefined;
  /** The text after the edits; undefined when it takes longer than a look may: it is worked out before the next. Throws what does not fit. */
  edit(change: Op<'edit'>, raw: string): string | undefined;
  /** Throws when the caller may not touch this path, or with `arrives` may not put anything there that may be a link. */
  permit(path: string, arrives?: boolean): void;
  /** Content last known at a path. */
  known(path: string): string | undefined;
}

export interface PlanRequest {
  changes: readonly BatchChange[];
  cause: Cause;
  returnBefore: boolean;
  /** Longest text that is edited, bytes. */
  maxTextBytes: number;
  /** Mode of a new file. */
  newMode: number;
}

export interface BatchPlan {
  results: BatchResult[];
  failures: BatchFailure[];
  /** Files whose content has to be known first. While there are any, nothing else here holds. */
  unread: { path: string; whole: boolean }[];
  /** Edits that have to be worked out first, as above. */
  unedited: Op<'edit'>[];
  /** Documents whose file was changed by others, or that hold what is not saved. */
  stale: HeldText[];
  unsaved: HeldText[];
  contents: NewContent[];
  steps: BatchStep[];
  drafts: ChangeDraft[];
  asides: string[];
  movedFolders: { from: string; to: string }[];
  /** What open documents are to hold. */
  texts: { document: HeldText; raw: string; content: string }[];
  undo: BatchChange[];
  notUndoable: { change: number; why: string }[];
}

/** Decides what a batch does: each change on what the ones before it leave. Waits for nothing and changes nothing. */
export function planBatch(request: PlanRequest, source: PlanSource): BatchPlan {
  return new Planner(request, source).plan();
}

class Planner {
  readonly #request: PlanRequest;
  readonly #source: PlanSource;
  readonly #tree: BatchTree;
  readonly #plan: BatchPlan = {
    results: [],
    failures: [],
    unread: [],
    unedited: [],
    stale: [],
    unsaved: [],
    contents: [],
    steps: [],
    drafts: [],
    asides: [],
    movedFolders: [],
    texts: [],
    undo: [],
    notUndoable: [],
  };
  readonly #asides: TreeNode[] = [];
  readonly #written = new Map<TreeNode, string>();
  #newBytes = 0;
  #undoBytes = 0;
  #change = 0;

  constructor(request: PlanRequest, source: PlanSource) {
    this.#request = request;
    this.#source = source;
    this.#tree = new BatchTree(source, source.rootStat);
  }

  plan(): BatchPlan {
    for (const [index, change] of this.#request.changes.entries()) {
      this.#change = index;
      const path = change.op === 'move' ? change.from : change.path;
      try {
        this.#plan.results.push(this.#apply(change));
      } catch (error) {
        const known = fileError(error, path);
        if (known.reason === 'INTERNAL' || known.reason === 'WORKSPACE_GONE') throw known;
        const failure: BatchFailure = { change: index, path, reason: known.reason, message: known.message };
        if (known.details !== undefined) failure.details = known.details;
        this.#plan.failures.push(failure);
      }
    }
    for (const aside of this.#asides) this.#plan.asides.push(pathOf(aside));
    for (const [node, raw] of this.#written)
      if (node.document !== undefined && node.content !== undefined)
        this.#plan.texts.push({ document: node.document, raw, content: node.content.id });
    this.#plan.undo.reverse();
    return this.#plan;
  }

  #apply(change: BatchChange): BatchResult {
    switch (change.op) {
      case 'write':
        return this.#write(change);
      case 'edit':
        return this.#edit(change);
      case 'move':
        return this.#move(change);
      case 'remove':
        return this.#remove(change);
      case 'mkdir':
        return this.#mkdir(change);
    }
  }

  // ── the changes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #write(change: Op<'write'>): BatchResult {
    if ((change.text === undefined) === (change.base64 === undefined))
      throw new OutriggerError('BAD_INPUT', `${change.path}: exactly one of text and base64 is to be given.`);
    if (change.text?.isWellFormed() === false)
      throw new OutriggerError('BAD_INPUT', `The text for ${change.path} holds a lone surrogate, which UTF-8 can't store.`);
    const spot = this.#spot(change.path, true);
    const before = this.#fileAt(spot, change.path, this.#request.returnBefore);
    if (before === 'unknown') return this.#unknown(change);
    checkConditions(change.path, before?.id, change);
    const given = change.text === undefined ? Buffer.from(change.base64 ?? '', 'base64') : Buffer.from(change.text);
    const bytes = change.text !== undefined && before?.bom === true && !beginsWithBom(given) ? Buffer.concat([BOM, given]) : given;
    return this.#install(change, spot, before, bytes, change.mode, change.parents);
  }

  #edit(change: Op<'edit'>): BatchResult {
    const spot = this.#spot(change.path, true);
    if (spot.node === undefined) throw notThere(change.path);
    const before = this.#fileAt(spot, change.path, true);
    if (before === 'unknown') return this.#unknown(change);
    if (before === undefined) throw notThere(change.path);
    checkConditions(change.path, before.id, change);
    if (before.refused === true) throw new OutriggerError('FILE_PERMISSION', `${change.path} may not be read.`);
    if (before.size > this.#request.maxTextBytes)
      throw new OutriggerError(
        'INPUT_TOO_LARGE',
        `${change.path} holds ${before.size} bytes; the limit here is ${this.#request.maxTextBytes}.`,
      );
    const raw = before.bytes === undefined ? undefined : decodeText(before.bytes);
    if (raw === undefined) throw new OutriggerError('NOT_TEXT', `${change.path} is not UTF-8 text.`);
    const edited = this.#source.edit(change, raw);
    if (edited === undefined) {
      this.#plan.unedited.push(change);
      return this.#unknown(change);
    }
    return this.#install(change, spot, before, Buffer.from(edited), undefined, false);
  }

  #move(change: Op<'move'>): BatchResult {
    const { from, to } = change;
    if (to.startsWith(`${from}/`)) throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    const source = this.#spot(from, false);
    const { node } = source;
    if (node === undefined) throw notThere(from);
    const content = node.kind === 'file' ? this.#contentOf(node, this.#request.returnBefore) : undefined;
    if (content === 'unknown') this.#checkLater();
    else checkConditions(from, content?.id, change);
    const target = this.#spot(to, false);
    const { id, size } = content === 'unknown' || content === undefined ? { size: 0 } : content;
    const etag = id === undefined ? null : etagOf(id);
    const result: BatchResult = { op: 'move', path: to, from, before: etag, etag, size, changed: false, created: false };
    if (target.node === node) return result;
    if (isWithin(target.folder, node)) throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    const replaced = target.node;
    const undo: BatchChange[] = [];
    if (replaced !== undefined) {
      if (!change.overwrite) throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
      if (replaced.kind === 'directory' && node.kind !== 'directory')
        throw new OutriggerError('NOT_A_FILE', `${to} is a folder: a file can't take its place.`);
      if (replaced.kind !== 'directory' && node.kind === 'directory')
        throw new OutriggerError('NOT_A_DIRECTORY', `${to} is no folder: a folder can't take its place.`);
      if (replaced.kind === 'directory' && this.#tree.childrenOf(replaced).length > 0)
        throw new OutriggerError('NOT_EMPTY', `${to} is a folder that is not empty.`);
      undo.push(...this.#undoRemoval(to, replaced));
      this.#putAside(replaced, to, replaced.kind === 'directory');
    }
    const folder = this.#folderFor(target, to, change.parents);
    if ((node.stat ?? standing(source.folder).stat)?.dev !== standing(folder).stat?.dev)
      throw new OutriggerError('BAD_INPUT', `${to} lies on another file system than ${from}: files.move copies.`);
    const fromReal = pathOf(node);
    detach(node);
    attach(node, folder, target.name);
    const toReal = pathOf(node);
    this.#source.permit(toReal, true);
    this.#plan.steps.push({ do: 'move', change: this.#change, from: fromReal, at: toReal, mark: markOf(node) });
    const draft: ChangeDraft = {
      path: toReal,
      kind: node.kind,
      what: 'moved',
      from: fromReal,
      before: hashOrNull(id),
      after: hashOrNull(id),
      cause: this.#request.cause,
    };
    if (node.kind === 'file') draft.size = size;
    if (node.kind === 'directory') this.#plan.movedFolders.push({ from: fromReal, to: toReal });
    else draft.content = id ?? (node.stat === undefined ? '' : statIdentity(node.stat));
    this.#plan.drafts.push(draft);
    this.#undo(...undo, { op: 'move', from: to, to: from, overwrite: false, parents: true, ...(etag === null ? {} : { ifMatch: etag }) });
    return { ...result, changed: true };
  }

  #remove(change: Op<'remove'>): BatchResult {
    const { node } = this.#spot(change.path, false);
    if (node === undefined) throw notThere(change.path);
    const content = node.kind === 'file' ? this.#contentOf(node, this.#request.returnBefore) : undefined;
    if (content === 'unknown') this.#checkLater();
    else checkConditions(change.path, content?.id, change);
    const before = content === 'unknown' || content === undefined ? null : etagOf(content.id);
    if (node.kind === 'directory') {
      const inside = this.#tree.childrenOf(node).length > 0;
      if (inside && !change.recursive) throw new OutriggerError('NOT_EMPTY', `${change.path} is a folder that is not empty.`);
      if (inside) this.#plan.notUndoable.push({ change: this.#change, why: `${change.path} is a folder with something in it.` });
      else this.#undo({ op: 'mkdir', path: change.path, parents: true });
    } else this.#undo(...this.#undoRemoval(change.path, node));
    this.#putAside(node, change.path, node.kind === 'directory' && !change.recursive);
    return { op: 'remove', path: change.path, before, etag: null, size: 0, changed: true, created: false };
  }

  #mkdir(change: Op<'mkdir'>): BatchResult {
    const { path } = change;
    const result = { op: 'mkdir' as const, path, before: null, etag: null, size: 0, changed: false, created: false };
    const spot = this.#spot(path, false);
    const standsThere = spot.node?.kind === 'symlink' ? this.#spot(path, true).node : spot.node;
    if (standsThere?.kind === 'directory') return result;
    if (spot.node !== undefined) throw new OutriggerError('FILE_EXISTS', `${path} exists and is no folder.`);
    this.#newFolder(this.#folderFor(spot, path, change.parents), spot.name);
    return { ...result, changed: true, created: true };
  }

  // ── parts of them ────────────────────────────────────────────────────────────────────────────────────────────────────

  #install(
    change: Op<'write'> | Op<'edit'>,
    spot: Spot,
    before: FileContent | undefined,
    bytes: Uint8Array,
    mode: number | undefined,
    parents: boolean,
  ): BatchResult {
    const { path } = change;
    const hash = hashBytes(bytes);
    const old = before === undefined ? null : etagOf(before.id);
    const result: BatchResult = {
      op: change.op,
      path,
      before: old,
      etag: etagOf(hash),
      size: bytes.length,
      changed: false,
      created: false,
    };
    const raw = spot.node?.document === undefined ? undefined : decodeText(bytes);
    if (raw === undefined && spot.node?.document !== undefined) {
      if (spot.node.document.isInUse()) throw new OutriggerError('NOT_TEXT', `${path} is open for editing, and this is not UTF-8 text.`);
      // Nobody waits for its text: it hears of the file as of one that is written from outside.
      spot.node.document = undefined;
      this.#written.delete(spot.node);
    }
    if (spot.node?.document !== undefined) result.document = true;
    const kept = spot.node?.made?.mode ?? (spot.node?.stat === undefined ? undefined : spot.node.stat.mode & 0o7777);
    const isSame = before?.id === hash && (mode === undefined || mode === kept);
    // What an edit makes is held until the end, also where it is what was there.
    if (!isSame || change.op === 'edit') this.#newBytes += bytes.length;
    if (this.#newBytes > MAX_BATCH_BYTES)
      throw new OutriggerError('INPUT_TOO_LARGE', `The new contents of a batch hold ${MAX_BATCH_BYTES} bytes at most.`);
    if (isSame) return result;
    const stat = spot.node?.stat;
    if (stat !== undefined && spot.node?.made === undefined && stat.nlink > 1)
      throw new OutriggerError('BAD_INPUT', `${path} has ${stat.nlink} links, which a batch would part: files.write writes it in place.`);
    const folder = this.#folderFor(spot, path, parents);
    const home = standing(folder);
    if (stat !== undefined && home.stat !== undefined && stat.dev !== home.stat.dev)
      throw new OutriggerError('BAD_INPUT', `${path} is a mount point, which can't be replaced: files.write writes it in place.`);
    const content: NewContent = {
      change: this.#change,
      at: joinPath(pathOf(folder), spot.name),
      bytes,
      typed: spot.node?.document !== undefined,
      hash,
      mode: mode ?? spot.node?.made?.mode ?? (stat === undefined ? this.#request.newMode : stat.mode & 0o777),
      like: stat,
      folder: home.origin,
    };
    const ready = this.#prepared(content);
    const { mark } = ready;
    const node = this.#place(spot, folder, joinPath(pathOf(home), ready.name), mark);
    const created = spot.node === undefined;
    node.content = { id: hash, size: bytes.length, bom: beginsWithBom(bytes), bytes };
    node.made = { mark, mode: content.mode };
    if (node.document !== undefined && raw !== undefined) this.#written.set(node, raw);
    const real = pathOf(node);
    const draft: ChangeDraft = {
      path: real,
      kind: 'file',
      what: created ? 'created' : 'changed',
      before: hashOrNull(before?.id),
      after: hash,
      size: bytes.length,
      cause: this.#request.cause,
      content: hash,
    };
    if (ready.note !== undefined) draft.note = ready.note;
    this.#plan.drafts.push(draft);
    // Written through a link: the target changed, and the link's name shows it too.
    if (real !== path) {
      const link = this.#tree.resolve(path, false).node;
      // The watch sees a link there, whatever it leads to.
      const content = link?.kind === 'symlink' && link.stat !== undefined ? statIdentity(link.stat) : hash;
      this.#plan.drafts.push({ ...draft, path, content });
    }
    // By the name of a link, the link would be removed.
    if (before === undefined) this.#undo({ op: 'remove', path: real, recursive: false, ifMatch: etagOf(hash) });
    else {
      // A text would be given the byte order mark that the file has now.
      const exact = beginsWithBom(bytes);
      this.#undo(...this.#contentBack(path, before, { ifMatch: etagOf(hash) }, mode === undefined ? undefined : stat, exact));
    }
    return { ...result, changed: true, created };
  }

  /** The step that brings a prepared file to its place. */
  #place(spot: Spot, folder: TreeNode, from: string, mark: Mark): TreeNode {
    const { node } = spot;
    if (node === undefined) {
      const made = newNode(spot.name, folder, 'file');
      attach(made, folder, spot.name);
      this.#plan.steps.push({ do: 'put', change: this.#change, from, at: pathOf(made), mark });
      return made;
    }
    const aside = newNode(temporaryName(), folder, 'file');
    attach(aside, folder, aside.name);
    this.#asides.push(aside);
    const replaced = { aside: pathOf(aside), mark: markOf(node) };
    this.#plan.steps.push({ do: 'put', change: this.#change, from, at: pathOf(node), mark, replaced });
    return node;
  }

  /** `empty`: a folder that must not go with anything in it. */
  #putAside(node: TreeNode, wirePath: string, empty: boolean): void {
    const real = pathOf(node);
    this.#tellRemoved(node, real);
    if (wirePath !== real) this.#plan.drafts.push(removal(wirePath, node, null, this.#request.cause));
    const folder = node.parent as TreeNode;
    detach(node);
    attach(node, folder, temporaryName());
    this.#asides.push(node);
    this.#written.delete(node);
    const step: BatchStep = { do: 'move', change: this.#change, from: real, at: pathOf(node), mark: markOf(node) };
    this.#plan.steps.push(empty ? { ...step, empty } : step);
  }

  /** As the removal of each thing is told: what is in a folder before the folder. */
  #tellRemoved(top: TreeNode, path: string): void {
    const drafts: ChangeDraft[] = [];
    const pending = [{ node: top, path }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const known = next.node.content?.id ?? this.#source.known(next.node.origin ?? next.path);
      drafts.push(removal(next.path, next.node, hashOrNull(known === REMOVED ? undefined : known), this.#request.cause));
      this.#written.delete(next.node);
      // The folder itself is no entry of it.
      if (drafts.length - 1 > MAX_REMOVED)
        throw new OutriggerError('INPUT_TOO_LARGE', `${path} holds more than ${MAX_REMOVED} entries: files.remove removes it.`);
      if (next.node.kind !== 'directory') continue;
      for (const child of this.#tree.childrenOf(next.node)) pending.push({ node: child, path: joinPath(next.path, child.name) });
    }
    this.#plan.drafts.push(...drafts.reverse());
  }

  #folderFor(spot: Spot, wirePath: string, parents: boolean): TreeNode {
    if (spot.missing.length > 0 && !parents) throw notThere(wirePath.slice(0, wirePath.lastIndexOf('/')));
    if (spot.dangles) throw new OutriggerError('FILE_NOT_FOUND', `${wirePath} goes through a link to nothing.`);
    let { folder } = spot;
    for (const name of spot.missing) folder = this.#newFolder(folder, name);
    return folder;
  }

  #newFolder(folder: TreeNode, name: string): TreeNode {
    const home = standing(folder);
    const at = joinPath(pathOf(folder), name);
    const ready = this.#prepared({
      change: this.#change,
      at,
      bytes: undefined,
      typed: false,
      hash: '',
      mode: 0,
      like: undefined,
      folder: home.origin,
    });
    const from = joinPath(pathOf(home), ready.name);
    const made = newNode(name, folder, 'directory');
    made.made = { mark: ready.mark, mode: 0 };
    attach(made, folder, name);
    this.#plan.steps.push({ do: 'mkdir', change: this.#change, from, at, mark: ready.mark });
    this.#undo({ op: 'remove', path: at, recursive: false });
    this.#plan.drafts.push({ path: at, kind: 'directory', what: 'created', before: null, after: null, cause: this.#request.cause });
    return made;
  }

  /** What was made of it already; until all is, the plan only says what is missing. */
  #prepared(content: NewContent): ReadyContent {
    this.#plan.contents.push(content);
    return this.#source.ready(content) ?? { name: '', mark: { ino: 0 }, note: undefined };
  }

  #spot(wirePath: string, follow: boolean): Spot {
    const spot = this.#tree.resolve(wirePath, follow);
    this.#source.permit([pathOf(spot.folder), ...spot.missing, spot.name].filter((name) => name !== '').join('/'));
    const { node } = spot;
    if (node?.kind === 'file' && node.origin !== undefined)
      node.document ??= this.#source.document(node.origin) ?? (pathOf(node) === node.origin ? this.#source.document(wirePath) : undefined);
    return spot;
  }

  /** Content of the regular file at a spot; undefined when nothing stands there. */
  #fileAt({ node }: Spot, path: string, whole: boolean): FileContent | 'unknown' | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== 'file')
      throw new OutriggerError('NOT_A_FILE', `${path} is ${node.kind === 'directory' ? 'a folder' : 'not a regular file'}.`);
    return this.#contentOf(node, whole);
  }

  #contentOf(node: TreeNode, whole: boolean): FileContent | 'unknown' {
    if (node.pending) return 'unknown';
    if (node.content !== undefined) return node.content;
    const path = node.origin as string;
    const stat = node.stat as fs.Stats;
    const live = node.document?.read();
    const disk = this.#source.content(
      path,
      stat,
      whole && live === undefined && stat.size <= Math.max(this.#request.maxTextBytes, MAX_UNDO_BYTES),
    );
    if (disk === undefined) {
      this.#plan.unread.push({ path, whole });
      return 'unknown';
    }
    if (node.document === undefined || live === undefined) {
      node.document = undefined;
      return disk;
    }
    if (live.unsaved) this.#plan.unsaved.push(node.document);
    if (disk.id !== node.document.saved()) this.#plan.stale.push(node.document);
    const bytes = Buffer.from(live.raw);
    return { id: hashBytes(bytes), size: bytes.length, bom: beginsWithBom(bytes), bytes };
  }

  /** A first look, whose answer nobody gets. */
  #unknown(change: Op<'write'> | Op<'edit'>): BatchResult {
    const { node } = this.#tree.resolve(change.path, true);
    if (node !== undefined) node.pending = true;
    this.#checkLater();
    return { op: change.op, path: change.path, before: null, etag: null, size: 0, changed: false, created: false };
  }

  /** Content that waits for another one is read, or made, in a next look. */
  #checkLater(): void {
    if (this.#plan.unread.length === 0 && this.#plan.unedited.length === 0)
      throw new OutriggerError('INTERNAL', 'A batch waits for a content that nobody reads.');
  }

  // ── the way back ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** In the order of doing; the list is turned round at the end. */
  #undo(...changes: BatchChange[]): void {
    if (this.#request.returnBefore) this.#plan.undo.push(...changes);
  }

  #undoRemoval(path: string, node: TreeNode): BatchChange[] {
    if (!this.#request.returnBefore) return [];
    if (node.kind === 'directory') return [{ op: 'mkdir', path, parents: true }];
    const content = node.kind === 'file' ? this.#contentOf(node, true) : undefined;
    if (content === 'unknown') return [];
    if (content !== undefined) return this.#contentBack(path, content, { ifNoneMatch: '*' }, node.stat);
    this.#plan.notUndoable.push({ change: this.#change, why: `${path} is not a regular file.` });
    return [];
  }

  #contentBack(
    path: string,
    content: FileContent,
    condition: { ifMatch: string } | { ifNoneMatch: string },
    like: fs.Stats | undefined,
    exact = false,
  ): BatchChange[] {
    if (!this.#request.returnBefore) return [];
    this.#undoBytes += content.size;
    if (content.bytes === undefined || this.#undoBytes > MAX_UNDO_BYTES) {
      this.#plan.notUndoable.push({ change: this.#change, why: `The earlier contents are more than ${MAX_UNDO_BYTES} bytes.` });
      return [];
    }
    const text = exact || content.bom ? undefined : decodeText(content.bytes);
    const asIs = text === undefined ? { base64: Buffer.from(content.bytes).toString('base64') } : { text };
    const mode = like === undefined ? {} : { mode: like.mode & 0o777 };
    return [{ op: 'write', path, ...asIs, parents: true, ...condition, ...mode }];
  }
}

function removal(path: string, node: TreeNode, before: string | null, cause: Cause): ChangeDraft {
  return { path, kind: node.kind, what: 'removed', before, after: null, cause };
}

function notThere(path: string): OutriggerError {
  return new OutriggerError('FILE_NOT_FOUND', `${path} is not there.`);
}

function markOf({ made, kind, stat }: TreeNode): Mark {
  if (made !== undefined) return made.mark;
  const ino = stat?.ino ?? 0;
  return kind === 'directory' || stat === undefined ? { ino } : { ino, size: stat.size, mtimeMs: stat.mtimeMs };
}

function isWithin(folder: TreeNode, node: TreeNode): boolean {
  for (let at: TreeNode | undefined = folder; at !== undefined; at = at.parent) if (at === node) return true;
  return false;
}

function beginsWithBom(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && BOM.equals(bytes.subarray(0, 3));
}

// A folder in memory, as the contract of files.* describes what calls make of one. It is written for being read, and shares no code with the product.
import { createHash } from 'node:crypto';
import type { ErrorReason } from '../../src/contract/errors.ts';
import { applyEdits, type ModelEdit } from './workspace-model-text.ts';

export type ModelNode =
  /** `disk`: what may stand there as long as a document's text is not saved. */
  { kind: 'file'; bytes: Buffer; mode: number; disk?: Buffer } | { kind: 'directory'; mode: number } | { kind: 'symlink'; target: string };

/** A call is refused, for one of these reasons. */
export class Refused extends Error {
  readonly reasons: readonly ErrorReason[];

  constructor(...reasons: ErrorReason[]) {
    super(reasons.join(' or '));
    this.reasons = reasons;
  }
}

interface Spot {
  /** The folder that is there, links followed. */
  at: string;
  /** Folders that are not there between it and the name. */
  missing: readonly string[];
  name: string;
  /** Where it lies, or would. */
  real: string;
  node: ModelNode | undefined;
  /** A link on the way leads to nothing. */
  dangles: boolean;
}

export interface WriteInput {
  path: string;
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
  parents?: boolean | undefined;
  mode?: number | undefined;
}

export interface MoveInput {
  overwrite?: boolean | undefined;
  parents?: boolean | undefined;
  ifMatch?: string | undefined;
}

export interface RemoveInput {
  recursive?: boolean | undefined;
  missingOk?: boolean | undefined;
  ifMatch?: string | undefined;
}

type Fields = Record<string, unknown>;

const NEW_FILE = 0o644;
const NEW_FOLDER = 0o755;
const MOST_LINKS = 40;
const BOM = Buffer.from('\ufeff');

export function etagOf(bytes: Buffer): string {
  return `"${hashOf(bytes)}"`;
}

export function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Text, its mark included; undefined for what is none. */
export function textOf(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

export class ModelFolder {
  readonly nodes: Map<string, ModelNode>;

  constructor(nodes: ReadonlyMap<string, ModelNode> = new Map([['', { kind: 'directory', mode: NEW_FOLDER }]])) {
    this.nodes = new Map(nodes);
  }

  copy(): ModelFolder {
    return new ModelFolder(this.nodes);
  }

  become(other: ModelFolder): void {
    this.nodes.clear();
    for (const [path, node] of other.nodes) this.nodes.set(path, node);
  }

  // ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Paths in a folder, by name. */
  inside(folder: string): string[] {
    return [...this.nodes.keys()].filter((path) => path !== '' && parentOf(path) === folder).sort();
  }

  /** Paths at and below a path. */
  below(top: string): string[] {
    return [...this.nodes.keys()].filter((path) => path === top || path.startsWith(`${top}/`));
  }

  spot(path: string, follow: boolean): Spot {
    let names = path.split('/');
    let at = '';
    let links = 0;
    /** Of the names that are left, so many came from a link. */
    let linked = 0;
    for (let index = 0; ; index++) {
      const name = names[index] as string;
      if (name === '..') {
        if (at === '') throw new Refused('PATH_ESCAPES');
        at = parentOf(at);
        if (index === names.length - 1) throw new Refused('NOT_A_FILE');
        continue;
      }
      const here = joined(at, name);
      const node = this.nodes.get(here);
      const isLast = index === names.length - 1;
      if (node === undefined) {
        const left = names.slice(index);
        return {
          at,
          missing: left.slice(0, -1),
          name: names.at(-1) as string,
          real: joined(at, left.join('/')),
          node,
          dangles: index < linked,
        };
      }
      if (node.kind === 'symlink' && (!isLast || follow)) {
        if (++links > MOST_LINKS || node.target.startsWith('/')) throw new Refused('PATH_ESCAPES');
        const target = node.target.split('/');
        names = [...target, ...names.slice(index + 1)];
        linked = target.length;
        index = -1;
        continue;
      }
      if (isLast) return { at, missing: [], name, real: here, node, dangles: false };
      if (node.kind !== 'directory') throw new Refused('NOT_A_DIRECTORY');
      at = here;
    }
  }

  /** What stands at a path, a link at its end not followed. */
  entry(path: string): ModelNode | undefined {
    if (path === '') return this.nodes.get('');
    try {
      return this.spot(path, false).node;
    } catch (error) {
      if (error instanceof Refused && error.reasons.includes('NOT_A_DIRECTORY')) return undefined;
      throw error;
    }
  }

  /** Where a folder lies. */
  folder(path: string): string {
    if (path === '') return '';
    const { real, node } = this.spot(path, true);
    if (node === undefined) throw new Refused('FILE_NOT_FOUND');
    if (node.kind !== 'directory') throw new Refused('NOT_A_DIRECTORY');
    return real;
  }

  file(path: string): { real: string; bytes: Buffer; mode: number; disk?: Buffer } {
    const { real, node } = this.spot(path, true);
    if (node === undefined) throw new Refused('FILE_NOT_FOUND');
    if (node.kind !== 'file') throw new Refused('NOT_A_FILE');
    return { real, ...node };
  }

  fieldsOf(path: string, node: ModelNode): Fields {
    const facts = { path, name: path.slice(path.lastIndexOf('/') + 1), kind: node.kind };
    if (node.kind === 'symlink') return { ...facts, size: 0, target: node.target };
    return {
      ...facts,
      mode: node.mode,
      ...(node.kind === 'directory' ? { size: 0 } : node.disk === undefined ? { size: node.bytes.length } : {}),
    };
  }

  /** What files.list gives, in no order. */
  list(path: string, recursive: boolean): Fields[] {
    const folder = this.folder(path);
    const found = recursive ? this.below(folder === '' ? '' : folder).filter((one) => one !== folder) : this.inside(folder);
    const all = recursive && folder === '' ? [...this.nodes.keys()].filter((one) => one !== '') : found;
    return all.map((one) => {
      const wire = path === '' ? one : path + (folder === '' ? `/${one}` : one.slice(folder.length));
      return this.fieldsOf(wire, this.nodes.get(one) as ModelNode);
    });
  }

  // ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  write(input: WriteInput, given: Buffer, isText: boolean): Fields {
    const spot = this.spot(input.path, true);
    const { node } = spot;
    if (node !== undefined && node.kind !== 'file') throw new Refused('NOT_A_FILE');
    if (spot.dangles && input.ifMatch !== undefined) throw new Refused('ETAG_MISMATCH', 'FILE_NOT_FOUND');
    checkConditions(node?.bytes, input);
    const hasMark = node !== undefined && node.bytes.subarray(0, 3).equals(BOM);
    const bytes = isText && hasMark && !given.subarray(0, 3).equals(BOM) ? Buffer.concat([BOM, given]) : given;
    this.#makeMissing(spot, input.parents ?? true);
    const mode = input.mode ?? node?.mode ?? NEW_FILE;
    const changed = node === undefined || !node.bytes.equals(bytes);
    this.nodes.set(spot.real, { kind: 'file', bytes, mode });
    const answer = { path: input.path, etag: etagOf(bytes), size: bytes.length, created: node === undefined };
    // Whether another mode alone is a change the contract leaves open.
    return changed || node.mode === mode ? { ...answer, changed } : answer;
  }

  create(input: WriteInput, bytes: Buffer): Fields {
    // A link that leads to nothing is no file yet.
    if (this.spot(input.path, true).node !== undefined) throw new Refused('FILE_EXISTS');
    return this.write(input, bytes, true);
  }

  edit(path: string, edits: readonly ModelEdit[], ifMatch: string | undefined): Fields {
    const file = this.file(path);
    const raw = textOf(file.bytes);
    if (raw === undefined && ifMatch !== undefined) throw new Refused('NOT_TEXT', 'ETAG_MISMATCH');
    checkConditions(file.bytes, { ifMatch });
    if (raw === undefined) throw new Refused('NOT_TEXT');
    const edited = applyEdits(raw, edits);
    if (typeof edited !== 'string') throw new Refused(edited.reason);
    const bytes = Buffer.from(edited);
    this.nodes.set(file.real, { kind: 'file', bytes, mode: file.mode });
    return { path, etag: etagOf(bytes), size: bytes.length, changed: !bytes.equals(file.bytes), created: false };
  }

  mkdir(path: string, parents: boolean, mode = NEW_FOLDER): Fields {
    const spot = this.spot(path, false);
    if (spot.node?.kind === 'directory') return { path, created: false };
    if (spot.node?.kind === 'symlink') {
      const target = this.#quietly(() => this.spot(path, true).node);
      if (target?.kind === 'directory') return { path, created: false };
      throw new Refused('FILE_EXISTS', 'PATH_ESCAPES', 'NOT_A_DIRECTORY');
    }
    if (spot.node !== undefined) throw new Refused('FILE_EXISTS');
    this.#makeMissing(spot, parents);
    this.nodes.set(spot.real, { kind: 'directory', mode });
    return { path, created: true };
  }

  remove(path: string, { recursive = false, ifMatch, missingOk = false }: RemoveInput): Fields {
    if (missingOk && this.entry(path) === undefined) return { path, removed: 0 };
    const { node, real } = this.spot(path, false);
    if (node === undefined) throw new Refused('FILE_NOT_FOUND');
    checkConditions(node.kind === 'file' ? node.bytes : undefined, { ifMatch });
    const gone = this.below(real);
    if (gone.length > 1 && !recursive) throw new Refused('NOT_EMPTY');
    for (const one of gone) this.nodes.delete(one);
    return { path, removed: gone.length };
  }

  move(from: string, to: string, { overwrite = false, parents = true, ifMatch }: MoveInput): Fields {
    if (to.startsWith(`${from}/`)) throw new Refused('BAD_PATH', 'FILE_NOT_FOUND', 'NOT_A_DIRECTORY');
    const source = this.spot(from, false);
    const { node } = source;
    if (node === undefined) throw new Refused('FILE_NOT_FOUND');
    checkConditions(node.kind === 'file' ? node.bytes : undefined, { ifMatch });
    this.#refuseBelowFile(source.real, node, to, false);
    const target = this.spot(to, false);
    if (target.real === source.real) return { path: to, changed: false };
    if (target.real.startsWith(`${source.real}/`)) throw new Refused('BAD_PATH');
    if (target.node !== undefined) {
      if (!overwrite) throw new Refused('FILE_EXISTS');
      const isFolder = target.node.kind === 'directory';
      if (isFolder && node.kind !== 'directory') throw new Refused('NOT_A_FILE');
      if (!isFolder && node.kind === 'directory') throw new Refused('NOT_A_DIRECTORY');
      if (this.below(target.real).length > 1) throw new Refused('NOT_EMPTY');
    }
    this.#makeMissing(target, parents);
    const moved = this.below(source.real).map((one) => [one, this.nodes.get(one) as ModelNode] as const);
    for (const [one] of moved) this.nodes.delete(one);
    for (const [one, what] of moved) this.nodes.set(target.real + one.slice(source.real.length), what);
    return { path: to, changed: true };
  }

  /** What was copied before something stood in the way stays. */
  copyTo(from: string, to: string, { overwrite = false, parents = true }: MoveInput): Fields {
    if (this.entry(from) === undefined) throw new Refused('FILE_NOT_FOUND', 'NOT_A_DIRECTORY');
    const source = this.spot(from, false) as Spot & { node: ModelNode };
    const real = this.#quietly(() => this.spot(to, true).real) ?? to;
    if ([real, to].some((one) => one === source.real || one.startsWith(`${source.real}/`)) || to === from || to.startsWith(`${from}/`))
      throw new Refused('BAD_PATH');
    this.#refuseBelowFile(source.real, source.node, to, true);
    if (!overwrite && this.entry(to) !== undefined) throw new Refused('FILE_EXISTS', 'PATH_ESCAPES');
    if (source.node.kind !== 'directory') {
      this.#copyEntry(source.node, to, overwrite, parents);
      return { path: to, copied: 1 };
    }
    this.mkdir(to, parents, source.node.mode | 0o700);
    let copied = 1;
    const pending = [source.real];
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      const inside = this.inside(folder);
      for (const one of inside) {
        const node = this.nodes.get(one) as ModelNode;
        this.#copyEntry(node, to + one.slice(source.real.length), overwrite, false);
        copied++;
      }
      pending.push(...inside.filter((one) => this.nodes.get(one)?.kind === 'directory').reverse());
    }
    return { path: to, atMost: copied };
  }

  #copyEntry(node: ModelNode, to: string, overwrite: boolean, parents: boolean): void {
    if (node.kind === 'directory') return void this.mkdir(to, false, node.mode | 0o700);
    if (node.kind === 'file') {
      try {
        this.write({ path: to, parents, mode: node.mode, ...(overwrite ? {} : { ifNoneMatch: '*' }) }, node.bytes, false);
      } catch (error) {
        throw error instanceof Refused && error.reasons.includes('ETAG_MISMATCH') ? new Refused('FILE_EXISTS') : error;
      }
      return;
    }
    // Refused as any copy to beyond a link that leads out; else it takes the place of that link.
    try {
      this.spot(to, true);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.reasons.includes('PATH_ESCAPES')) throw new Refused('PATH_ESCAPES', 'NOT_A_DIRECTORY');
    }
    const target = this.spot(to, false);
    if (target.node?.kind === 'directory') throw new Refused('NOT_A_FILE');
    this.#makeMissing(target, parents);
    this.nodes.set(target.real, node);
  }

  /** By a link, below the file that is moved or copied: that it is into itself may be said, or that a file is no folder. */
  #refuseBelowFile(real: string, node: ModelNode, to: string, follow: boolean): void {
    if (node.kind === 'directory') return;
    const others = this.copy();
    others.nodes.delete(real);
    if (this.#quietly(() => others.spot(to, follow).real)?.startsWith(`${real}/`)) throw new Refused('BAD_PATH', 'NOT_A_DIRECTORY');
  }

  #makeMissing({ at, missing, dangles }: Spot, parents: boolean): void {
    if (missing.length === 0) return;
    if (!parents) throw new Refused('FILE_NOT_FOUND');
    // Where a link leads nobody asked for a folder.
    if (dangles) throw new Refused('FILE_NOT_FOUND', 'FILE_EXISTS', 'NOT_A_DIRECTORY');
    for (let depth = 1; depth <= missing.length; depth++)
      this.nodes.set(joined(at, missing.slice(0, depth).join('/')), { kind: 'directory', mode: NEW_FOLDER });
  }

  #quietly<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (error instanceof Refused) return undefined;
      throw error;
    }
  }
}

/** Throws ETAG_MISMATCH; `bytes` is undefined where no file is. */
export function checkConditions(
  bytes: Buffer | undefined,
  { ifMatch, ifNoneMatch }: { ifMatch?: string | undefined; ifNoneMatch?: string | undefined },
): void {
  const names = (list: string, weak: boolean): boolean => {
    if (bytes === undefined) return false;
    if (list.trim() === '*') return true;
    return list.split(',').some((one) => [etagOf(bytes), hashOf(bytes)].includes(weak ? one.trim().replace(/^W\//, '') : one.trim()));
  };
  if (ifMatch !== undefined && !names(ifMatch, false)) throw new Refused('ETAG_MISMATCH');
  if (ifNoneMatch !== undefined && names(ifNoneMatch, true)) throw new Refused('ETAG_MISMATCH');
}

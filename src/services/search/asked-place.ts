import { posix } from 'node:path';
import { withinPaths } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { baseName, joinPath, parentPath } from '../../contract/paths.ts';
import type { Workspace } from '../workspace/workspace.ts';

/** Whether who asks may see a path; `place` is where it leads when links are followed. */
export type Visible = (path: string, place: string) => boolean;

const MAX_LINKS = 40;
const hidden: ReadonlySet<string> = new Set(['PATH_ESCAPES', 'FILE_PERMISSION']);

/** What who asks may see. */
export interface Sight {
  /** Undefined where that is everything. */
  visible?: Visible | undefined;
  /** The paths that he is limited to. */
  paths?: readonly string[] | undefined;
  /** Places that he may not see, also where he may see what is around them. */
  secrets?: readonly string[];
}

/** A path that was asked for, and where it leads: that is searched, and what is found there is named beneath the path. */
export class AskedPlace {
  readonly path: string;
  /** Links followed, relative to the root. */
  readonly place: string;

  private constructor(path: string, place: string) {
    this.path = path;
    this.place = place;
  }

  /**
   * Undefined where nothing can be seen by who asks, and so not whether anything is there. Throws FILE_NOT_FOUND, PATH_ESCAPES,
   * WORKSPACE_GONE.
   */
  static of(path: string, workspace: Workspace, sight: Sight): AskedPlace | undefined {
    return mayHoldVisible(path, workspace, sight) ? AskedPlace.#at(path, workspace) : undefined;
  }

  static #at(path: string, workspace: Workspace): AskedPlace {
    const place = workspace.realPath(path);
    const kind = place === '' ? 'directory' : workspace.entry(place)?.kind;
    // A link that is left leads to nothing.
    if (kind === undefined || kind === 'symlink') throw new OutriggerError('FILE_NOT_FOUND', `${path} is not there.`);
    // A pipe is read until somebody writes to it.
    if (kind === 'other') throw new OutriggerError('FILE_NOT_FOUND', `${path} is no file and no folder.`);
    return new AskedPlace(path, place);
  }

  get isReal(): boolean {
    return this.path === this.place;
  }

  /** What is to be searched: all of it, or below it only what who asks is limited to. A link there is passed over, as any other is. */
  placesFor({ paths = [this.path], secrets = [] }: Sight, workspace: Workspace): string[] {
    if (paths.some((limit) => withinPaths([limit], this.path))) return [this.place];
    const own = paths.flatMap((limit) => {
      const place = placeOf(limit, workspace);
      const isOwn = isAbove(this.path, [limit]) && place === this.placeOf(limit) && workspace.entry(place) !== undefined;
      return isOwn && !withinPaths(secrets, place) ? [place] : [];
    });
    return own.filter((place, at) => !own.some((other, before) => withinPaths([other], place) && (other !== place || before < at)));
  }

  /** Of what was found at the place. */
  nameOf(found: string): string {
    return this.isReal ? found : moved(found, this.place, this.path);
  }

  /** What is called so; another name is taken for the place that it is. */
  placeOf(name: string): string {
    const isBeneath = name === this.path || name.startsWith(`${this.path}/`);
    return this.isReal || !isBeneath ? name : moved(name, this.path, this.place);
  }
}

/** Whether something could be there, or below, that may be seen: by the path's name, and by where it leads, as far as that is in the workspace. */
function mayHoldVisible(path: string, workspace: Workspace, { visible, paths }: Sight): boolean {
  if (visible === undefined) return true;
  const places = paths?.flatMap((limit) => placeOf(limit, workspace) ?? []);
  if (!visible(path, path) && !isAbove(path, paths)) return false;
  for (let at = path; at !== ''; at = parentPath(at)) {
    const place = placeOf(at, workspace);
    if (place !== undefined) return visible(at, place) || isAbove(place, places);
    if (paths !== undefined && !leadsOut(path, workspace, visible)) return false;
  }
  return true;
}

/** Whether it leads out of the workspace by links that may be seen: beyond one of others nobody is told where it leads. */
function leadsOut(path: string, workspace: Workspace, visible: Visible, links = MAX_LINKS): boolean {
  for (let at = path; at !== ''; at = parentPath(at)) {
    const folder = placeOf(parentPath(at), workspace);
    if (folder === undefined) continue;
    const { target } = workspace.entry(joinPath(folder, baseName(at))) ?? {};
    if (target === undefined || links === 0) return false;
    const next = workspace.containment.pathOf(posix.resolve(workspace.root, folder, target));
    if (next === undefined) return true;
    return visible(next, next) && leadsOut(next + path.slice(at.length), workspace, visible, links - 1);
  }
  return false;
}

/** Undefined where it leads out of the workspace, or may not be looked at. */
function placeOf(path: string, workspace: Workspace): string | undefined {
  try {
    return workspace.realPath(path);
  } catch (error) {
    if (error instanceof OutriggerError && hidden.has(error.reason)) return undefined;
    throw error;
  }
}

function isAbove(path: string, others: readonly string[] = []): boolean {
  return others.some((other) => withinPaths([path], other));
}

/** Whether the file may be seen under its name, and where it leads by now: since it was listed a link may have come into its path. */
export function isSeen(found: string, name: string, visible: Visible, workspace: Workspace): boolean {
  try {
    return visible(name, workspace.realPath(found));
  } catch {
    // It leads out of the workspace, or the workspace is gone.
    return false;
  }
}

function moved(path: string, from: string, to: string): string {
  const rest = from === '' ? `/${path}` : path.slice(from.length);
  return to === '' ? rest.slice(1) : to + rest;
}

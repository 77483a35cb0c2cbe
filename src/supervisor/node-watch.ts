import fs from 'node:fs';
import path from 'node:path';
import { baseName } from '../contract/paths.ts';
import { isPassingName } from '../core/passing-name.ts';
import { walkFiles } from './node-paths.ts';
import type { Disposable, WatchEvent } from './workspace-backend.ts';

export interface NodeWatchOptions {
  /** After a hint of the system the folder is looked at no earlier. */
  settleMs: number;
  /** Without any hint it is looked at so often: hints get lost. */
  sweepMs: number;
  /** With more files nothing is watched, and the listener is told to read anew at each sweep. */
  maxFiles: number;
  /** The folder was looked at for the first time: what changes from now on is told. */
  onBegun: () => void;
}

const defaults: NodeWatchOptions = { settleMs: 50, sweepMs: 5000, maxFiles: 100_000, onBegun: () => undefined };

/** What is known of each file: changed when size, time or the file itself is another. */
export type Snapshot = ReadonlyMap<string, string>;

/** The events that lead from one state of a folder to another. */
export function snapshotEvents(before: Snapshot, after: Snapshot): WatchEvent[] {
  const events: WatchEvent[] = [];
  for (const path of before.keys()) if (!after.has(path)) events.push({ what: 'removed', path });
  for (const [path, fact] of after) {
    const known = before.get(path);
    if (known === undefined) events.push({ what: 'created', path });
    else if (known !== fact) events.push({ what: 'changed', path });
  }
  return events;
}

/**
 * Watches a folder without the sidecar: the system's hints say when to look, and looking at all files says what changed. Dear in large
 * folders, and never wrong for longer than a sweep.
 */
export function watchWithNode(
  realRoot: string,
  listener: (event: WatchEvent) => void,
  options: Partial<NodeWatchOptions> = {},
): Disposable {
  const { settleMs, sweepMs, maxFiles, onBegun } = { ...defaults, ...options };
  const controller = new AbortController();
  let known: Snapshot | undefined;
  let begun = false;
  let looking = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const soon = (): void => {
    if (controller.signal.aborted) return;
    if (looking) again = true;
    else timer ??= setTimeout(() => void look(), settleMs);
  };
  const look = async (): Promise<void> => {
    timer = undefined;
    looking = true;
    again = false;
    const found = await takeSnapshot(realRoot, maxFiles, controller.signal).catch(() => undefined);
    looking = false;
    if (controller.signal.aborted) return;
    if (found === undefined) listener({ what: 'resync', path: '' });
    else {
      const events = known === undefined ? [] : snapshotEvents(known, found);
      known = found;
      for (const event of events) listener(event);
    }
    if (!begun) onBegun();
    begun = true;
    if (again) soon();
  };

  let hints: fs.FSWatcher | undefined;
  try {
    hints = fs.watch(realRoot, { recursive: true, persistent: false }, soon);
    // Out of watches, or the folder is gone: the sweep goes on.
    hints.on('error', () => hints?.close());
  } catch {
    // No hints on this file system; the sweep alone.
  }
  const sweep = setInterval(soon, sweepMs).unref();
  void look();
  return {
    dispose: () => {
      controller.abort();
      hints?.close();
      clearInterval(sweep);
      clearTimeout(timer);
    },
  };
}

/** Undefined when there are too many files. */
async function takeSnapshot(realRoot: string, maxFiles: number, signal: AbortSignal): Promise<Snapshot | undefined> {
  const files = new Map<string, string>();
  for await (const wirePath of walkFiles(realRoot, signal, true)) {
    if (isPassingName(baseName(wirePath))) continue;
    if (files.size >= maxFiles) return undefined;
    const stat = await fs.promises.lstat(path.join(realRoot, wirePath)).catch(() => undefined);
    if (stat !== undefined) files.set(wirePath, `${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.ino}`);
  }
  return files;
}

import type { Config } from '../config/options.ts';
import type { files as table } from '../contract/files.ts';
import type { Implementations } from '../contract/operation.ts';
import { KeptTexts } from '../services/history/kept-texts.ts';
import { historyOperations } from '../services/history/operations.ts';
import { TextKeeper } from '../services/history/text-keeper.ts';
import type { State } from '../services/state/state.ts';
import { etagOf, hashBytes } from '../services/workspace/content.ts';
import { fileNow } from '../services/workspace/file-now.ts';
import { PathHistory } from '../services/workspace/path-history.ts';
import { namesGit } from '../services/workspace/reader.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Log } from './log.ts';

/** Of the newest changes so many are looked at again at the start. */
const LOOKED_AT_AGAIN = 200;

export interface PluggedHistory {
  /** Somebody is about to work in a file. */
  opened(realPath: string): void;
  stop(): Promise<void>;
}

/** Keeps texts of files as they were at their changes. Answers with the way to stop; files are written no more by then. */
export function plugHistory(
  dependencies: {
    workspace: Workspace;
    state: State;
    files: Implementations<typeof table>;
    now: () => number;
    log: Log;
    implementations: Record<string, unknown>;
  },
  config: Config,
  { readOnly, secrets }: { readOnly: boolean; secrets: () => ReadonlySet<string> },
): PluggedHistory {
  const { workspace, state, files, now, log, implementations } = dependencies;
  const failed = (error: unknown): void => log('warn', 'history.not-kept', { error });
  const texts = new KeptTexts({ state, now, failed }, { maxBytes: config['history.maxBytes'], keepDays: config['history.keepDays'] });
  const read = (path: string, maxBytes: number): Uint8Array | null | undefined => fileNow(workspace.containment, path, maxBytes);
  const saveTyped = async (path: string): Promise<string | undefined> => {
    await workspace.liveText?.flush(path);
    const live = workspace.liveText?.read(path);
    return live === undefined ? undefined : etagOf(hashBytes(live.raw));
  };
  const maxFileBytes = config['history.maxFileBytes'];
  Object.assign(
    implementations,
    historyOperations(
      { past: new PathHistory({ state }), texts, files, read, revision: () => workspace.journal.revision, saveTyped },
      { maxFileBytes, maxTextBytes: config['limits.outputBytes'] },
    ),
  );
  if (readOnly || !state.writable) return { opened: () => {}, stop: () => Promise.resolve() };
  const keeper = new TextKeeper(
    {
      texts,
      known: (path) => workspace.journal.known(path),
      read,
      mayKeep: (path) => !workspace.options.ignored(path) && !namesGit(path) && !secrets().has(path),
      now: () => performance.now(),
    },
    { maxFileBytes },
  );
  const stops = [
    texts.keepTidy(),
    workspace.onAbout((path, cause) => keeper.about(path, cause)),
    workspace.journal.onChanges((changes) => keeper.changed(changes)),
  ];
  // What nobody had looked at when the sidecar before was killed.
  keeper.changed(workspace.journal.since(undefined, LOOKED_AT_AGAIN).changes);
  return {
    opened: (path) => keeper.opened(path),
    async stop() {
      await keeper.stop();
      for (const stop of stops) stop();
    },
  };
}

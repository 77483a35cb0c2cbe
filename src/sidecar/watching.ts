import path from 'node:path';
import type { Change } from '../contract/events.ts';
import type { Config } from '../config/options.ts';
import type { State } from '../services/state/state.ts';
import { Watch, type WatchReport } from '../services/watch/watch.ts';
import type { Noticed } from '../services/workspace/echoes.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { GitPulse } from './git-pulse.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';

/** A comparison takes some milliseconds: not after each of many reports. */
const COMPARE_MS = 250;
/** So many paths are looked at again by one message to the watch. */
const PATHS_AT_ONCE = 1000;
/** Where files come and go on and on, a barrier has to end. */
const MAX_BARRIERS = 4;

export interface Watching {
  /** Resolves when the whole folder is known. */
  started: Promise<void>;
  /** Everything written before the call, or to these files alone, was announced when it resolves. */
  barrier(paths?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Runs the watch and hands the workspace what it saw. */
export function startWatch(
  dependencies: { workspace: Workspace; state: State; pulse: GitPulse; log: Log; health: Health },
  config: Config,
): Watching {
  const { workspace, state, pulse, log, health } = dependencies;
  /** What was told up to it is as it was told, or the watch was asked to look again. */
  let sure = workspace.journal.revision;
  const watch = new Watch(
    {
      log: {
        info: (event, facts) => log('info', event, { ...facts }),
        warn: (event, facts) => log('warn', event, { ...facts }),
        error: (event, facts) => log('error', event, { ...facts }),
      },
    },
    {
      root: workspace.root,
      ignore: config['watch.ignore'],
      settleMs: config['watch.settleMs'],
      pollMs: config['watch.pollMs'],
      engine: config['watch.engine'],
      snapshotPath: state.writable ? path.join(state.folder, 'watch-snapshot') : null,
      mark: () => sure,
    },
  );
  workspace.journal.onChanges((changes) => {
    // What came from outside the watch has told itself.
    const ours = changes.filter(({ cause }) => cause.kind !== 'outside');
    // What is about to be removed is no other's that came there.
    const moved = pathsMoved(ours).filter((at) => !workspace.isLeaving(at));
    if (ours.length === 0) return;
    watch.ownChanges(pathsPut(ours), moved);
    // They met another's, of whom the watch may have nothing to report.
    if (ours.length < changes.length) compareSoon();
  });
  let rechecks = 0;
  const recheck = (paths: readonly string[]): void => {
    if (paths.length === 0) return;
    rechecks++;
    watch.recheck([...paths]);
  };
  let comparing: NodeJS.Timeout | undefined;
  const compare = (): void => {
    clearTimeout(comparing);
    comparing = undefined;
    recheck(workspace.takeDifferences());
    sure = workspace.journal.revision;
  };
  const compareSoon = (): void => {
    comparing ??= setTimeout(compare, COMPARE_MS).unref();
  };
  watch.onStarted(({ mark }) => {
    const touched = mark === null ? undefined : workspace.journal.touchedSince(mark);
    // At the first start of all, too: who looked at the folder before it may have seen what was no more when it was listed.
    if (touched === undefined) workspace.journal.renew();
    for (let at = 0; touched !== undefined && at < touched.length; at += PATHS_AT_ONCE) recheck(touched.slice(at, at + PATHS_AT_ONCE));
  });
  watch.onReports((reports) => {
    workspace.noticed(reports.map(toNoticed));
    recheck(workspace.takeDoubtful());
    compareSoon();
  });
  watch.onGitChanged(() => pulse.beat());
  watch.onRootGone((gone) => log('warn', gone ? 'workspace.gone' : 'workspace.back', {}));
  health.add(() => {
    const { engine, directories, files, degraded, releasedInSpiteOfGit, rootGone } = watch.health();
    const text = `${engine}: ${files} files in ${directories} folders`;
    if (rootGone) return { name: 'watch', ok: false, text: 'The folder is gone; it is watched again when it is back.' };
    if (degraded !== undefined) return { name: 'watch', ok: false, text: `${text}; ${degraded.reason}`, hint: degraded.hint };
    if (releasedInSpiteOfGit)
      return {
        name: 'watch',
        ok: false,
        text: `${text}; git's index has been locked for more than 2 s`,
        hint: 'If no git command runs, remove .git/index.lock.',
      };
    return { name: 'watch', ok: true, text };
  });
  const started = watch.start().then(() => {});
  // Who waits for it hears of it; where nobody does any more, it was stopped.
  started.catch(() => {});
  const barrier = async (paths?: readonly string[]): Promise<void> => {
    for (let round = 0, before = -1; round < MAX_BARRIERS && before !== rechecks; round++) {
      before = rechecks;
      await watch.barrier(paths);
      compare();
    }
  };
  workspace.settled = barrier;
  workspace.placing = (at, stat) => watch.placing(at, stat);
  const stop = async (): Promise<void> => {
    workspace.settled = undefined;
    workspace.placing = undefined;
    compare();
    await watch.stop();
    clearTimeout(comparing);
  };
  return { started, barrier, stop };
}

function pathsPut(changes: readonly Change[]): string[] {
  return changes.filter(({ what }) => what !== 'removed').map(({ path: where }) => where);
}

function pathsMoved(changes: readonly Change[]): string[] {
  return changes.flatMap(({ what, path: where, from }) => (what === 'removed' ? [where] : from === undefined ? [] : [from, where]));
}

function toNoticed(report: WatchReport): Noticed {
  const { path: where, kind, size, mtimeMs, ino, hash, from, folderIno, replaced } = report;
  return {
    path: where,
    kind,
    what: report.what === 'removed' ? 'removed' : report.isCreated ? 'created' : 'changed',
    size,
    mtimeMs,
    ino,
    hash,
    from,
    folderIno,
    replaced,
  };
}

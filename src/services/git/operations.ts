import { OutriggerError } from '../../contract/errors.ts';
import type { GitChange, git as table } from '../../contract/git.ts';
import type { Call, Implementations } from '../../contract/operation.ts';
import { blame } from './blame.ts';
import { branch, branches, checkout, tags } from './branches.ts';
import { commitInfo } from './commit-info.ts';
import { editors } from './co-authors.ts';
import { commit } from './committing.ts';
import type { Git } from './git.ts';
import { hunks } from './hunks.ts';
import { init } from './init.ts';
import { cherryPick, giveUp, goOn, merge, rebase, reset, revert } from './integrating.ts';
import { clone, fetch, pull, push } from './network.ts';
import type { GitCommit } from './parse-log.ts';
import type { StatusEntry } from './parse-status.ts';
import { diff, log, show } from './reading.ts';
import { remote, remotes } from './remotes.ts';
import { restore, stage, unstage } from './staging.ts';
import { stash, stashes } from './stash.ts';
import { status } from './status.ts';
import { tag } from './tagging.ts';

export function gitOperations(git: Git): Implementations<typeof table> {
  const gitFor = ({ caller }: Pick<Call, 'caller'>): Git => git.for(caller.access);
  return {
    'git.status': async ({ ignored, limit }, call) => {
      const found = await status(git, ignored, call.signal, call.caller.paths);
      if (found === undefined)
        return { repository: false, branch: null, head: null, conflicts: [], stashes: 0, changes: [], truncated: false };
      const { head, upstream, ahead, behind, underWay, entries, cut } = found;
      const { doing, message, ...state } = underWay ?? {};
      const visible = entries.filter((entry) => call.visible(entry.path.shown));
      const conflicts = visible.flatMap(({ path, conflict }) => (conflict === undefined ? [] : [{ path: path.shown, kind: conflict }]));
      return {
        repository: true,
        branch: found.branch,
        head,
        ...(upstream === undefined ? {} : { upstream }),
        ...(ahead === undefined ? {} : { ahead }),
        ...(behind === undefined ? {} : { behind }),
        ...(doing === undefined
          ? {}
          : { doing, underWay: { heads: [], ...state, ...(message === undefined || isLimited(call) ? {} : { message }) } }),
        conflicts: conflicts.slice(0, limit),
        stashes: found.stashes,
        ...(found.lockAgeMs === undefined ? {} : { lockAgeMs: found.lockAgeMs }),
        changes: visible.slice(0, limit).map((entry) => changeOf(entry, call.visible)),
        truncated: cut || visible.length > limit,
      };
    },
    'git.diff': (input, call) => {
      refuseSearch(call, input.from, input.to);
      return diff(git, input, call.signal);
    },
    'git.hunks': (input, call) => {
      refuseSearch(call, input.from, input.to, input.commit);
      if (input.was !== undefined && !call.visible(input.was))
        throw new OutriggerError('OUT_OF_SCOPE', `${JSON.stringify(input.was)} is outside of what the caller is limited to.`);
      return hunks(git, input, call.signal);
    },
    'git.log': async (input, call) => {
      refuseSearch(call, input.from);
      const { commits, more } = await log(git, input, call.signal);
      return { commits: commits.map((one) => shownCommit(one, call)), more };
    },
    'git.commitInfo': async ({ revision, limit }, call) => {
      refuseSearch(call, revision);
      const { commit: made, committer, files, cut } = await commitInfo(git, revision, call.signal, call.caller.paths);
      if (isLimited(call) && files.length === 0 && !cut)
        throw new OutriggerError('OUT_OF_SCOPE', `The commit ${revision} touches nothing that ${call.caller.name} is limited to.`);
      const visible = files.filter(({ path }) => call.visible(path.shown));
      return {
        commit: shownCommit(made, call),
        committer,
        files: visible.slice(0, limit).map(({ path, from, ...facts }) => ({
          path: path.shown,
          ...(from !== undefined && call.visible(from.shown) ? { from: from.shown } : {}),
          ...(path.raw ? { raw: true } : {}),
          ...facts,
        })),
        truncated: cut || visible.length > limit,
      };
    },
    'git.editors': async ({ paths, all, limit }, call) => {
      const found = await editors(git, { paths, all }, call.visible, call.signal, call.caller.paths);
      return { editors: found.editors.slice(0, limit), truncated: found.truncated || found.editors.length > limit };
    },
    'git.show': (input, call) => {
      refuseSearch(call, input.revision);
      return show(git, input, call.signal);
    },
    'git.blame': (input, call) => {
      refuseSearch(call, input.revision);
      return blame(git, { ...input, visible: call.visible, follow: !isLimited(call) }, call.signal);
    },
    'git.init': (input, call) => init(gitFor(call), input, call.signal),
    'git.stage': ({ files }, call) => stage(gitFor(call), files, call.signal, call.caller.paths),
    'git.unstage': ({ files }, call) => unstage(gitFor(call), files, call.signal, call.caller.paths),
    'git.restore': (input, call) => {
      refuseSearch(call, input.from);
      return restore(gitFor(call), input, call.signal, call.caller.paths);
    },
    'git.commit': ({ message, paths, author, ...rest }, call) => commit(gitFor(call), { message, paths, author, ...rest }, call.signal),
    'git.reset': (input, call) => reset(gitFor(call), input, call.signal),
    'git.stashes': ({ limit }, call) => stashes(git, limit, call.signal),
    'git.stash': (input, call) => stash(gitFor(call), input, call.signal),
    'git.branches': (input, call) => branches(git, input, call.signal),
    'git.branch': (input, call) => branch(gitFor(call), input, call.signal),
    'git.checkout': (input, call) => checkout(gitFor(call), input, call.signal),
    'git.merge': (input, call) => merge(gitFor(call), input, call.signal),
    'git.rebase': ({ onto }, call) => rebase(gitFor(call), onto, call.signal),
    'git.cherryPick': (input, call) => cherryPick(gitFor(call), input.commit, call.signal),
    'git.revert': (input, call) => revert(gitFor(call), input.commit, call.signal),
    'git.continue': (input, call) => goOn(gitFor(call), input, call.signal),
    'git.abort': (_, call) => giveUp(gitFor(call), call.signal),
    'git.tags': ({ limit }, call) => tags(git, limit, call.signal),
    'git.tag': (input, call) => tag(gitFor(call), input, call.signal),
    'git.remotes': async (_, call) => ({ remotes: await remotes(git, call.signal) }),
    'git.remote': (input, call) => remote(git, input, call.signal),
    'git.clone': ({ credentials, ...request }, call) =>
      clone(git, { ...request, limited: call.caller.paths !== undefined }, { credentials, emit: call.emit }, call.signal),
    'git.fetch': ({ credentials, ...request }, call) => fetch(git, request, { credentials, emit: call.emit }, call.signal),
    'git.pull': ({ credentials, ...request }, call) => pull(git, request, { credentials, emit: call.emit }, call.signal),
    'git.push': ({ credentials, ...request }, call) => push(git, request, { credentials, emit: call.emit }, call.signal),
  };
}

function isLimited({ caller }: Pick<Call, 'caller'>): boolean {
  return caller.paths !== undefined;
}

/** What commits say that touch nothing of a limited caller's is not for him, nor to be guessed by asking for the one that says it. */
function refuseSearch(call: Pick<Call, 'caller'>, ...revisions: (string | undefined)[]): void {
  if (isLimited(call) && revisions.some((revision) => revision?.includes('{/')))
    throw new OutriggerError('OUT_OF_SCOPE', `${call.caller.name} is limited to some paths, and finds no commit by its message.`);
}

/** Branches and tags are of the whole workspace, but for the one that git.status names. */
function shownCommit(commit: GitCommit, call: Pick<Call, 'caller'>): GitCommit {
  return isLimited(call) ? { ...commit, refs: commit.refs.filter((ref) => /^HEAD(?: -> |$)/.test(ref)) } : commit;
}

function changeOf(entry: StatusEntry, visible: (path: string) => boolean): GitChange {
  const { path, from, staged, unstaged, submodule } = entry;
  const change: GitChange = { path: path.shown, staged, unstaged };
  if (from !== undefined && visible(from.shown)) change.from = from.shown;
  if (submodule) change.submodule = true;
  if (path.raw) change.raw = true;
  return change;
}

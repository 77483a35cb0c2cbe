// Operations of branches, of what joins commits, of stashes and of another repository, each with what a user of the program git would do in its place.
import { conflictKinds } from './git-typists.ts';
import path from 'node:path';
import type { GitFolder, Ran } from './git-model-folder.ts';
import { add, done, isMarked, type Step, step } from './git-model-steps.ts';
import type { Random } from './random.ts';

export const branchNames = ['main', 'other', 'feature/one', 'HEAD-like'] as const;

/** What stands in conflict, where it stopped so. */
function joined(folder: GitFolder, ran: Ran): Ran {
  return ran.ok || folder.doing === undefined || folder.unmerged.length === 0 ? ran : { ...ran, conflicts: true };
}

function outcomeOf(folder: GitFolder, ran: Ran, before: { head: string | null }) {
  const conflicts = folder
    .status()
    .flatMap(({ kind, path, xy }) => (kind === 'u' ? [{ path: Buffer.from(path, 'latin1').toString(), kind: kindOf(xy) }] : []));
  const outcome = ran.conflicts === true ? ('conflicts' as const) : folder.head === before.head ? ('nothing' as const) : ('done' as const);
  return { outcome, head: folder.head, conflicts: outcome === 'conflicts' ? conflicts : [] };
}

export function kindOf(xy: string) {
  return conflictKinds[xy as keyof typeof conflictKinds];
}

export function branch(twin: GitFolder, random: Random): Step {
  const action = random.of(['create', 'create', 'rename', 'delete'] as const);
  const name = random.of([...branchNames, 'bad..name', 'topic']);
  const force = random.below(3) === 0;
  const from = action === 'create' && random.below(2) === 0 ? random.of(['HEAD~1', 'other', 'v1', 'origin/main', 'missing']) : undefined;
  const to = action === 'rename' ? random.of([...branchNames, 'topic']) : undefined;
  const hash = twin.commit(action === 'create' ? (from ?? 'HEAD') : `refs/heads/${name}`);
  const args = {
    create: ['branch', '--no-track', '--', name, from ?? 'HEAD'],
    rename: ['branch', '-m', '--', name, to ?? ''],
    delete: ['branch', force ? '-D' : '-d', '--', name],
  }[action];
  const input = { action, name, force, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  return step('git.branch', input, (folder) => folder.try(args), {
    refused: name === 'bad..name' ? 'BAD_INPUT' : undefined,
    expects: () => ({ name: to ?? name, hash: hash ?? '' }),
  });
}

export function tag(twin: GitFolder, random: Random): Step {
  const action = random.of(['create', 'create', 'delete'] as const);
  const name = random.of(['v1', 'v2', 'main', 'with/slash']);
  const at = random.of(['HEAD', 'HEAD~1', 'other', 'missing']);
  const message = random.below(2) === 0 ? undefined : 'told\n\nof it';
  const hash = twin.commit(action === 'delete' ? `refs/tags/${name}` : at);
  const how = message === undefined ? [] : ['-a', '--cleanup=whitespace', '-F', '-'];
  // An annotated tag is one of the commit, whatever names that.
  const twinTag = (folder: GitFolder): Ran =>
    folder.try(action === 'delete' ? ['tag', '-d', '--', name] : ['tag', ...how, '--', name, folder.commit(at) ?? at], {
      input: message ?? '',
    });
  const input = action === 'delete' ? { action, name } : { action, name, at, ...(message === undefined ? {} : { message }) };
  return step('git.tag', input, twinTag, { expects: () => ({ name, hash: hash ?? '' }) });
}

export function checkout(twin: GitFolder, random: Random): Step {
  const create = random.below(6) === 0;
  const to = create
    ? random.of([...branchNames, 'topic'])
    : random.of([...branchNames, 'main', 'other', 'HEAD~1', 'v1', 'topic', 'missing', 'of-remote']);
  const from = create && random.below(2) === 0 ? random.of(['HEAD~1', 'other', 'origin/main']) : undefined;
  const changes = random.of(['keep', 'keep', 'stash', 'discard'] as const);
  const target = create ? ['-b', to, '--no-track', ...(from === undefined ? [] : [from])] : [to];
  let stashed = false;
  const twinCheckout = (folder: GitFolder): Ran => {
    const before = folder.stashes[0];
    if (changes === 'stash') {
      const put = folder.try(['stash', 'push', '--quiet', '--include-untracked', '-m', `Before ${to}`]);
      // That is no refusal to lose something, whatever git calls it.
      if (!put.ok) return { ...put, said: 'nothing can be put aside' };
    }
    stashed = folder.stashes[0] !== before;
    const ran = folder.try(['checkout', '--quiet', ...(changes === 'discard' ? ['--force'] : []), ...target, '--']);
    if (ran.ok || !stashed) return ran;
    // What can't be brought back is kept aside, all of it.
    const kept = folder.keep();
    if (folder.try(['stash', 'pop', '--quiet', '--index']).ok) kept.drop();
    else kept.restore();
    return ran;
  };
  return step('git.checkout', { to, create, changes, ...(from === undefined ? {} : { from }) }, twinCheckout, {
    leaves: changes === 'stash',
    refused: changes === 'stash' && twin.unmerged.length > 0 ? 'GIT_FAILED' : undefined,
    expects: (folder) => ({ branch: folder.branch, head: folder.head, stashed }),
  });
}

/** Where something is under way nothing else is begun. */
function whileDoing(twin: GitFolder) {
  return twin.doing === undefined ? undefined : ('GIT_FAILED' as const);
}

/** git 2.39 merges though another commit of a repository inside is staged, which is refused here as any other change. */
function hasRepositoryInside(twin: GitFolder): boolean {
  return ['nested', 'cloned', 'sub'].some((name) =>
    twin.list('ls-files', '--stage', '-z', '--', name).some((one) => one.startsWith('160000')),
  );
}

export function merge(twin: GitFolder, random: Random): Step | undefined {
  if (twin.doing === undefined && hasRepositoryInside(twin)) return undefined;
  const from = random.of([...branchNames, 'other', 'main', 'v1', 'origin/main', 'missing']);
  const fastForward = random.of(['allow', 'allow', 'only', 'never'] as const);
  const message = random.below(3) === 0 ? 'brought\n\ntogether' : undefined;
  const how = { allow: '--ff', only: '--ff-only', never: '--no-ff' }[fastForward];
  const said = message === undefined ? [] : [`--message=${message}`];
  return step(
    'git.merge',
    { from, fastForward, ...(message === undefined ? {} : { message }) },
    (folder) => joined(folder, folder.try(['merge', '--no-edit', how, ...said, '--', from])),
    { refused: whileDoing(twin), expects: outcomeOf },
  );
}

export function rebase(twin: GitFolder, random: Random): Step {
  const onto = random.of([...branchNames, 'other', 'main', 'HEAD~1', 'missing']);
  return step('git.rebase', { onto }, (folder) => joined(folder, folder.try(['rebase', onto])), {
    refused: whileDoing(twin),
    // Of repositories inside that are staged git looks away until it is under way.
    leaves: true,
    expects: outcomeOf,
  });
}

/** One that comes to nothing is left out. */
function skipNothing(folder: GitFolder, command: 'cherry-pick' | 'revert', ran: Ran): Ran {
  if (
    command === 'revert' &&
    folder.doing === undefined &&
    /^(nothing|no changes) (added )?to commit|^nothing added to commit/m.test(ran.said)
  )
    return done;
  if (ran.ok || folder.doing !== command || folder.unmerged.length > 0 || !folder.try(['diff', '--cached', '--quiet']).ok)
    return joined(folder, ran);
  return folder.try([command, '--skip']);
}

export function pick(twin: GitFolder, random: Random): Step {
  const isRevert = random.below(2) === 0;
  const commit = random.of(
    isRevert ? ['HEAD', 'HEAD', 'HEAD~1', 'HEAD~2', 'missing'] : [...branchNames, 'other', 'other~1', 'HEAD', 'missing'],
  );
  const command = isRevert ? 'revert' : 'cherry-pick';
  // A file may have its name.
  const args = (folder: GitFolder): string[] => [
    ...[command, ...(isRevert ? ['--no-edit'] : []), '--end-of-options'],
    folder.commit(commit) ?? commit,
  ];
  return step(isRevert ? 'git.revert' : 'git.cherryPick', { commit }, (folder) => skipNothing(folder, command, folder.try(args(folder))), {
    refused: whileDoing(twin),
    expects: outcomeOf,
  });
}

export function goOn(twin: GitFolder, random: Random): Step {
  const { doing } = twin;
  const skip = random.below(5) === 0;
  const message = !skip && random.below(3) === 0 ? 'settled\n\nby hand' : undefined;
  const taken = twin.status().filter(({ kind, xy }) => kind === 'u' || ((kind === '1' || kind === '2') && xy[0] !== '.' && xy[1] !== '.'));
  const marked = !skip && taken.some((entry) => isMarked(twin, entry));
  // git says so itself, once what was resolved is staged.
  const isHeldUp =
    doing === 'rebase' && !skip && twin.status().some(({ kind, xy, submodule }) => /[12]/.test(kind) && /^\.[^.]/.test(xy) && !submodule);
  const refused =
    doing === undefined
      ? 'GIT_FAILED'
      : isHeldUp
        ? 'GIT_WOULD_OVERWRITE'
        : marked
          ? 'GIT_FAILED'
          : skip && doing === 'merge'
            ? 'BAD_INPUT'
            : undefined;
  const twinGoesOn = (folder: GitFolder): Ran => {
    if (doing === undefined) return done;
    if (skip) return doing === 'rebase' ? joined(folder, folder.try(['rebase', '--skip'])) : skipOne(folder, doing);
    const begun = add(folder, taken);
    if (!begun.ok) return begun;
    const isNothing = folder.try(['diff', '--cached', '--quiet']).ok;
    if (message !== undefined && (doing === 'merge' || !isNothing)) {
      // What came since that commit was made is one's own.
      const author = doing === 'rebase' && folder.gitFile('MERGE_MSG') !== undefined ? authorOf(folder) : {};
      const made = folder.try(['commit', '--quiet', '--cleanup=whitespace', '-F', '-'], { input: message, env: author });
      if (!made.ok || folder.doing === undefined) return made;
    }
    const ran = folder.try([doing, '--continue']);
    return isNothing && !ran.ok && doing !== 'rebase' && folder.doing === doing ? skipOne(folder, doing) : joined(folder, ran);
  };
  return step('git.continue', { skip, ...(message === undefined ? {} : { message }) }, twinGoesOn, {
    refused,
    leaves: true,
    expects: (folder, ran) => (ran.conflicts === true ? outcomeOf(folder, ran, { head: null }) : { head: folder.head, conflicts: [] }),
  });
}

function skipOne(folder: GitFolder, doing: string): Ran {
  return joined(folder, folder.try([doing, '--skip']));
}

/** Whose commit it is at which a rebase stopped. */
function authorOf(folder: GitFolder): Record<string, string> {
  const [name = '', email = '', at = ''] = folder.line('show', '-s', '--date=raw', '--format=%an%x00%ae%x00%ad', 'REBASE_HEAD').split('\0');
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: `@${at}` };
}

export function abort(twin: GitFolder): Step {
  const { doing } = twin;
  return step('git.abort', {}, (folder) => (doing === undefined ? done : folder.try([doing, '--abort'])), {
    refused: doing === undefined ? 'GIT_FAILED' : undefined,
    expects: (folder) => ({ head: folder.head, ...(doing === undefined ? {} : { aborted: doing }) }),
  });
}

export function stash(twin: GitFolder, random: Random): Step {
  const { stashes } = twin;
  const action = random.of(['push', 'push', 'apply', 'pop', 'pop', 'drop'] as const);
  if (action === 'push') {
    const [untracked, keepIndex] = [random.below(2) === 0, random.below(3) === 0];
    const message = random.below(2) === 0 ? undefined : 'put aside: a "message"';
    const args = ['stash', 'push', '--quiet', ...(untracked ? ['-u'] : []), ...(keepIndex ? ['--keep-index'] : [])];
    let before: string | undefined;
    const push = (folder: GitFolder): Ran => {
      before = folder.stashes[0];
      const put = folder.try([...args, ...(message === undefined ? [] : ['-m', message])]);
      return put.ok ? put : { ...put, said: 'nothing can be put aside' };
    };
    return step('git.stash', { action, untracked, keepIndex, ...(message === undefined ? {} : { message }) }, push, {
      refused: twin.unmerged.length > 0 ? 'GIT_FAILED' : undefined,
      expects: (folder) => ({
        outcome: folder.stashes[0] === before ? ('nothing' as const) : ('done' as const),
        stashes: folder.stashes.length,
        conflicts: [],
      }),
    });
  }
  const hash = stashes.length > 0 && random.below(2) === 0 ? random.of(stashes) : undefined;
  const number = hash === undefined ? 0 : stashes.indexOf(hash);
  const name = `stash@{${number}}`;
  const twinStash = (folder: GitFolder): Ran => {
    if (folder.stashes.length === 0) return done;
    if (action !== 'drop' && folder.unmerged.length > 0) return { ...done, ok: false };
    const index = action === 'drop' || !bringsIndex(folder, name) ? [] : ['--index'];
    const ran = folder.try(['stash', action, '--quiet', ...index, name]);
    // Refused for its new files git has brought the others all the same.
    const isRefused = ran.ok || folder.unmerged.length === 0 || ran.said.includes('could not restore untracked files');
    return isRefused ? ran : { ...ran, conflicts: true };
  };
  return step('git.stash', { action, ...(hash === undefined ? {} : { hash }) }, twinStash, {
    refused: action !== 'drop' && stashes.length > 0 && twin.unmerged.length > 0 ? 'GIT_FAILED' : undefined,
    expects: (folder, ran) => ({
      outcome: stashes.length === 0 ? ('nothing' as const) : ran.conflicts === true ? ('conflicts' as const) : ('done' as const),
      stashes: folder.stashes.length,
      conflicts: ran.conflicts === true ? outcomeOf(folder, ran, { head: null }).conflicts : [],
    }),
  });
}

/** What was staged is staged again, where nothing is now, on the commit of then. */
function bringsIndex(folder: GitFolder, name: string): boolean {
  const had = !folder.try(['diff', '--quiet', `${name}^1`, `${name}^2`]).ok;
  return had && folder.try(['diff', '--cached', '--quiet']).ok && folder.commit('HEAD') === folder.commit(`${name}^1`);
}

// ── another repository ───────────────────────────────────────────────────────────────────────────────────────────────

export function fetch(_twin: GitFolder, random: Random): Step {
  const [prune, tags] = [random.below(2) === 0, random.below(3) === 0];
  const remote = random.of([undefined, 'origin', 'nobody']);
  let before = new Map<string, string>();
  const twinFetch = (folder: GitFolder): Ran => {
    before = remoteRefs(folder);
    return folder.try(['fetch', prune ? '--prune' : '--no-prune', ...(tags ? ['--tags'] : []), '--', remote ?? 'origin']);
  };
  return step('git.fetch', { prune, tags, ...(remote === undefined ? {} : { remote }) }, twinFetch, {
    expects: (folder) => ({ remote: 'origin', truncated: false, updated: changed(before, remoteRefs(folder)) }),
  });
}

export function pull(twin: GitFolder, random: Random): Step | undefined {
  if (twin.doing === undefined && hasRepositoryInside(twin)) return undefined;
  const strategy = random.of(['ff-only', 'merge', 'rebase'] as const);
  const branch = random.of([undefined, undefined, 'main', 'other', 'missing']);
  let before = new Map<string, string>();
  const twinPull = (folder: GitFolder): Ran => {
    before = remoteRefs(folder);
    const fetched = folder.try(['fetch', '--no-prune', '--', 'origin']);
    if (!fetched.ok) return fetched;
    const upstream = folder.try(['rev-parse', '--symbolic-full-name', '@{upstream}']);
    const own = upstream.ok ? upstream.stdout.toString().trim() : `refs/remotes/origin/${folder.branch ?? ''}`;
    const from = branch === undefined ? own : `refs/remotes/origin/${branch}`;
    const how = { 'ff-only': ['merge', '--ff-only', '--no-edit'], merge: ['merge', '--ff', '--no-edit'], rebase: ['rebase'] }[strategy];
    return joined(folder, folder.try([...how, from]));
  };
  return step('git.pull', { strategy, ...(branch === undefined ? {} : { branch }) }, twinPull, {
    refused: whileDoing(twin),
    leaves: true,
    expects: (folder, ran, at) => ({ ...outcomeOf(folder, ran, at), remote: 'origin', updated: changed(before, remoteRefs(folder)) }),
  });
}

export function push(twin: GitFolder, random: Random): Step {
  const given = random.of([undefined, undefined, ...branchNames]);
  const to = random.of([undefined, undefined, undefined, 'main', 'elsewhere']);
  const [force, tags] = [random.of(['no', 'no', 'lease'] as const), random.below(3) === 0];
  const branch = given ?? twin.branch;
  let outcome: 'done' | 'nothing' = 'nothing';
  let upstreamSet = false;
  const twinPush = (folder: GitFolder): Ran => {
    if (branch === null) return { ...done, ok: false };
    const target = to ?? branch;
    const merges = folder
      .try(['config', `branch.${branch}.merge`])
      .stdout.toString()
      .trim();
    const follows = folder.try(['rev-parse', '--verify', '--quiet', `${branch}@{upstream}`]).ok || merges !== '';
    upstreamSet = !follows || (merges !== `refs/heads/${branch}` && to === undefined);
    const ran = folder.try([
      ...['push', '--porcelain', ...(upstreamSet ? ['--set-upstream'] : []), tags ? '--follow-tags' : '--no-follow-tags'],
      ...(force === 'lease' ? [`--force-with-lease=refs/heads/${target}`] : []),
      ...['--', 'origin', `refs/heads/${branch}:refs/heads/${target}`],
    ]);
    outcome = /^[^=!]\trefs\//m.test(ran.said) ? 'done' : 'nothing';
    return ran;
  };
  const input = { force, tags, ...(given === undefined ? {} : { branch: given }), ...(to === undefined ? {} : { to }) };
  return step('git.push', input, twinPush, {
    expects: () => ({ remote: 'origin', branch: to ?? branch ?? '', outcome, upstreamSet }),
  });
}

/** Of the library that lies beside the folders. */
const libraryOf = ({ root }: GitFolder): string => `file://${path.join(path.dirname(root), 'library')}`;

export function remote(twin: GitFolder, random: Random): Step {
  const action = random.of(['add', 'set', 'remove'] as const);
  const url = libraryOf(twin);
  const args = { add: ['add', '--', 'second', url], set: ['set-url', '--', 'second', url], remove: ['remove', '--', 'second'] }[action];
  const input = { action, name: 'second', ...(action === 'remove' ? {} : { url }) };
  return step('git.remote', input, (folder) => folder.try(['remote', ...args]), { expects: () => ({ name: 'second' }) });
}

export function clone(twin: GitFolder, _random: Random): Step {
  const url = libraryOf(twin);
  const isThere = twin.stat('cloned') !== undefined;
  return step('git.clone', { url, path: 'cloned' }, (folder) => folder.try(['clone', '-q', '--', url, 'cloned']), {
    refused: isThere ? 'NOT_EMPTY' : undefined,
    expects: (folder) => ({ path: 'cloned', branch: 'main', head: folder.line('-C', 'cloned', 'rev-parse', 'HEAD') }),
  });
}

function remoteRefs(folder: GitFolder): Map<string, string> {
  const lines = folder
    .line('for-each-ref', '--format=%(refname) %(objectname) %(symref)', 'refs/remotes/origin/', 'refs/tags/')
    .split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [ref = '', hash = '', symref = ''] = line.split(' ');
      return ref === '' || symref !== '' ? [] : [[ref, hash] as const];
    }),
  );
}

function changed(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>) {
  const came = [...after].flatMap(([ref, to]) => (before.get(ref) === to ? [] : [{ ref, from: before.get(ref) ?? null, to }]));
  const went = [...before].flatMap(([ref, from]) => (after.has(ref) ? [] : [{ ref, from, to: null }]));
  return [...came, ...went];
}

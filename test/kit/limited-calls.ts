// What a limited caller asks for by chance: each operation of the table has an input here, or a reason why there is none.
import { operations, type OperationName } from '../../src/contract/operations.ts';
import { elsewhere, links, PREFIXES } from './limited-world.ts';
import type { Random } from './random.ts';

/** Becomes the cursor that the side told last. */
export const LAST_CURSOR = '@cursor';

export interface Asking {
  random: Random;
  /** A path below the prefixes. */
  own(): string;
  /** Any path: most are below the prefixes; some are by a link, written oddly or elsewhere. */
  path(): string;
  text(): string;
}

const ownPaths = [
  ...[
    'pub/a.txt',
    'pub/b.md',
    'pub/c.ts',
    'pub/sub/d.txt',
    'pub/sub/e/f.txt',
    'pub/.hidden',
    'pub/bytes.bin',
    'pub/seen.log',
    'pub/came.txt',
  ],
  ...[
    'pub/old.txt',
    'pub/new.txt',
    'pub/é.txt',
    'own/deep/x.txt',
    'one.txt',
    'later/first',
    'pub/made.txt',
    'pub/made/b.txt',
    'pub/swap/target.txt',
  ],
  ...['pub/sub', 'pub/sub/e', 'own/deep', 'later', 'pub/made', 'pub/gone', 'pub/over', 'pub/swap', 'pub/border.txt', 'pub', 'own/deep/y'],
];

export function askingOf(random: Random): Asking {
  const asking: Asking = {
    random,
    own: () => random.of(ownPaths),
    path: () => {
      const kind = random.below(20);
      if (kind < 9) return asking.own();
      if (kind < 12) return random.of(elsewhere);
      if (kind < 14) return random.of(Object.keys(links));
      if (kind < 16)
        return `${random.of(Object.keys(links))}/${random.of(['target.txt', 'only', 'only/deeper/key', 'e/f.txt', 'made-up', '..'])}`;
      return odd(random, random.below(2) === 0 ? asking.own() : random.of(elsewhere));
    },
    text: () => random.of(['needle\n', 'one\ntwo needle\n', '', `n${random.below(1000)}\n`, 'export function later() {}\n']),
  };
  return asking;
}

/** The same path, or one that looks like it. */
function odd(random: Random, path: string): string {
  switch (random.below(9)) {
    case 0:
      return path.replaceAll('/', '//');
    case 1:
      return `./${path}/`;
    case 2:
      return path.toUpperCase();
    case 3:
      return path.normalize('NFD');
    case 4:
      return `${path}/../${path}`;
    case 5:
      return `${random.of(PREFIXES)}/../${path}`;
    case 6:
      return path.replaceAll('/', '%2F');
    case 7:
      return `${path}\u0000`;
    default:
      return `${path} `;
  }
}

const revisions = [
  'HEAD',
  'HEAD~1',
  'HEAD~2',
  'main',
  'HEAD:priv',
  'HEAD:priv/target.txt',
  'HEAD:priv/old.txt',
  'HEAD:priv/kept',
  ':priv/old.txt',
  ':priv/kept/b.md',
  'HEAD~1:priv/source.txt',
  'HEAD:priv/other-file.txt',
  ':/third',
  // Which finds a commit by what it says.
  'HEAD^{/of A}',
  'HEAD^{/third}',
  'stash@{0}',
  'none',
];
const revision = ({ random }: Asking): string => random.of(revisions);
const maybe = <T>({ random }: Asking, field: string, value: () => T): object => (random.below(2) === 0 ? {} : { [field]: value() });
const noId = 'AAAAAAAAAAAAAAAAAAAAA';
const once = (input: object) => (): object => input;

type Ask = (asking: Asking) => object;

/** An input of each operation. */
export const asked: { readonly [K in OperationName]?: Ask } = {
  'system.info': once({}),
  'system.health': once({}),
  'system.doctor': once({}),
  'files.list': (a) => ({ path: a.path(), recursive: a.random.below(2) === 0, includeIgnored: a.random.of([true, false, 'enter']) }),
  'files.stat': (a) => ({ path: a.path(), hash: a.random.below(2) === 0 }),
  'files.read': (a) => ({ path: a.path(), ...maybe(a, 'source', () => a.random.of(['live', 'disk'])) }),
  'files.write': (a) => ({ path: a.path(), text: a.text(), ...maybe(a, 'parents', () => true) }),
  'files.create': (a) => ({ path: a.path(), text: a.text() }),
  'files.edit': (a) => ({ path: a.path(), edits: [{ find: 'needle', replace: 'needle', all: true }] }),
  'files.mkdir': (a) => ({ path: a.path(), parents: a.random.below(2) === 0 }),
  'files.remove': (a) => ({ path: a.path(), recursive: a.random.below(2) === 0, missingOk: a.random.below(2) === 0 }),
  'files.move': (a) => ({ from: a.path(), to: a.path(), overwrite: a.random.below(2) === 0, parents: true }),
  'files.copy': (a) => ({
    ...a.random.of([
      { from: 'pub/sub', to: 'pub/over' },
      { from: a.path(), to: a.path() },
    ]),
    overwrite: a.random.below(2) === 0,
    parents: true,
  }),
  'files.batch': (a) => ({
    changes: Array.from({ length: 1 + a.random.below(3) }, () =>
      a.random.of([
        () => ({ op: 'write', path: a.path(), text: a.text() }),
        () => ({ op: 'remove', path: a.path() }),
        () => ({ op: 'move', from: a.path(), to: a.path() }),
      ])(),
    ),
    returnBefore: true,
    dryRun: a.random.below(3) === 0,
  }),
  'files.download': (a) => ({ path: a.path(), ...maybe(a, 'range', () => 'bytes=0-3') }),
  'files.upload': (a) => ({ path: a.path() }),
  'files.outline': (a) => ({ path: a.path() }),
  'files.hash': (a) => ({ path: a.path() }),
  'changes.since': (a) => ({ limit: 10_000, ...maybe(a, 'cursor', () => LAST_CURSOR) }),
  'documents.list': once({}),
  'documents.open': (a) => ({ path: a.path() }),
  'search.text': (a) => ({
    ...{ pattern: a.random.of(['needle', 'secret', 'line', 'HiddenOfB', '.']), regex: a.random.below(2) === 0, path: a.path() },
    ...{ hidden: a.random.below(2) === 0, ignored: a.random.below(2) === 0, ...maybe(a, 'maxResults', () => 1 + a.random.below(5)) },
  }),
  'search.files': (a) => ({
    ...{
      query: a.random.of(['', 'a', 'txt', 'priv', 'key']),
      path: a.path(),
      limit: 1 + a.random.below(30),
      hidden: a.random.below(2) === 0,
    },
    ...{ ignored: a.random.below(2) === 0, ...maybe(a, 'include', () => [a.random.of(['*.txt', 'priv/**', '/pub/**', '**/only/**'])]) },
  }),
  'search.symbols': (a) => ({ query: a.random.of(['', 'sh', 'hidden', 'later']), limit: 1 + a.random.below(5) }),
  'index.status': once({}),
  'index.wait': once({}),
  'git.status': (a) => ({ ignored: a.random.below(2) === 0, limit: 1 + a.random.below(20) }),
  'git.diff': (a) => ({ path: a.path(), staged: a.random.below(2) === 0, ...maybe(a, 'from', () => revision(a)) }),
  'git.hunks': (a) => ({
    path: a.path(),
    ...a.random.of([
      {},
      { staged: true },
      { untracked: true },
      { commit: revision(a) },
      { from: revision(a) },
      { was: a.path(), staged: true },
    ]),
  }),
  'git.log': (a) => ({ path: a.path(), ...maybe(a, 'from', () => revision(a)) }),
  'git.commitInfo': (a) => ({ revision: a.random.of([revision(a), 'HEAD', 'HEAD~1', 'HEAD~2']), limit: 1 + a.random.below(20) }),
  'git.editors': (a) => maybe(a, 'paths', () => [a.path(), a.path()]),
  'git.show': (a) => ({ path: a.path(), revision: a.random.of([...revisions, ':']) }),
  'git.blame': (a) => ({ path: a.random.of([a.path(), 'pub/came.txt', 'pub/old.txt']), ...maybe(a, 'revision', () => revision(a)) }),
  'git.stage': (a) => ({ files: [{ path: a.path() }] }),
  'git.unstage': (a) => ({ files: [{ path: a.path() }] }),
  'git.restore': (a) => ({ files: [{ path: a.path() }], ...maybe(a, 'from', () => revision(a)) }),
  'git.clone': (a) => ({ url: a.random.of(['file:///etc', 'http://127.0.0.1:9/none', '.', 'priv']), path: a.path() }),
  'git.commit': (a) => ({ message: 'by the limited one', ...maybe(a, 'paths', () => [a.own()]) }),
  // Of the whole workspace: none of these may do more than refuse.
  'tokens.create': once({ name: 'x', access: 'read', paths: ['pub'] }),
  'tokens.rotate': once({}),
  'tokens.list': once({}),
  'tokens.revoke': once({ id: 'missing' }),
  'documents.flush': once({}),
  'search.replace': (a) => ({ pattern: 'needle', replace: 'x', path: a.own(), dryRun: a.random.below(2) === 0 }),
  'git.init': once({}),
  'git.reset': once({}),
  'git.stashes': once({}),
  'git.stash': once({}),
  'git.branches': once({}),
  'git.branch': once({ name: 'x' }),
  'git.checkout': once({ to: 'HEAD~1' }),
  'git.merge': once({ from: 'main' }),
  'git.rebase': once({ onto: 'HEAD~1' }),
  'git.cherryPick': once({ commit: 'HEAD' }),
  'git.revert': once({ commit: 'HEAD' }),
  'git.continue': once({}),
  'git.abort': once({}),
  'git.tags': once({}),
  'git.tag': once({ name: 'v1' }),
  'git.remotes': once({}),
  'git.remote': once({ url: 'https://example.org/r.git' }),
  'git.fetch': once({}),
  'git.pull': once({}),
  'git.push': once({}),
  'checkpoints.list': once({}),
  'checkpoints.create': (a) => ({ title: 'x', ...maybe(a, 'paths', () => [a.own()]) }),
  'checkpoints.diff': (a) => ({ id: 1, ...maybe(a, 'path', () => a.own()) }),
  'checkpoints.restore': (a) => ({ id: 1, ...maybe(a, 'paths', () => [a.own()]) }),
  'checkpoints.revert': once({ run: 'missing' }),
  'processes.start': once({ argv: ['true'] }),
  'processes.run': once({ argv: ['touch', 'priv/touched'] }),
  'processes.list': once({}),
  'processes.get': once({ id: 'missing' }),
  'processes.output': once({ id: 'missing' }),
  'processes.input': once({ id: 'missing', text: 'x' }),
  'processes.signal': once({ id: 'missing', signal: 'SIGTERM' }),
  'processes.stop': once({ id: 'missing' }),
  'processes.restart': once({ id: 'missing' }),
  'processes.wait': once({ id: 'missing' }),
  'processes.remove': once({ id: 'missing' }),
  'processes.watch': once({}),
  'terminals.open': once({ argv: ['true'] }),
  'terminals.list': once({}),
  'terminals.attach': once({ id: 'missing' }),
  'terminals.input': once({ id: 'missing', text: 'x' }),
  'terminals.resize': once({ id: 'missing', columns: 80, rows: 24 }),
  'terminals.close': once({ id: 'missing' }),
  'deploy.list': once({}),
  'deploy.run': once({ profile: 'missing' }),
  'deploy.rollback': once({ to: 'missing' }),
  'deploy.cancel': once({ id: 'missing' }),
  'deploy.follow': once({ last: 1 }),
  'code.languages': once({}),
  'code.isolation': once({}),
  'code.run': once({ language: 'bash', code: 'touch priv/touched' }),
  'code.input': once({ run: noId, text: 'x' }),
  'code.cancel': once({ run: noId }),
  'code.openSession': once({}),
  'code.session': once({ session: noId }),
  'code.sessions': once({}),
  'code.closeSession': once({ session: noId }),
  'code.putFile': once({ session: noId, name: 'a.txt' }),
  'code.getFile': once({ session: noId, id: noId }),
  'code.removeFile': once({ session: noId, id: noId }),
  'code.getState': once({ session: noId }),
  'code.putState': once({ session: noId }),
  'code.removeState': once({ session: noId }),
  'tasks.list': once({}),
  'tasks.get': once({ id: 'missing' }),
  'tasks.watch': once({}),
  'tasks.follow': once({ id: 'missing' }),
  'tasks.accept': once({ id: 'missing' }),
  'tasks.progress': once({ id: 'missing', progress: 5 }),
  'tasks.log': once({ id: 'missing', text: 'x' }),
  'tasks.complete': once({ id: 'missing' }),
  'tasks.fail': once({ id: 'missing', reason: 'x' }),
  'tasks.cancel': once({ id: 'missing' }),
  'tasks.export': once({}),
};

const byNumber = 'Numbers of changes are those of the whole folder, and what is kept goes by time: flows/history.test.ts has it.';

/** Operations that are not asked for by chance, and why. */
export const notAsked: { readonly [K in OperationName]?: string } = {
  'changes.watch': 'Has no end: it is open all the time, over each way that has feeds.',
  'documents.watch': 'Has no end: it is open all the time.',
  'history.list': byNumber,
  'history.read': byNumber,
  'history.restore': byNumber,
  'history.revert': byNumber,
};

const names = Object.keys(asked) as OperationName[];

/** Of the whole workspace: to be refused, whatever is asked. */
export const wholeNames = names.filter((name) => operations[name].scope === 'workspace');
export const otherNames = names.filter((name) => operations[name].scope !== 'workspace');

// Two sidecars of which a limited caller can't tell one from the other: their folders are the same below his paths, and differ everywhere else.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type AccessLevel, withinPaths } from '../../src/contract/access.ts';
import type { Random } from './random.ts';
import { type RunningSidecar, withSidecar } from './sidecar.ts';
import { withScratchFolder } from './scratch-folder.ts';

/** A folder, one in another, a file, one in a folder that others see as well, and one that is not there yet. */
export const PREFIXES = ['pub', 'pub/sub', 'one.txt', 'own/deep', 'later'] as const;

const LINES = Array.from({ length: 40 }, (_, at) => `line ${at} of many\n`).join('');

/** What is the same on both sides. */
const inside: Readonly<Record<string, string | Buffer>> = {
  'pub/a.txt': 'alpha needle\nbeta\n',
  'pub/b.md': `# needle\n\n${LINES}`,
  'pub/c.ts': 'export function shared(): number {\n  return 1;\n}\n',
  'pub/sub/d.txt': 'delta\nneedle\n',
  'pub/sub/e/f.txt': 'far needle\n',
  'pub/.hidden': 'hidden needle\n',
  'pub/seen.log': 'ignored needle\n',
  'pub/bytes.bin': Buffer.from([0, 1, 2, 255, 10]),
  'pub/é.txt': 'composed\n',
  'one.txt': 'one needle\n',
  'own/deep/x.txt': 'deep needle\n',
};

/** By name: where they lead. All of them lie in `pub`; beyond each that leads out the sides differ. */
export const links: Readonly<Record<string, string>> = {
  'pub/in': 'sub/d.txt',
  'pub/folder': 'sub',
  'pub/out': '../priv',
  'pub/file': '../priv/target.txt',
  'pub/far': '../priv/only/deeper/key',
  'pub/chain': '../priv/link',
  'pub/away': '/etc/hostname',
  'pub/self': 'self',
  // What is copied over the folder goes by it.
  'pub/over/d.txt': '../../priv/target.txt',
};

/** What may be asked for and lies elsewhere, on one side or on both. */
export const elsewhere = [
  ...[
    '',
    'priv',
    'priv/target.txt',
    'priv/only',
    'priv/only/deeper/key',
    'priv/link',
    'own',
    'own/other.txt',
    'pub-secret/key',
    'public',
    'Pub/a.txt',
  ],
  ...['one.txt.bak', 'one.txt/x', 'pub.txt', 'pub/../priv/target.txt', 'own/deep-er', '.gitignore', '.git/config', '.git/HEAD', 'missing'],
];

export type SideName = 'A' | 'B';

/** Of a file of the caller's: it is one file, which is written in place since it has several names (docs/decisions/a-save-is-a-new-file.md). */
const secondNames: Readonly<Record<SideName, string>> = { A: 'priv/second-name.ts', B: 'missing/other-name.ts' };

export interface Side {
  name: SideName;
  running: RunningSidecar;
  root: string;
  /** Of the limited caller. */
  token: string;
  tokenId: string;
  git(...args: string[]): string;
  /** What this side alone does and has. */
  random: Random;
}

export interface LimitedCaller {
  access: AccessLevel;
  paths: readonly string[];
}

const gitTime = '2026-01-01T00:00:00Z';

function gitIn(root: string, home: string): (...args: string[]) => string {
  const env = {
    ...{ PATH: process.env['PATH'], HOME: home, GIT_CONFIG_NOSYSTEM: '1' },
    ...{ GIT_AUTHOR_DATE: gitTime, GIT_COMMITTER_DATE: gitTime },
  };
  const settings = ['-c', 'user.name=T', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main', '-c', 'gc.auto=0'];
  return (...args) => execFileSync('git', ['-C', root, ...settings, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function putAt(root: string, name: string, content: string | Buffer): void {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), content);
}

/** Names that only one side has, of a length of its own. */
export function privateName(random: Random): string {
  return `n${random.below(1e9).toString(36)}${'x'.repeat(random.below(12))}`;
}

/** Of a commit that touches nothing of the caller's. */
export function privateMessage(side: SideName, random: Random): string {
  return `of ${side}: ${privateName(random)}`;
}

function makeFolder(root: string, side: SideName, random: Random, git: (...args: string[]) => string): void {
  const isA = side === 'A';
  for (const [name, content] of Object.entries(inside)) putAt(root, name, content);
  for (const [name, target] of Object.entries(links)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.symlinkSync(target, path.join(root, name));
  }
  putAt(root, '.gitignore', `*.log\n${isA ? 'kept-*\n' : ''}`);
  putAt(root, 'priv/old.txt', `${side} needle\n${LINES}`);
  git('init', '-q');
  git('add', '-A');
  git('commit', '-qm', 'first');
  // What came to `pub` was somewhere else on one side, and is new on the other.
  const moved = `${LINES}came along\n`;
  if (isA) {
    putAt(root, 'priv/source.txt', `${moved}\n`);
    git('add', '-A');
  } else putAt(root, 'priv/other-file.txt', 'needle\n'.repeat(9));
  git('add', '-A');
  git('commit', '-qm', `second, ${privateMessage(side, random)}`, `--author=${side} <${privateName(random)}@example.org>`);
  git('tag', '-am', privateName(random), privateName(random));
  if (isA) fs.rmSync(path.join(root, 'priv/source.txt'));
  putAt(root, 'pub/came.txt', moved);
  // And the other way round.
  fs.rmSync(path.join(root, 'pub/sub/e/f.txt'));
  if (isA) putAt(root, 'priv/went.txt', inside['pub/sub/e/f.txt'] as string);
  git('add', '-A');
  git('commit', '-qm', 'third');
  // Names of branches and tags on a commit that both can see, and changes that were put aside.
  for (let left = 1 + random.below(3); left > 0; left--) git('branch', privateName(random));
  git('tag', privateName(random));
  putAt(root, 'priv/other.txt', `${side}\n`);
  git('stash', 'push', '-q', '--include-untracked', '-m', privateMessage(side, random));
  putAt(root, 'pub/sub/e/f.txt', inside['pub/sub/e/f.txt'] as string);
  // Not committed: staged moves over the border, and changes of each kind.
  if (isA) {
    fs.renameSync(path.join(root, 'priv/old.txt'), path.join(root, 'pub/old.txt'));
    fs.writeFileSync(path.join(root, 'pub/old.txt'), `A\n${LINES}`);
  } else putAt(root, 'pub/old.txt', `A\n${LINES}`);
  git('add', 'pub/old.txt', ...(isA ? ['priv'] : []));
  if (isA) {
    fs.mkdirSync(path.join(root, 'priv/kept'), { recursive: true });
    fs.renameSync(path.join(root, 'pub/b.md'), path.join(root, 'priv/kept/b.md'));
  } else fs.rmSync(path.join(root, 'pub/b.md'));
  git('add', '-A', 'pub/b.md', ...(isA ? ['priv'] : []));
  putAt(root, 'pub/a.txt', 'alpha needle\nbeta\nchanged\n');
  putAt(root, 'pub/new.txt', 'untracked needle\n');
  for (let left = 2 + random.below(8) * (isA ? 3 : 1); left > 0; left--)
    putAt(root, `priv/${privateName(random)}.txt`, `needle ${side}\n`.repeat(1 + random.below(40)));
  if (isA) {
    putAt(root, 'priv/target.txt', 'secret needle of A\n');
    putAt(root, 'priv/only/deeper/key', 'secret key\n');
    fs.symlinkSync('/etc/hostname', path.join(root, 'priv/link'));
    putAt(root, 'pub-secret/key', 'needle\n');
    putAt(root, 'Pub/a.txt', 'needle\n');
    putAt(root, 'pub.txt', 'needle\n');
    putAt(root, 'own/other.txt', 'needle\n');
    putAt(root, 'one.txt.bak', 'needle\n');
  } else {
    fs.mkdirSync(path.join(root, 'public'));
    putAt(root, 'own/deep-er/y.txt', 'export function hiddenOfB() {}\n');
    putAt(root, 'priv/hidden.ts', 'export class HiddenOfB {}\n');
    putAt(root, 'missing/after/all', 'needle\n');
  }
  fs.linkSync(path.join(root, 'pub/c.ts'), path.join(root, secondNames[side]));
}

/** Both sides with a token of the limited caller each; all is gone afterwards. */
export function withSides(
  caller: LimitedCaller,
  randoms: Readonly<Record<SideName, Random>>,
  run: (sides: [Side, Side]) => Promise<void>,
): Promise<void> {
  const open = (name: SideName, then: (side: Side) => Promise<void>): Promise<void> =>
    withScratchFolder('limited', async (folder) => {
      // The name of the folder is told to everybody.
      const root = path.join(folder, 'work');
      fs.mkdirSync(root);
      const git = gitIn(root, folder);
      makeFolder(root, name, randoms[name], git);
      await withSidecar(
        async (running) => {
          const { secret, id } = await running.client.call('tokens.create', {
            name: 'limited',
            kind: 'agent',
            access: caller.access,
            paths: [...caller.paths],
          });
          await then({ name, running, root, token: secret, tokenId: id, git, random: randoms[name] });
        },
        {
          workspace: root,
          mayLogErrors: true,
          config: {
            'documents.saveIdleMs': '60',
            'git.name': 'T',
            'git.email': 't@example.org',
            'limits.requestsPerMinute': '1000000',
            'log.level': 'error',
          },
        },
      );
    });
  return open('A', (a) => open('B', (b) => run([a, b])));
}

/** All that lies outside of the prefixes, its times, modes and contents: a line each. Of what git keeps, what is of files outside. */
export function outsideOf({ root, git }: Side, prefixes: readonly string[]): string[] {
  const lines: string[] = [];
  const isAbove = (name: string): boolean => name === '' || prefixes.some((prefix) => prefix.startsWith(`${name}/`));
  const visit = (name: string): void => {
    if (name !== '' && withinPaths(prefixes, name)) return;
    // git writes its index and its objects; those are looked at below.
    if (
      name === secondNames.A ||
      name === secondNames.B ||
      name === '.git/index' ||
      name === '.git/objects' ||
      name === '.git/COMMIT_EDITMSG'
    )
      return;
    const at = path.join(root, name);
    const stat = fs.lstatSync(at);
    const isFolder = stat.isDirectory();
    const what = isFolder
      ? ''
      : stat.isSymbolicLink()
        ? fs.readlinkSync(at)
        : createHash('sha256').update(fs.readFileSync(at)).digest('hex');
    // Who may make what he is limited to changes the folder above.
    const times = isFolder && (isAbove(name) || name === '.git') ? '' : ` ${stat.mtimeMs}`;
    lines.push(`${name} ${stat.mode.toString(8)}${times} ${what}`);
    if (isFolder) for (const one of fs.readdirSync(at).sort()) visit(name === '' ? one : `${name}/${one}`);
  };
  visit('');
  for (const entry of git('ls-files', '--stage', '-z').split('\0'))
    if (entry !== '' && !withinPaths(prefixes, entry.slice(entry.indexOf('\t') + 1))) lines.push(`index ${entry}`);
  return lines;
}

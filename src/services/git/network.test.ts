import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { type GitServer, withGitServer } from '../../../test/kit/git-server.ts';
import { fails, type GitSetup, type GitWorld, isAlive, names, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { branches } from './branches.ts';
import { goOn } from './integrating.ts';
import { clone, fetch, pull, push } from './network.ts';
import type { Progress } from './parse-progress.ts';
import { remote, remotes } from './remotes.ts';

const user = 'ann';
const password = 'p@ss:w%rd "$(id)" é';
const credentials = { username: user, password };
const silent = { credentials: undefined, emit: () => {} };
const known = { credentials, emit: () => {} };
const simple = { tags: false, force: 'no' } as const;
const plain = { prune: false, tags: false };

interface Network extends GitWorld {
  server: GitServer;
  /** The bare repository that is served. */
  bare: string;
  url: string;
  /** Somebody else's clone of it. */
  other: string;
  /** Somebody else changes a file, commits and pushes. */
  elsewhere(name: string, content: string): string;
}

/** A repository on a server that asks for a user and a password, and an empty workspace. */
async function withNetwork(run: (world: Network) => Promise<void>, options: { guarded?: boolean } & GitSetup = {}): Promise<void> {
  await withRepository(
    async (world) => {
      const { folder, runIn } = world;
      const served = path.join(folder, 'served');
      const bare = path.join(served, 'team/r.git');
      const other = path.join(folder, 'other');
      fs.mkdirSync(path.dirname(bare), { recursive: true });
      runIn(folder, 'init', '-q', '--bare', bare);
      runIn(folder, 'clone', '-q', bare, other);
      const elsewhere = (name: string, content: string): string => {
        fs.writeFileSync(path.join(other, name), content);
        runIn(other, 'add', '--all');
        runIn(other, 'commit', '-qm', `elsewhere: ${name}`);
        runIn(other, 'push', '-q', 'origin', 'HEAD');
        return runIn(other, 'rev-parse', 'HEAD');
      };
      elsewhere('a', 'one\n');
      const guard = options.guarded === false ? {} : { user, password };
      await withGitServer(served, (server) => run({ ...world, server, bare, url: `${server.url}team/r.git`, other, elsewhere }), guard);
    },
    { init: false, ...options },
  );
}

/** Nothing below `folder` holds the secret, whether a name or a content. */
function holdsNoSecret(folder: string): void {
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    assert.ok(!file.includes(password));
    if (entry.isFile()) assert.ok(!fs.readFileSync(file, 'latin1').includes(Buffer.from(password).toString('latin1')), file);
  }
}

/** Arguments and environment of all programs that run. */
function allProcesses(): string {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') + fs.readFileSync(`/proc/${pid}/environ`, 'utf8');
      } catch {
        // It ended, or is not ours.
        return '';
      }
    })
    .join('\n');
}

describe('network', { skip: requireTool('git') }, () => {
  test('of ten thousand tags and more, a fetch tells no change of those behind the end of what it compares', () =>
    withNetwork(
      async ({ git, url, root, bare, runIn, elsewhere }) => {
        await clone(git, { url, path: '' }, silent);
        const tag = (number: number): string => `refs/tags/t${String(number).padStart(5, '0')}`;
        const head = runIn(root, 'rev-parse', 'HEAD');
        const packed = Array.from({ length: 10_000 }, (_, number) => `${head} ${tag(number)}\n`).join('');
        fs.writeFileSync(
          path.join(root, '.git/packed-refs'),
          `# pack-refs with: peeled fully-peeled sorted\n${head} refs/remotes/origin/main\n${packed}`,
        );
        // With it, what was the last one is not in the list any more.
        runIn(bare, 'update-ref', 'refs/tags/a', head);
        runIn(bare, 'update-ref', tag(99_999), head);
        const to = elsewhere('a', 'two\n');
        const { updated, truncated } = await fetch(git, { ...plain, tags: true }, silent);
        assert.deepEqual(updated, [
          { ref: 'refs/remotes/origin/main', from: head, to },
          { ref: 'refs/tags/a', from: null, to: head },
        ]);
        assert.equal(truncated, true);
      },
      { guarded: false },
    ));

  test('a clone with credentials tells how far it is, and the credentials are nowhere', async () => {
    await withNetwork(async ({ git, url, root, folder, server, other, runIn, elsewhere, file }) => {
      for (let at = 0; at < 29; at++) {
        fs.writeFileSync(path.join(other, `f${at}`), `${at}\n`);
        runIn(other, 'add', '--all');
        runIn(other, 'commit', '-qm', `elsewhere: f${at}`);
      }
      elsewhere('f29', '29\n');
      const items: Progress[] = [];
      const seen: string[] = [];
      const emit = (item: Progress): void => {
        items.push(item);
        seen.push(allProcesses());
      };
      // Programs are looked at while git waits for an answer: before it names the user, and after.
      const anonymous = server.hold();
      const cloned = clone(git, { url, path: '' }, { credentials, emit });
      await eventually(() => anonymous.waiting() > 0);
      seen.push(allProcesses());
      anonymous.release();
      const named = server.hold();
      await eventually(() => named.waiting() > 0);
      seen.push(allProcesses());
      named.release();
      const answer = await cloned;
      assert.deepEqual([answer.path, answer.branch, answer.head?.length], ['', 'main', 40]);
      assert.equal(file('a'), 'one\n');
      const received = items.filter(({ phase }) => phase === 'Receiving objects').at(-1);
      assert.deepEqual([received?.percent, received?.done], [100, received?.total]);
      assert.deepEqual(server.credentials, [`${user}:${password}`]);
      assert.ok(
        seen.some((all) => all.includes('git-remote-http') || all.includes('remote-http')),
        'programs were looked at while they ran',
      );
      for (const all of seen) assert.ok(!all.includes('p@ss') && !all.includes(Buffer.from(`${user}:${password}`).toString('base64')));
      holdsNoSecret(folder);
      assert.equal((await remotes(git))[0]?.fetchUrl, url);
      assert.deepEqual(fs.readdirSync(path.join(folder, 'credentials')), [], 'no socket is left');
      assert.ok(fs.existsSync(path.join(root, '.git')));
    });
  });

  test('without credentials, or with wrong ones, it ends at once and says what is missing', async () => {
    await withNetwork(async ({ git, url, root }) => {
      await assert.rejects(clone(git, { url, path: 'x' }, silent), fails('GIT_CREDENTIALS'));
      const wrong = { credentials: { username: user, password: 'wrong' }, emit: () => {} };
      await assert.rejects(clone(git, { url, path: 'x' }, wrong), (error: OutriggerError) => {
        assert.ok(fails('GIT_CREDENTIALS')(error));
        assert.doesNotMatch(`${error.message}${JSON.stringify(error.details)}`, /wrong/);
        return true;
      });
      const broken = { credentials: { username: user, password: 'a\nhost=evil.example' }, emit: () => {} };
      await assert.rejects(clone(git, { url, path: 'x' }, broken), fails('BAD_INPUT', /line break/));
      assert.deepEqual(fs.readdirSync(root), [], 'nothing is left of it');
    });
  });

  test('credentials are found for a host as the address has it, whatever its letters', async () => {
    await withNetwork(async ({ git, url }) => {
      assert.equal((await clone(git, { url: url.replace('127.0.0.1', 'LocalHost'), path: 'x' }, known)).branch, 'main');
    });
  });

  test('the socket of the credentials may lie anywhere, however long and odd the way there is', async () => {
    await withNetwork(async ({ make, folder, url }) => {
      const credentialFolder = path.join(folder, `it's "odd" $(id) ü`, 'x'.repeat(120));
      assert.equal((await clone(make({ credentialFolder }), { url, path: 'x' }, known)).branch, 'main');
      assert.deepEqual(fs.readdirSync(credentialFolder), []);
      assert.equal(fs.statSync(credentialFolder).mode & 0o077, 0, 'nobody else gets there');
    });
  });

  test('a redirect to another host does not get the credentials', async () => {
    await withNetwork(async ({ git, server, bare }) => {
      await withGitServer(
        path.dirname(path.dirname(bare)),
        async (first) => {
          // By another name, as another host would have.
          await assert.rejects(clone(git, { url: `${first.url}away/team/r.git`, path: 'x' }, known), fails('GIT_CREDENTIALS'));
          assert.deepEqual(server.credentials, []);
        },
        { away: () => server.url.replace('127.0.0.1', 'localhost') },
      );
    });
  });

  test('only addresses that run nothing and hold no secret are taken', async () => {
    await withNetwork(async ({ git, make, folder, bare, put, runIn, root }) => {
      const marker = path.join(folder, 'ran');
      const table: [string, string][] = [
        [`ext::touch ${marker}`, 'BAD_INPUT'],
        [`ext::sh -c touch%20${marker}`, 'BAD_INPUT'],
        ['fd::17', 'BAD_INPUT'],
        ['git://example.org/r.git', 'BAD_INPUT'],
        ['ftp://example.org/r.git', 'BAD_INPUT'],
        [`--upload-pack=touch ${marker}`, 'BAD_INPUT'],
        [`-oProxyCommand=touch ${marker}`, 'BAD_INPUT'],
        [`ssh://-oProxyCommand=touch${marker}/r`, 'BAD_INPUT'],
        [`-oProxyCommand=touch${marker}:r`, 'BAD_INPUT'],
        ['https://ann:pw@example.org/r.git', 'BAD_INPUT'],
        ['https://token@example.org/r.git', 'BAD_INPUT'],
        ['https://example.org/r.git\n', 'BAD_INPUT'],
        [bare, 'BAD_INPUT'],
        ['../served', 'BAD_INPUT'],
        [`file://${bare}`, 'FILE_PERMISSION'],
        [`file://${root}/../served/team/r.git`, 'FILE_PERMISSION'],
        ['file://host/x', 'BAD_INPUT'],
      ];
      for (const [url, reason] of table) {
        await assert.rejects(clone(git, { url, path: 'x' }, silent), fails(reason), url);
        assert.deepEqual(fs.readdirSync(root), []);
      }
      fs.symlinkSync(path.dirname(bare), path.join(root, 'link'));
      await assert.rejects(clone(git, { url: `file://${root}/link/r.git`, path: 'x' }, silent), fails('FILE_PERMISSION'));
      assert.equal((await clone(make({ fileRemotes: true }), { url: `file://${bare}`, path: 'x', depth: 1 }, silent)).branch, 'main');
      runIn(root, 'clone', '-q', '--bare', bare, path.join(root, 'inside.git'));
      assert.equal((await clone(git, { url: `file://${root}/inside.git`, path: 'y' }, silent)).branch, 'main');
      // What a config rewrites an address to is held to the same transports.
      put('z/a');
      runIn(path.join(root, 'z'), 'init', '-q');
      runIn(path.join(root, 'z'), 'config', `url.ext::touch ${marker}.insteadOf`, 'https://safe.example/');
      runIn(path.join(root, 'z'), 'remote', 'add', 'origin', 'https://safe.example/r');
      await assert.rejects(fetch(make({ root: path.join(root, 'z') }), plain, silent), fails('BAD_INPUT', /helper program/));
      assert.ok(!fs.existsSync(marker));
    });
  });

  test('what is refused outside of the workspace is refused alike, whether it is there or not', async () => {
    await withNetwork(
      async ({ git, folder, root, bare }) => {
        fs.writeFileSync(path.join(folder, 'a-file'), '');
        fs.symlinkSync(path.join(folder, 'a-file'), path.join(root, 'to-file'));
        fs.symlinkSync(path.join(folder, 'nothing'), path.join(root, 'to-nothing'));
        fs.symlinkSync('loop', path.join(root, 'loop'));
        fs.symlinkSync(path.dirname(bare), path.join(root, 'link'));
        const places = [
          ...['a-file', 'a-file/x', 'nothing', 'nothing/x', 'x'.repeat(300)].map((name) => path.join(folder, name)),
          ...['to-file', 'to-file/x', 'to-nothing', 'to-nothing/x', 'loop/x'].map((name) => path.join(root, name)),
          // Above a link, git is above where that leads.
          `${root}/link/../team/r.git`,
        ];
        for (const place of places)
          await assert.rejects(
            clone(git, { url: `file://${place}`, path: 'x' }, silent),
            fails('FILE_PERMISSION', /outside of the work/),
            place,
          );
      },
      { guarded: false },
    );
  });

  test('a clone into a place that can not be one is refused for what is in its way', async (t) => {
    await withNetwork(
      async ({ git, url, put, root }) => {
        put('file');
        fs.mkdirSync(path.join(root, 'closed'));
        fs.symlinkSync('loop', path.join(root, 'loop'));
        const into = (target: string): Promise<unknown> => clone(git, { url, path: target }, silent);
        await assert.rejects(into('file/x'), fails('NOT_A_DIRECTORY'));
        await assert.rejects(into('file/x/y'), fails('NOT_A_DIRECTORY'));
        await assert.rejects(into('x'.repeat(300)), fails('NAME_TOO_LONG'));
        await assert.rejects(into('loop/x'), fails('PATH_ESCAPES'));
        // As one who may do all, nobody would be refused.
        for (const [holder, name] of [
          [fs.realpathSync, 'native'],
          [fs, 'lstatSync'],
          [fs, 'readdirSync'],
        ] as const) {
          const real = (holder as unknown as Record<string, (...args: unknown[]) => unknown>)[name] as (...args: unknown[]) => unknown;
          t.mock.method(holder as typeof fs, name as 'lstatSync', (target: string, ...rest: unknown[]) => {
            if (String(target).includes('/closed/')) throw Object.assign(new Error('no'), { code: 'EACCES' });
            return real(target, ...rest);
          });
        }
        await assert.rejects(into('closed/x'), fails('FILE_PERMISSION'));
        t.mock.restoreAll();
      },
      { guarded: false },
    );
  });

  test('a clone goes into an empty or new folder of the workspace and nowhere else', async () => {
    await withNetwork(
      async ({ git, url, put, root, folder }) => {
        put('full/x');
        put('file');
        fs.mkdirSync(path.join(root, 'empty'));
        fs.symlinkSync(folder, path.join(root, 'out'));
        for (const [target, reason] of [
          ['full', 'NOT_EMPTY'],
          ['', 'NOT_EMPTY'],
          ['file', 'NOT_EMPTY'],
          ['out/x', 'PATH_ESCAPES'],
          ['out', 'PATH_ESCAPES'],
          ['empty/.git/x', 'BAD_INPUT'],
        ] as const)
          await assert.rejects(clone(git, { url, path: target }, silent), fails(reason), target);
        assert.equal((await clone(git, { url, path: 'empty' }, silent)).branch, 'main');
        assert.equal((await clone(git, { url, path: 'deep/ü $(id)', branch: 'main' }, silent)).path, 'deep/ü $(id)');
        assert.ok(fs.existsSync(path.join(root, 'deep/ü $(id)/a')));
        await assert.rejects(clone(git, { url, path: 'n', branch: 'nope' }, silent), fails('GIT_FAILED', /nope/));
        await assert.rejects(clone(git, { url, path: 'n', branch: '--upload-pack=x' }, silent), fails('BAD_INPUT'));
        await assert.rejects(clone(git, { url: url.replace('r.git', 'gone.git'), path: 'n' }, silent), fails('GIT_FAILED', /not found/));
      },
      { guarded: false },
    );
  });

  test('a conversation that hangs is ended when the call is, with all its programs, and keeps nobody from committing', async () => {
    await withNetwork(async ({ git, make, url, server, root, put, runIn }) => {
      const held = server.hold();
      const enough = new AbortController();
      const hanging = clone(git, { url, path: 'x' }, known, enough.signal);
      await eventually(() => held.waiting() > 0);
      const programs = (): number[] =>
        fs.readdirSync('/proc').flatMap((pid) => {
          try {
            return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(url) ? [Number(pid)] : [];
          } catch {
            return [];
          }
        });
      const running = programs();
      assert.ok(running.length > 0);
      put('own/a');
      runIn(path.join(root, 'own'), 'init', '-q');
      assert.deepEqual(await names(make({ root: path.join(root, 'own') })), ['- untracked a']);
      enough.abort(new OutriggerError('CANCELED', 'enough'));
      await assert.rejects(hanging, fails('CANCELED'));
      await eventually(() => running.every((pid) => !isAlive(pid)));
      await assert.rejects(clone(make({ networkTimeoutMs: 300 }), { url, path: 'y' }, known), fails('PROCESS_TIMEOUT'));
      held.release();
      await clone(git, { url, path: 'z' }, known);
    });
  });

  test('remotes are added, set, listed without secrets, and removed', async () => {
    await withRepository(async ({ git, run }) => {
      assert.deepEqual(await remote(git, { action: 'add', name: 'origin', url: 'git@example.org:team/r.git' }), { name: 'origin' });
      await remote(git, { action: 'set', name: 'origin', url: 'https://example.org/r.git' });
      run('remote', 'add', 'old', 'https://ann:s3cret@example.org/r.git');
      assert.deepEqual(await remotes(git), [
        { name: 'old', fetchUrl: 'https://[redacted]@example.org/r.git', pushUrl: 'https://[redacted]@example.org/r.git' },
        { name: 'origin', fetchUrl: 'https://example.org/r.git', pushUrl: 'https://example.org/r.git' },
      ]);
      await remote(git, { action: 'remove', name: 'old' });
      assert.equal(run('remote'), 'origin');
      await assert.rejects(
        remote(git, { action: 'add', name: 'x', url: 'https://ann:pw@example.org/r.git' }),
        fails('BAD_INPUT', /credentials/),
      );
      await assert.rejects(remote(git, { action: 'add', name: '--mirror', url: 'https://example.org/r' }), fails('BAD_INPUT'));
      await assert.rejects(remote(git, { action: 'add', name: 'x' }), fails('BAD_INPUT', /url/));
      await assert.rejects(fetch(git, { ...plain, remote: 'nope' }, silent), fails('GIT_FAILED', /no remote nope/));
    });
  });

  test('fetch says what is new and touches no file; pull fast-forwards, merges or rebases when asked', async () => {
    await withNetwork(async ({ make, url, root, elsewhere, runIn, other }) => {
      await clone(make({}), { url, path: 'w' }, known);
      const git = make({ root: path.join(root, 'w') });
      const here = (...args: string[]): string => runIn(path.join(root, 'w'), ...args);
      const first = here('rev-parse', 'HEAD');
      const second = elsewhere('a', 'two\n');
      runIn(other, 'tag', 'v1');
      runIn(other, 'push', '-q', 'origin', 'v1');
      const { remote: from, updated } = await fetch(git, plain, known);
      assert.equal(from, 'origin');
      assert.deepEqual(
        updated.toSorted((one, two) => (one.ref < two.ref ? -1 : 1)),
        [
          { ref: 'refs/remotes/origin/main', from: first, to: second },
          { ref: 'refs/tags/v1', from: null, to: second },
        ],
      );
      assert.deepEqual([await names(git), here('rev-parse', 'HEAD')], [[], first]);
      assert.equal((await branches(git, { remote: false, limit: 1 })).branches[0]?.behind, 1);
      assert.deepEqual((await pull(git, { strategy: 'ff-only' }, known)).outcome, 'done');
      assert.equal(here('rev-parse', 'HEAD'), second);
      assert.equal((await pull(git, { strategy: 'ff-only' }, known)).outcome, 'nothing');
      elsewhere('b', 'b\n');
      fs.writeFileSync(path.join(root, 'w/c'), 'c\n');
      here('add', '.');
      here('commit', '-qm', 'own');
      await assert.rejects(pull(git, { strategy: 'ff-only' }, known), fails('GIT_DIVERGED'));
      assert.equal((await pull(git, { strategy: 'rebase' }, known)).outcome, 'done');
      assert.equal(here('log', '--format=%s', '-2'), 'own\nelsewhere: b');
      elsewhere('c', 'theirs\n');
      const stopped = await pull(git, { strategy: 'merge' }, known);
      assert.deepEqual([stopped.outcome, stopped.conflicts], ['conflicts', [{ path: 'c', kind: 'both-added' }]]);
      fs.writeFileSync(path.join(root, 'w/c'), 'both\n');
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      runIn(other, 'push', '-q', 'origin', ':refs/tags/v1', 'HEAD:refs/heads/short');
      await fetch(git, plain, known);
      runIn(other, 'push', '-q', 'origin', ':refs/heads/short');
      assert.deepEqual(
        (await fetch(git, { ...plain, prune: true }, known)).updated.map(({ ref, to }) => [ref, to]),
        [['refs/remotes/origin/short', null]],
      );
    });
  });

  test('push sets the upstream once, is refused where the remote is ahead, and overwrites only with a lease that holds', async () => {
    await withNetwork(async ({ make, url, root, elsewhere, runIn, bare }) => {
      await clone(make({}), { url, path: 'w' }, known);
      const git = make({ root: path.join(root, 'w') });
      const here = (...args: string[]): string => runIn(path.join(root, 'w'), ...args);
      const change = (name: string): string => {
        fs.writeFileSync(path.join(root, 'w', name), name);
        here('add', '.');
        here('commit', '-qm', name);
        return here('rev-parse', 'HEAD');
      };
      here('checkout', '-qb', 'feature/x');
      const own = change('own');
      await assert.rejects(push(git, simple, silent), fails('GIT_CREDENTIALS'));
      assert.deepEqual(await push(git, simple, known), { remote: 'origin', branch: 'feature/x', outcome: 'done', upstreamSet: true });
      assert.equal(runIn(bare, 'rev-parse', 'feature/x'), own);
      assert.deepEqual(await push(git, simple, known), { remote: 'origin', branch: 'feature/x', outcome: 'nothing', upstreamSet: false });
      here('checkout', '-q', 'main');
      change('b');
      const theirs = elsewhere('c', 'c\n');
      await assert.rejects(push(git, simple, known), fails('GIT_DIVERGED'));
      // Nobody here has seen their commit yet, so the lease does not hold.
      await assert.rejects(push(git, { ...simple, force: 'lease' }, known), fails('GIT_DIVERGED'));
      assert.equal(runIn(bare, 'rev-parse', 'main'), theirs);
      await fetch(git, plain, known);
      assert.equal((await push(git, { ...simple, force: 'lease' }, known)).outcome, 'done');
      assert.equal(runIn(bare, 'rev-parse', 'main'), here('rev-parse', 'main'));
      await assert.rejects(push(git, { ...simple, branch: 'nope' }, known), fails('GIT_FAILED', /nope/));
      await assert.rejects(push(git, { ...simple, to: '--mirror' }, known), fails('BAD_INPUT'));
      here('checkout', '-q', '--detach');
      await assert.rejects(push(git, simple, known), fails('GIT_FAILED', /detached/));
    });
  });

  test('a branch that follows one of another name is pushed under its own, and to that one only by its name', async () => {
    await withRepository(async ({ make, put, save, run, runIn, folder }) => {
      const git = make({ fileRemotes: true });
      const bare = path.join(folder, 'bare.git');
      runIn(folder, 'init', '-q', '--bare', bare);
      run('remote', 'add', 'origin', `file://${bare}`);
      put('a');
      const base = save('base');
      await push(git, simple, silent);
      run('checkout', '-q', '-b', 'feature', '--track', 'origin/main');
      put('b');
      const own = save('own');
      assert.deepEqual(await push(git, simple, silent), { remote: 'origin', branch: 'feature', outcome: 'done', upstreamSet: true });
      assert.deepEqual([runIn(bare, 'rev-parse', 'main'), runIn(bare, 'rev-parse', 'feature')], [base, own]);
      assert.equal(run('rev-parse', '--abbrev-ref', '@{upstream}'), 'origin/feature');
      const named = await push(git, { ...simple, to: 'main' }, silent);
      assert.deepEqual(named, { remote: 'origin', branch: 'main', outcome: 'done', upstreamSet: false });
      assert.equal(runIn(bare, 'rev-parse', 'main'), own);
      assert.equal(run('rev-parse', '--abbrev-ref', '@{upstream}'), 'origin/feature');
    });
  });

  test('pull from a remote that is named takes what that one has, whatever the branch follows', async () => {
    await withRepository(async ({ make, put, save, run, runIn, folder, root }) => {
      const git = make({ fileRemotes: true });
      put('a');
      save('base');
      const ahead: Record<string, string> = {};
      for (const name of ['origin', 'fork']) {
        const [bare, clone] = [path.join(folder, `${name}.git`), path.join(folder, name)];
        runIn(folder, 'clone', '-q', '--bare', root, bare);
        run('remote', 'add', name, `file://${bare}`);
        runIn(folder, 'clone', '-q', bare, clone);
        runIn(clone, 'commit', '-q', '--allow-empty', '-m', `of ${name}`);
        runIn(clone, 'push', '-q');
        ahead[name] = runIn(clone, 'rev-parse', 'HEAD');
      }
      run('fetch', '-q', 'origin');
      run('branch', '-q', '--set-upstream-to=origin/main');
      const { remote: from, head } = await pull(git, { remote: 'fork', strategy: 'ff-only' }, silent);
      assert.deepEqual([from, head], ['fork', ahead['fork']]);
      run('reset', '-q', '--hard', 'HEAD~1');
      for (const given of [{ remote: 'origin' }, {}]) {
        assert.equal((await pull(git, { ...given, strategy: 'ff-only' }, silent)).head, ahead['origin']);
        run('reset', '-q', '--hard', 'HEAD~1');
      }
      // One that follows a branch of this repository goes on doing so, where no remote is named.
      run('branch', '-q', 'here', 'fork/main');
      run('branch', '-q', '--set-upstream-to=here');
      assert.equal((await pull(git, { strategy: 'ff-only' }, silent)).head, ahead['fork']);
      run('checkout', '-q', '-b', 'only-here', '--track', 'origin/main');
      await assert.rejects(pull(git, { remote: 'fork', strategy: 'ff-only' }, silent), fails('GIT_FAILED', /fork\/only-here/));
    });
  });

  test('a push that sends tags alone did something', async () => {
    await withRepository(async ({ make, put, save, run, runIn, folder }) => {
      const git = make({ fileRemotes: true });
      put('a');
      save('base');
      const bare = path.join(folder, 'bare.git');
      runIn(folder, 'init', '-q', '--bare', bare);
      run('remote', 'add', 'origin', `file://${bare}`);
      assert.equal((await push(git, simple, silent)).outcome, 'done');
      run('tag', '-a', '-m', 'v1', 'v1');
      assert.equal((await push(git, simple, silent)).outcome, 'nothing');
      assert.equal((await push(git, { ...simple, tags: true }, silent)).outcome, 'done');
      assert.equal(runIn(bare, 'tag'), 'v1');
      assert.equal((await push(git, { ...simple, tags: true }, silent)).outcome, 'nothing');
    });
  });

  test('a hook of ours that hangs or refuses ends the push with its words', async () => {
    await withNetwork(
      async ({ make, url, root, folder }) => {
        await clone(make({}), { url, path: 'w' }, silent);
        const hook = path.join(root, 'w/.git/hooks/pre-push');
        const pids = path.join(folder, 'pids');
        fs.writeFileSync(hook, `#!/bin/sh\nsleep 60 & echo $! > '${pids}'; wait\n`, { mode: 0o755 });
        const git = make({ root: path.join(root, 'w'), networkTimeoutMs: 700 });
        await assert.rejects(push(git, { ...simple, to: 'x' }, silent), fails('PROCESS_TIMEOUT'));
        await eventually(() => !isAlive(Number(fs.readFileSync(pids, 'utf8'))));
        fs.writeFileSync(hook, '#!/bin/sh\necho "error: not on a Friday" >&2; exit 1\n');
        await assert.rejects(
          push(make({ root: path.join(root, 'w') }), { ...simple, to: 'x' }, silent),
          fails('GIT_FAILED', /not on a Friday/),
        );
      },
      { guarded: false },
    );
  });

  test('ssh without a key or a known host ends at once and says so', { skip: requireTool('git') }, async () => {
    await withRepository(async ({ git, root, run }) => {
      // What git runs for ssh here says what the true one says, and that nobody can be asked.
      const script = path.join(root, '.git/ssh');
      fs.writeFileSync(script, '#!/bin/sh\n[ -t 0 ] || echo "git@example.org: Permission denied (publickey)." >&2\nexit 255\n', {
        mode: 0o755,
      });
      run('config', 'core.sshCommand', script);
      run('remote', 'add', 'origin', 'git@example.org:team/r.git');
      await assert.rejects(fetch(git, plain, silent), fails('GIT_CREDENTIALS'));
      await assert.rejects(fetch(git, plain, known), fails('BAD_INPUT', /ssh takes a key/));
    });
  });
});

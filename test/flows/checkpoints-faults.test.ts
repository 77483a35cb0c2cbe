import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../../src/client/client.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { createLog } from '../../src/sidecar/log.ts';
import { type Sidecar, startSidecar } from '../../src/sidecar/sidecar.ts';
import { agent, gitIn, goesThere, plain, putIn, withCheckpoints } from '../kit/checkpoint-runs.ts';
import { eventually } from '../kit/eventually.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { withSmallDisk } from '../kit/small-disk.ts';
import { fails } from '../kit/workspace-harness.ts';

const skip = requireTool('git');
const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('');
const ten = Array.from({ length: 10 }, (_, index) => `line ${index}`);

/** A sidecar on the folder and state of an earlier one. */
async function withBoot<T>(folder: string, work: (sidecar: Sidecar, client: Client<Operations>) => Promise<T>): Promise<T> {
  const { config, surroundings } = loadConfig({
    env: {},
    flags: {
      root: path.join(folder, 'root'),
      state: path.join(folder, 'state'),
      port: '0',
      components: ['files', 'documents', 'checkpoints'],
    },
  });
  const sidecar = await startSidecar({ config, surroundings, log: createLog(config, () => {}) });
  const client = createClient<Operations>({ url: sidecar.url, token: sidecar.token });
  try {
    await sidecar.ready;
    return await work(sidecar, client);
  } finally {
    client.close();
    await sidecar.stop();
  }
}

test('checkpoints outlive a restart, and a run that was cut short is taken back, what others wrote meanwhile told apart by the journal (long form)', {
  skip,
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-checkpoint-restart-'));
  const root = path.join(folder, 'root');
  const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
  try {
    for (const name of ['run.txt', 'person.txt', 'both.txt']) putIn(root, name, lines(...ten));
    gitIn(root, 'init', '--quiet');
    const first = await withBoot(folder, async ({ runHooks }, client) => {
      const made = await client.call('checkpoints.create', { title: 'first' });
      await runHooks?.before({ id: 'cut', title: 'cut short', cause: agent });
      putIn(root, 'run.txt', 'RUN\n');
      putIn(root, 'both.txt', lines('RUN', ...ten));
      await client.call('files.write', { path: 'person.txt', text: 'a person\n' });
      await eventually(async () => {
        await client.call('files.edit', { path: 'both.txt', edits: [{ find: 'line 9', replace: 'a person' }] });
      });
      return made.id;
    });
    // The index lock of a git that was killed, and a ref that no row names.
    const tree = gitIn(root, 'for-each-ref', '--format=%(objectname)').split('\n')[0] ?? '';
    const store = path.dirname(gitIn(root, 'for-each-ref', '--format=%(refname)').split('\n')[0] ?? '');
    gitIn(root, 'update-ref', `${store}/${gitIn(root, 'hash-object', '-t', 'tree', '-w', '/dev/null').trim()}`, tree);
    fs.writeFileSync(path.join(folder, 'state/checkpoints.git/index.lock'), '');
    putIn(root, 'made while nobody looked.txt', 'outside\n');
    await withBoot(folder, async (_sidecar, client) => {
      const dry = await client.call('checkpoints.revert', { run: 'cut', dryRun: true });
      assert.deepEqual(
        dry.shared.map((clash) => [clash.path, clash.kind]),
        [['both.txt', 'file']],
      );
      await client.call('checkpoints.revert', { run: 'cut', shared: 'keep' });
      assert.equal(read('run.txt'), lines(...ten));
      assert.equal(read('person.txt'), 'a person\n');
      assert.match(read('both.txt'), /RUN[^]*a person/);
      await client.call('checkpoints.restore', { id: first });
      assert.equal(read('both.txt'), lines(...ten));
      const kept = gitIn(root, 'for-each-ref', '--format=%(refname)').trim().split('\n');
      assert.ok(kept.every((name) => !name.endsWith('4b825dc642cb6eb9a060e54bf8d69288fbee4904')));
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a run that was cut short ends with the next start: what comes then, before anybody asks, is not of the run', { skip }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-checkpoint-cut-'));
  const root = path.join(folder, 'root');
  try {
    putIn(root, 'run.txt', 'before\n');
    await withBoot(folder, async ({ runHooks }) => {
      await runHooks?.before({ id: 'cut', title: 'cut short', cause: agent });
      putIn(root, 'run.txt', 'RUN\n');
    });
    await withBoot(folder, async (_sidecar, client) => {
      await eventually(async () => {
        const { checkpoints } = await client.call('checkpoints.list', {});
        assert.deepEqual(
          checkpoints.map(({ point }) => point),
          ['after', 'before'],
        );
      });
      putIn(root, 'by an editor.txt', 'later\n');
      await client.call('checkpoints.revert', { run: 'cut' });
      assert.equal(fs.readFileSync(path.join(root, 'run.txt'), 'utf8'), 'before\n');
      assert.ok(fs.existsSync(path.join(root, 'by an editor.txt')));
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

for (const where of ['in its repository', 'beside its state'])
  test(`a folder that was moved with its state keeps its checkpoints ${where}, and a copy has its own${where === 'beside its state' ? '' : ' (long form)'}`, {
    skip,
  }, async () => {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-checkpoint-moved-'));
    const at = (name: string): string => path.join(scratch, name);
    const inRepository = where === 'in its repository';
    const refs = (name: string): string => (inRepository ? gitIn(at(`${name}/root`), 'for-each-ref') : '');
    /** Has these checkpoints, goes back to the first of them, and has one more then. */
    const goesOn = (name: string, had: string[], title: string): Promise<void> =>
      withBoot(at(name), async (_sidecar, client) => {
        const made = async () => (await client.call('checkpoints.list', {})).checkpoints.filter(({ point }) => point === 'made');
        const titles = async () => (await made()).map((one) => one.title);
        // A look at the folder finds where it is now.
        await client.call('checkpoints.diff', { id: (await made())[0]?.id ?? 1 }).catch(() => {});
        assert.deepEqual(await titles(), had);
        const [first] = (await made()).slice(-1);
        if (first !== undefined) {
          await client.call('checkpoints.restore', { id: first.id });
          assert.equal(fs.readFileSync(at(`${name}/root/a.txt`), 'utf8'), first.title);
        }
        putIn(at(`${name}/root`), 'a.txt', title);
        await client.call('checkpoints.create', { title });
        assert.deepEqual(await titles(), [title, ...had]);
      });
    try {
      putIn(at('first/root'), 'a.txt', 'none yet');
      if (inRepository) gitIn(at('first/root'), 'init', '--quiet');
      await goesOn('first', [], 'one');
      await goesOn('first', ['one'], 'two');
      for (const copy of ['copy', 'bare']) fs.cpSync(at('first'), at(copy), { recursive: true });
      fs.rmSync(at('bare/root/.git'), { recursive: true, force: true });
      const before = refs('first');
      await goesOn('copy', ['two', 'one'], 'copied');
      await goesOn('bare', inRepository ? [] : ['two', 'one'], 'bare');
      assert.equal(refs('first'), before);
      fs.renameSync(at('first'), at('moved'));
      await goesOn('moved', ['two', 'one'], 'three');
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  });

test('a copy in the same repository begins anew, and the checkpoints of the folder that it was copied from stay (long form)', {
  skip,
}, async () => {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-checkpoint-copy-'));
  const at = (name: string): string => path.join(scratch, name);
  const create = (name: string, title: string): Promise<void> =>
    withBoot(at(name), async (_sidecar, client) => {
      putIn(at(`${name}/root`), 'a.txt', title);
      await client.call('checkpoints.create', { title });
    });
  try {
    putIn(at('first/root'), 'a.txt', 'none yet');
    gitIn(scratch, 'init', '--quiet');
    await create('first', 'one');
    fs.cpSync(at('first'), at('copy'), { recursive: true });
    await create('first', 'two');
    await create('copy', 'copied');
    gitIn(scratch, 'gc', '--quiet', '--prune=now');
    for (const [name, titles] of [
      ['first', ['two', 'one']],
      ['copy', ['copied']],
    ] as const)
      await withBoot(at(name), async (_sidecar, client) => {
        const { checkpoints } = await client.call('checkpoints.list', {});
        assert.deepEqual(
          checkpoints.map(({ title }) => title),
          titles,
        );
        for (const { id, title } of checkpoints) {
          putIn(at(`${name}/root`), 'a.txt', 'another');
          await client.call('checkpoints.restore', { id });
          assert.equal(fs.readFileSync(at(`${name}/root/a.txt`), 'utf8'), title);
        }
      });
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
});

test(
  'where git can’t drop what no checkpoint names, checkpoints are made all the same, and it is dropped when it can (long form)',
  { skip },
  () =>
    withCheckpoints({ files: plain, config: { 'checkpoints.keep': '2' }, mayLogErrors: true }, async ({ client, root, put, git, file }) => {
      const refs = (): number => git('for-each-ref', '--format=%(refname)', 'refs/outrigger').split('\n').filter(Boolean).length;
      const lock = path.join(root, '.git/packed-refs.lock');
      fs.writeFileSync(lock, '');
      for (const text of ['1', '2', '3', '4']) {
        put('a.txt', text);
        await client.call('checkpoints.create', { title: text });
      }
      const { checkpoints } = await client.call('checkpoints.list', {});
      assert.deepEqual(
        checkpoints.map(({ title }) => title),
        ['4', '3'],
      );
      assert.ok(refs() > 2);
      await client.call('checkpoints.restore', { id: checkpoints[1]?.id ?? 0 });
      assert.equal(file('a.txt'), '3');
      fs.rmSync(lock);
      put('a.txt', '5');
      await client.call('checkpoints.create', { title: '5' });
      assert.equal(refs(), 2);
    }),
);

test('when the repository is made anew, the checkpoints that went with it are forgotten and new ones are made', { skip }, () =>
  withCheckpoints({ files: plain }, async (runs) => {
    await runs.client.call('checkpoints.create', { title: 'lost' });
    runs.remove('.git');
    runs.git('init', '--quiet');
    runs.put('c.txt', 'c\n');
    const made = await runs.client.call('checkpoints.create', { title: 'new' });
    await fails('CHECKPOINT_LOST', () => runs.client.call('checkpoints.diff', { id: made.id }));
    await runs.run('1', () => runs.put('a.txt', 'RUN\n'));
    await runs.client.call('checkpoints.revert', { run: '1' });
    assert.equal(runs.file('a.txt'), 'a\n');
  }),
);

test('where the index of the store is damaged, it is made anew, and the checkpoints before it are there', { skip }, () =>
  withCheckpoints({ files: plain }, async (runs) => {
    const { client } = runs;
    const first = await client.call('checkpoints.create', { title: 'first' });
    const index = path.join(runs.stateFolder, 'checkpoints.git', 'index');
    const whole = fs.readFileSync(index);
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, whole.length / 2), Buffer.alloc(5000, 'x')]) {
      fs.writeFileSync(index, damaged);
      runs.put('c.txt', `${damaged.length}\n`);
      const made = await client.call('checkpoints.create', { title: 'after' });
      runs.put('c.txt', 'later\n');
      await client.call('checkpoints.restore', { id: made.id });
      assert.equal(runs.file('c.txt'), `${damaged.length}\n`);
    }
    fs.writeFileSync(index, '');
    await runs.run('1', () => runs.put('a.txt', 'RUN\n'));
    await client.call('checkpoints.revert', { run: '1' });
    assert.equal(runs.file('a.txt'), 'a\n');
    await client.call('checkpoints.restore', { id: first.id });
    assert.ok(!runs.has('c.txt'));
  }),
);

for (const [was, is] of [
  ['sha1', 'sha256'],
  ['sha256', 'sha1'],
] as const)
  test(`when a repository of ${was} is made anew with ${is}, or removed, checkpoints begin again (long form)`, { skip }, () =>
    withCheckpoints({ repository: 'none' }, async ({ client, git, remove, put, file }) => {
      const anew = (format: string): void => {
        remove('.git');
        git('init', '--quiet', `--object-format=${format}`);
      };
      git('init', '--quiet', `--object-format=${was}`);
      put('d/a.txt', 'a\n');
      const lost = await client.call('checkpoints.create', { title: 'lost' });
      for (const again of [() => anew(is), () => anew(was), () => remove('.git')]) {
        again();
        put('d/a.txt', 'a\n');
        const { id } = await client.call('checkpoints.create', { title: 'new' });
        put('d/a.txt', 'b\n');
        await client.call('checkpoints.restore', { id });
        assert.equal(file('d/a.txt'), 'a\n');
        await fails('NO_CHECKPOINT', () => client.call('checkpoints.restore', { id: lost.id }));
      }
    }),
  );

test('of a repository that was put aside and is back, or was moved, no ref of ours is left that no checkpoint names', { skip }, () =>
  withCheckpoints({ files: plain }, async ({ client, root, put, git }) => {
    const refs = (): string[] => git('for-each-ref', '--format=%(refname)', 'refs/outrigger').split('\n').filter(Boolean);
    for (const text of ['one\n', 'two\n']) {
      put('a.txt', text);
      await client.call('checkpoints.create', { title: text });
    }
    assert.equal(refs().length, 2);
    // Its refs go with it, and are found again by their name.
    git('init', '--quiet', '--separate-git-dir', path.join(root, '../moved'));
    put('a.txt', 'three\n');
    const { id } = await client.call('checkpoints.create', { title: 'moved' });
    assert.deepEqual([refs().length, (await client.call('checkpoints.list', {})).checkpoints.length], [1, 1]);
    await client.call('checkpoints.diff', { id });
    fs.renameSync(path.join(root, '../moved'), path.join(root, '../aside'));
    await client.call('checkpoints.create', { title: 'meanwhile' });
    fs.renameSync(path.join(root, '../aside'), path.join(root, '../moved'));
    assert.equal(refs().length, 1);
    await client.call('checkpoints.create', { title: 'after' });
    assert.deepEqual(refs(), []);
    const again = await client.call('checkpoints.create', { title: 'again' });
    put('a.txt', 'other\n');
    assert.equal((await client.call('checkpoints.restore', { id: again.id })).changed, true);
  }),
);

test('without git it is said what is missing, and runs start all the same', { skip }, async () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  await withCheckpoints({ repository: 'none', files: plain }, async ({ client, sidecar }) => {
    await fails('TOOL_MISSING', () => client.call('checkpoints.create', { title: 'x' }));
    const run = { id: '1', title: 'x', cause: agent };
    await assert.rejects(async () => sidecar.runHooks?.before(run), /git/);
    await sidecar.runHooks?.after(run);
    assert.deepEqual((await client.call('checkpoints.list', {})).checkpoints, []);
    const health = await client.call('system.health', {});
    assert.match(health.checks.find(({ name }) => name === 'checkpoints')?.text ?? '', /git is not on this machine/);
  }).finally(() => {
    process.env['PATH'] = PATH;
  });
});

test(
  'a repository of another user is left alone: checkpoints are kept beside the state (long form)',
  {
    skip: skip || (process.getuid?.() !== 0 && 'only root can give a folder to another user'),
  },
  () =>
    withCheckpoints(
      {
        files: plain,
        prepare: (root) => {
          for (const name of ['.git', '.']) fs.chownSync(path.join(root, name), 65_534, 65_534);
        },
      },
      async (runs) => {
        await goesThere(runs);
        const health = await runs.client.call('system.health', {});
        assert.match(health.checks.find(({ name }) => name === 'checkpoints')?.text ?? '', /another user/);
        fs.chownSync(path.join(runs.root, '.git'), 0, 0);
        fs.chownSync(runs.root, 0, 0);
        assert.equal(runs.git('for-each-ref', 'refs/outrigger'), '');
      },
    ),
);

test('a full disk fails a checkpoint, the run goes on, and there is room again after it', { skip }, (context) =>
  withSmallDisk(context, 4096, async (at) => {
    await withCheckpoints(
      {
        config: { root: path.join(at, 'work') },
        repository: 'none',
        prepare: () => {
          fs.mkdirSync(path.join(at, 'work'));
          gitIn(path.join(at, 'work'), 'init', '--quiet');
          putIn(at, 'work/a.txt', 'a\n');
        },
        mayLogErrors: true,
      },
      async ({ client, sidecar }) => {
        const made = await client.call('checkpoints.create', { title: 'before' });
        const work = path.join(at, 'work');
        putIn(work, 'b.txt', randomBytes(600_000));
        const free = fs.statfsSync(at);
        fs.writeFileSync(path.join(at, 'fill'), Buffer.alloc(Math.max(0, free.bavail * free.bsize - 65_536), 1));
        const run = { id: '1', title: 'x', cause: agent };
        await assert.rejects(async () => sidecar.runHooks?.before(run), { reason: 'DISK_FULL' });
        putIn(work, 'a.txt', 'RUN\n');
        await sidecar.runHooks?.after(run);
        assert.equal((await client.call('checkpoints.list', {})).checkpoints.length, 1);
        fs.rmSync(path.join(at, 'fill'));
        assert.equal(gitIn(work, 'fsck', '--full', '--strict').replaceAll(/^dangling.*\n/gm, ''), '');
        const later = await client.call('checkpoints.create', { title: 'later' });
        const { files } = await client.call('checkpoints.diff', { id: later.id, against: made.id });
        assert.deepEqual(
          files.map(({ path: where }) => where),
          ['a.txt', 'b.txt'],
        );
      },
    );
  }),
);

test('who may only read looks at checkpoints, who may write makes and restores them, who is limited to paths does neither', { skip }, () =>
  withCheckpoints({ files: plain }, async ({ client, clientOf, run, put }) => {
    await run('1', () => put('a.txt', 'RUN\n'));
    const reader = clientOf((await client.call('tokens.create', { name: 'r', access: 'read' })).secret);
    const limited = clientOf((await client.call('tokens.create', { name: 'l', access: 'write', paths: ['a.txt'] })).secret);
    const id = (await reader.call('checkpoints.list', {})).checkpoints[0]?.id ?? 0;
    assert.equal((await reader.call('checkpoints.diff', { id })).fileCount, 1);
    await fails('ACCESS_DENIED', () => reader.call('checkpoints.create', { title: 'x' }));
    await fails('ACCESS_DENIED', () => reader.call('checkpoints.restore', { id }));
    await fails('ACCESS_DENIED', () => reader.call('checkpoints.revert', { run: '1' }));
    await fails('OUT_OF_SCOPE', () => limited.call('checkpoints.list', {}));
    await fails('OUT_OF_SCOPE', () => limited.call('checkpoints.revert', { run: '1' }));
    await fails('NO_CHECKPOINT', () => client.call('checkpoints.revert', { run: 'unknown' }));
  }),
);

test('a run that has not ended is not taken back, and runs at the same time say so of each other', { skip }, () =>
  withCheckpoints({ files: plain }, async ({ client, run, put, file }) => {
    await run('outer', async () => {
      await fails('RUN_UNDER_WAY', () => client.call('checkpoints.revert', { run: 'outer' }));
      await run('inner', () => put('a.txt', 'RUN\n'));
      await client.call('checkpoints.revert', { run: 'inner' });
      assert.equal(file('a.txt'), 'a\n');
    });
    assert.equal((await client.call('checkpoints.revert', { run: 'outer' })).changed, false);
  }),
);

test('kill -9 among checkpoints and runs: the next start has each that was answered, whole, and goes on', {
  skip,
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-checkpoint-kill-'));
  const options = {
    root: path.join(folder, 'root'),
    state: path.join(folder, 'state'),
    port: 0,
    flags: { components: 'files,checkpoints' },
  };
  for (let index = 0; index < 200; index++) putIn(options.root, `d${index % 10}/${index}.txt`, `${index}\n`);
  gitIn(options.root, 'init', '--quiet');
  const random = new Random(testSeed());
  let running = await spawnSidecar(options);
  try {
    let answered = 0;
    for (let round = 0; round < 2; round++) {
      const client = createClient<Operations>({ url: running.url, token: processToken, webSocket: undefined });
      // However slow the machine is: the first one is answered before the kill, the other round may be killed before any is.
      const first = Promise.withResolvers<void>();
      if (round > 0) first.resolve();
      const killed = first.promise.then(() => sleep(100 + random.below(400))).then(() => running.kill());
      for (let alive = true; alive; ) {
        putIn(options.root, `d1/${random.below(200)}.txt`, randomBytes(2000));
        await client.call('checkpoints.create', { title: `${answered + 1}` }).then(
          () => {
            answered++;
            first.resolve();
          },
          (error: unknown) => {
            first.resolve();
            assert.equal((error as { reason?: string }).reason, 'CONNECTION_LOST', String(error));
            alive = false;
          },
        );
      }
      await killed;
      client.close();
      running = await spawnSidecar(options);
      const next = createClient<Operations>({ url: running.url, token: processToken, webSocket: undefined });
      await next.call('checkpoints.create', { title: 'after' });
      const { checkpoints } = await next.call('checkpoints.list', { limit: 1000 });
      for (let title = 1; title <= answered; title++)
        assert.ok(
          checkpoints.some((one) => one.title === `${title}`),
          `${title} is gone`,
        );
      for (const { id } of checkpoints.slice(0, 5)) await next.call('checkpoints.diff', { id });
      const refs = gitIn(options.root, 'for-each-ref', '--format=%(objectname)', 'refs/outrigger').trim().split('\n');
      assert.ok(refs.length <= checkpoints.length, 'a ref is left that no checkpoint names');
      assert.doesNotMatch(gitIn(options.root, 'fsck', '--full'), /missing|broken|error/);
      next.close();
    }
    assert.ok(answered > 0);
  } finally {
    await running.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('what a program did that was started with a checkpoint is taken back by its id', { skip }, () =>
  withCheckpoints({ files: plain, config: { components: ['files', 'checkpoints', 'processes'] } }, async ({ client, file, has }) => {
    const script =
      "const fs = require('fs'); fs.writeFileSync('a.txt', 'RUN\\n'); fs.mkdirSync('out'); fs.writeFileSync('out/made.txt', '')";
    const { process: started } = await client.call('processes.start', { argv: [process.execPath, '-e', script], checkpoint: true });
    const { id } = started;
    await eventually(async () => assert.equal((await client.call('checkpoints.list', { run: id })).checkpoints.length, 2));
    assert.equal(file('a.txt'), 'RUN\n');
    await client.call('checkpoints.revert', { run: id });
    assert.deepEqual([file('a.txt'), has('out')], ['a\n', false]);
  }),
);

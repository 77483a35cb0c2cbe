import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { child, eventually, sha256, withWatch } from '../../../test/kit/watch-harness.ts';

test('a renamed file is one report with its old name', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    write('old.txt', 'content');
    await watch.barrier();
    reports.length = 0;
    fs.renameSync(at('old.txt'), at('new.txt'));
    await exact();
    assert.deepEqual(
      reports.map((report) => [report.what, report.path, report.from, report.hash]),
      [['present', 'new.txt', 'old.txt', sha256('content')]],
    );
  });
});

test('a renamed file is told with the folder in which it stood then', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    write('old.txt', 'content');
    fs.mkdirSync(at('in/it'), { recursive: true });
    await watch.barrier();
    reports.length = 0;
    fs.renameSync(at('old.txt'), at('in/it/new.txt'));
    await watch.barrier();
    const { ino } = fs.statSync(at('in/it'));
    fs.renameSync(at('in/it/new.txt'), at('top.txt'));
    await exact();
    assert.deepEqual(
      reports.map((report) => [report.path, report.from, report.folderIno]),
      [
        ['in/it/new.txt', 'old.txt', ino],
        ['top.txt', 'in/it/new.txt', undefined],
      ],
    );
  });
});

test('files that move on are told so before the folder that they were in is told to be gone', async () => {
  const names = Array.from({ length: 600 }, (_, number) => `${number}`);
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    fs.mkdirSync(at('old/in'), { recursive: true });
    for (const name of names) write(`old/in/${name}`, name);
    await watch.barrier();
    reports.length = 0;
    watch.stallForTest(300);
    fs.mkdirSync(at('new'));
    for (const name of names) fs.renameSync(at(`old/in/${name}`), at(`new/${name}`));
    fs.rmSync(at('old'), { recursive: true });
    await exact();
    const told = reports.map(({ what, path: name, from }) => `${what} ${name} ${from}`);
    assert.equal(reports.filter(({ from }) => from?.startsWith('old/in/')).length, 600);
    assert.deepEqual(told.slice(-2), ['removed old/in undefined', 'removed old undefined']);
  });
});

test('a file that is written and renamed at once is one report with its old name', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    write('old.txt', 'first');
    await watch.barrier();
    reports.length = 0;
    watch.stallForTest(100);
    write('old.txt', 'again');
    fs.renameSync(at('old.txt'), at('new.txt'));
    await exact();
    assert.deepEqual(
      reports.map((report) => [report.what, report.path, report.from, report.hash]),
      [['present', 'new.txt', 'old.txt', sha256('again')]],
    );
  });
});

test('a file that is written to another length and renamed at once is one report with its old name', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    write('old.txt', 'first');
    await watch.barrier();
    reports.length = 0;
    watch.stallForTest(100);
    write('old.txt', 'first, and much more of it');
    fs.renameSync(at('old.txt'), at('new.txt'));
    await exact();
    assert.deepEqual(
      reports.map((report) => [report.what, report.path, report.from, report.hash]),
      [['present', 'new.txt', 'old.txt', sha256('first, and much more of it')]],
    );
  });
});

test('a new file that was given the inode of one that was removed is no rename of it, also where both are of one size (long form)', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    for (let round = 0; round < 5; round++) {
      const [gone, other] = [`gone-${round}.txt`, `other-${round}.txt`];
      write(gone, 'colour = red');
      await watch.barrier();
      const { ino } = fs.statSync(at(gone));
      reports.length = 0;
      watch.stallForTest(100);
      fs.unlinkSync(at(gone));
      write(other, 'weight = 12k');
      await exact();
      // Of what else happens on this disk, another file may have been given it.
      if (fs.statSync(at(other)).ino !== ino) continue;
      assert.deepEqual(reports.map(({ what, path: name, from }) => `${what} ${name} ${from}`).sort(), [
        `present ${other} undefined`,
        `removed ${gone} undefined`,
      ]);
    }
  });
});

test('a file that is renamed and whose old name is taken again loses neither', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    write('a', 'first');
    await watch.barrier();
    fs.renameSync(at('a'), at('b'));
    write('a', 'second');
    await exact();
    fs.renameSync(at('a'), at('swap'));
    fs.renameSync(at('b'), at('a'));
    fs.renameSync(at('swap'), at('b'));
    await exact();
    assert.equal(reports.at(-1)?.offline, false);
  });
});

test('a renamed folder is one report, and what changed inside meanwhile is reported too', async () => {
  await withWatch(
    {},
    async ({ reports, at, exact }) => {
      fs.renameSync(at('tree'), at('moved'));
      fs.appendFileSync(at('moved/a/1.txt'), 'appended at once');
      fs.writeFileSync(at('moved/b/new.txt'), 'new');
      await exact();
      assert.deepEqual(
        reports.map((report) => [report.path, report.from]),
        [['moved', 'tree'], ...reports.slice(1).map((report) => [report.path, undefined])],
      );
      assert.deepEqual(
        reports
          .slice(1)
          .map((report) => report.path)
          .sort(),
        ['moved/a/1.txt', 'moved/b/new.txt'],
      );
      // Its watches have gone with it.
      fs.writeFileSync(at('moved/a/2.txt'), 'later');
      await exact();
    },
    (root) => {
      for (const name of ['a', 'b', 'c/d']) {
        fs.mkdirSync(path.join(root, 'tree', name), { recursive: true });
        for (let index = 0; index < 5; index++) fs.writeFileSync(path.join(root, 'tree', name, `${index}.txt`), `${name} ${index}`);
      }
    },
  );
});

test('a file that goes into a folder, out of it or past it, while that is renamed too, is one report with its old name', async () => {
  for (const [from, to, now] of [
    ['y', 'e/f/b', 't/f/b'],
    ['e/f/x', 't/x', 't/x'],
    ['e/f/x', 'x', 'x'],
    ['y', 't/b', 't/b'],
  ] as const) {
    await withWatch(
      {},
      async ({ watch, at, reports, exact }) => {
        // Which file it is, is known when it was looked at.
        await watch.barrier();
        watch.stallForTest(100);
        await new Promise((resolve) => setTimeout(resolve, 30));
        fs.renameSync(at(from), at(to));
        fs.renameSync(at('e/f'), at('t/f'));
        await exact();
        const told = reports.map((report) => `${report.what} ${report.from ?? ''} > ${report.path}`);
        const left = from.startsWith('e/f/') ? from.replace('e/f', 't/f') : from;
        const moves = [`present e/f > t/f`, `present ${left} > ${now}`];
        const before = [`present ${from} > ${to}`, `present e/f > t/f`];
        assert.ok(
          [moves, before].some((order) => order.join() === told.join()),
          told.join(),
        );
      },
      (root) => {
        for (const folder of ['e/f', 't']) fs.mkdirSync(path.join(root, folder), { recursive: true });
        for (const file of ['y', 'e/f/x']) fs.writeFileSync(path.join(root, file), file);
      },
    );
  }
});

test('trees that are renamed over and over, with appends at once, end up exact', async () => {
  await withWatch({}, async ({ at, exact }) => {
    fs.mkdirSync(at('t0/a/b'), { recursive: true });
    for (let index = 0; index < 30; index++) {
      fs.writeFileSync(at(`t${index}/a/b/f${index % 5}`), `${index}`);
      fs.renameSync(at(`t${index}`), at(`t${index + 1}`));
      fs.appendFileSync(at(`t${index + 1}/a/b/f${index % 5}`), 'more');
      if (index % 3 === 0) fs.mkdirSync(at(`t${index}/a/b`), { recursive: true });
      if (index % 3 === 0) fs.rmSync(at(`t${index + 1}/a`), { recursive: true });
      if (index % 3 === 0) fs.renameSync(at(`t${index}/a`), at(`t${index + 1}/a`));
      if (index % 7 === 0) await exact(`round ${index}`);
    }
    await exact();
  });
});

test('three processes that race to make and rename the same folders lose nothing', async () => {
  await withWatch({}, async ({ root, exact }) => {
    const script = `
      const fs = require('node:fs'), [root, id] = process.argv.slice(1);
      for (let i = 0; i < 50; i++) {
        try { fs.mkdirSync(root + '/p/' + i + '/q/r/s', { recursive: true }); } catch {}
        try { fs.writeFileSync(root + '/p/' + i + '/q/r/s/' + id, id + i); } catch {}
        try { if (i % 5 === 0) fs.renameSync(root + '/p/' + i + '/q', root + '/p/' + i + '/q' + id); } catch {}
      }`;
    await Promise.all(['a', 'b', 'c'].map((id) => child(script, root, id)));
    await exact();
  });
});

test('a file that came back to where it was last told to be, and goes on, is told to have come from there', async () => {
  await withWatch(
    {},
    async ({ reports, write, at, watch, exact }) => {
      await watch.barrier();
      write('.git/index.lock', '');
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
        ['a', 'c'],
      ] as const) {
        fs.renameSync(at(from), at(to));
        // Seen, and not told while git holds its lock.
        await watch.barrier(['elsewhere']);
        assert.equal(reports.length, 0);
      }
      fs.rmSync(at('.git/index.lock'));
      await exact();
      assert.deepEqual(
        reports.map(({ path: where, what, from }) => [where, what, from]),
        [['c', 'present', 'a']],
      );
    },
    (root) => {
      fs.mkdirSync(path.join(root, '.git'));
      fs.writeFileSync(path.join(root, 'a'), 'text');
    },
  );
});

test('a file that is written where it came by a rename which waits to be told is told once, with its old name', async () => {
  await withWatch(
    {},
    async ({ reports, write, at, watch, exact }) => {
      await watch.barrier();
      write('.git/index.lock', '');
      fs.renameSync(at('a'), at('b'));
      // Seen, and not told while git holds its lock.
      await watch.barrier(['elsewhere']);
      fs.appendFileSync(at('b'), ', and more');
      await watch.barrier(['elsewhere']);
      assert.equal(reports.length, 0);
      fs.rmSync(at('.git/index.lock'));
      await exact();
      assert.deepEqual(
        reports.map(({ path: where, what, from, hash }) => [where, what, from, hash]),
        [['b', 'present', 'a', sha256('text, and more')]],
      );
    },
    (root) => {
      fs.mkdirSync(path.join(root, '.git'));
      fs.writeFileSync(path.join(root, 'a'), 'text');
    },
  );
});

test('a file that is asked for at the place that it was told to have left is told once more to have moved', async () => {
  await withWatch({}, async ({ reports, write, at, watch, exact }) => {
    write('a', 'text');
    await watch.barrier();
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'c'],
    ] as const) {
      fs.renameSync(at(from), at(to));
      await watch.barrier();
    }
    reports.length = 0;
    watch.recheck(['a']);
    await exact();
    assert.deepEqual(
      reports.map(({ what, path: name, from, hash }) => [what, name, from, hash]),
      [['present', 'c', 'a', sha256('text')]],
    );
    // Once it is gone, that is what there is to tell.
    fs.rmSync(at('c'));
    await watch.barrier();
    reports.length = 0;
    watch.recheck(['a']);
    await exact();
    assert.deepEqual(
      reports.map(({ what, path: name }) => [what, name]),
      [['removed', 'a']],
    );
  });
});

test('what is asked for by its name of before its folder moved is looked at where it is', async () => {
  await withWatch(
    {},
    async ({ reports, at, watch, exact }) => {
      await watch.barrier();
      fs.renameSync(at('old'), at('new'));
      watch.recheck(['old/file', 'old']);
      await exact();
      assert.deepEqual(
        reports.map(({ path: where, what, from }) => `${what} ${where}${from === undefined ? '' : ` from ${from}`}`).toSorted(),
        ['present new', 'present new from old', 'present new/file'],
      );
    },
    (root) => {
      fs.mkdirSync(path.join(root, 'old'));
      fs.writeFileSync(path.join(root, 'old/file'), 'text');
    },
  );
});

test('who waits for a place waits for the rename of what left it', async () => {
  await withWatch(
    {},
    async ({ reports, write, at, watch }) => {
      await watch.barrier();
      write('.git/index.lock', '');
      fs.renameSync(at('a'), at('b'));
      await eventually(() => watch.health().heldByGit, 'the hold');
      let told: number | undefined;
      const barrier = watch.barrier(['a']).then(() => {
        told = reports.length;
      });
      // Answers come in the order of the questions.
      await watch.barrier(['elsewhere']);
      assert.equal(told, undefined);
      fs.rmSync(at('.git/index.lock'));
      await barrier;
      assert.deepEqual([told, reports[0]?.path, reports[0]?.from], [1, 'b', 'a']);
    },
    (root) => {
      fs.mkdirSync(path.join(root, '.git'));
      fs.writeFileSync(path.join(root, 'a'), 'text');
    },
  );
});

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { Toolchains } from './toolchains.ts';

test('a program is found as it lies there now, also when it was found before', () =>
  withScratchFolder('toolchains', (folder) => {
    const [first, second] = [path.join(folder, 'first'), path.join(folder, 'second')];
    for (const one of [first, second]) fs.mkdirSync(one);
    let nowMs = 0;
    const toolchains = new Toolchains({ searched: [first, second], now: () => nowMs });
    const find = (): ReturnType<Toolchains['find']> => {
      nowMs += 1000;
      return toolchains.find('tool');
    };
    const put = (file: string, target: string): void => {
      fs.rmSync(file, { force: true });
      fs.symlinkSync(target, file);
    };
    assert.equal(find(), undefined);

    put(path.join(second, 'tool'), '/usr/bin/env');
    const found = find();
    assert.equal(found?.file, path.join(second, 'tool'));
    assert.deepEqual(found?.readable, []);
    assert.deepEqual(find(), found);

    put(path.join(second, 'tool'), '/usr/bin/sort');
    const updated = find();
    assert.notEqual(updated?.mark, found?.mark, 'what it leads to was replaced');

    put(path.join(first, 'tool'), '/usr/bin/env');
    assert.equal(find()?.file, path.join(first, 'tool'), 'what is searched earlier counts');
    fs.rmSync(path.join(first, 'tool'));
    assert.deepEqual(find(), updated);
    fs.rmSync(path.join(second, 'tool'));
    assert.equal(find(), undefined);
  }));

test('one that lies elsewhere takes its folder along, also where that was moved', () =>
  withScratchFolder('toolchains', (folder) => {
    let nowMs = 0;
    const toolchains = new Toolchains({ searched: [path.join(folder, 'searched')], now: () => (nowMs += 1000) });
    for (const one of ['searched', 'kit-1/bin']) fs.mkdirSync(path.join(folder, one), { recursive: true });
    fs.writeFileSync(path.join(folder, 'kit-1/bin/tool'), '', { mode: 0o755 });
    const link = path.join(folder, 'searched/tool');
    for (const kit of ['kit-1', 'kit-2']) {
      if (kit === 'kit-2') fs.renameSync(path.join(folder, 'kit-1'), path.join(folder, kit));
      fs.rmSync(link, { force: true });
      fs.symlinkSync(path.join(folder, kit, 'bin/tool'), link);
      const found = toolchains.find('tool');
      assert.deepEqual([found?.file, found?.readable], [path.join(folder, kit, 'bin/tool'), [path.join(folder, kit)]]);
    }
    fs.chmodSync(link, 0o644);
    assert.equal(toolchains.find('tool'), undefined, 'nobody may run it');
  }));

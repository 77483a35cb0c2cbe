// The bundle alone, without a single package beside it and without ripgrep on PATH: what is optional is missing, and said to be.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Supervisor } from '../src/supervisor/sidecar-supervisor.ts';
import { bundleOf, copyCheckout } from './kit/checkout-copy.ts';

interface Report {
  tools: { tool: string; found: boolean; lost?: string; install?: string }[];
  checks: { name: string; ok: boolean; text: string }[];
}

const { optionalDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
  optionalDependencies: Record<string, string>;
};

test('without any optional package and without the launcher it starts, reads, searches more slowly, and says what is missing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-optionals-'));
  const lines: string[] = [];
  try {
    const copy = join(folder, 'copy');
    mkdirSync(copy);
    const away = join(folder, 'away');
    cpSync(bundleOf(copyCheckout(copy)), away, { recursive: true });
    rmSync(copy, { recursive: true });
    writeFileSync(join(away, 'package.json'), '{"type":"module"}');
    // Where ripgrep and the launcher come along.
    rmSync(join(away, 'bin'), { recursive: true, force: true });
    assert.ok(!existsSync(join(away, 'node_modules')));
    const root = join(folder, 'work');
    mkdirSync(join(root, 'src'), { recursive: true });
    writeFileSync(join(root, 'src', 'a.ts'), 'export const needle = 1;\n');
    writeFileSync(join(root, 'b.txt'), 'no such thing\nNeedle\n');
    const supervisor = new Supervisor({
      binary: { command: process.execPath, args: [join(away, 'outrigger.mjs')], env: {}, source: 'test' },
      env: { PATH: join(folder, 'nothing'), HOME: join(folder, 'home'), XDG_STATE_HOME: join(folder, 'state') },
      onLog: (line) => lines.push(line),
    });
    try {
      await supervisor.start(root);
      const { text } = (await supervisor.request('readFile', { path: 'b.txt' })) as { text: string };
      assert.equal(text, 'no such thing\nNeedle\n');
      for (const [params, expected] of [
        [{ pattern: 'needle' }, ['src/a.ts']],
        [{ pattern: 'N[e]+dle', regex: true, caseSensitive: false }, ['b.txt', 'src/a.ts']],
        [{ pattern: 'needle', include: ['*.txt'] }, []],
      ] as const) {
        const found = (await supervisor.request('search', params)) as { files: { path: string }[]; engine: string };
        assert.deepEqual(found.files.map(({ path }) => path).sort(), expected);
        assert.equal(found.engine, 'plain');
      }
      const { paths } = (await supervisor.request('glob', { pattern: '*.ts' })) as { paths: string[] };
      assert.deepEqual(paths, ['src/a.ts']);
      const status = (await supervisor.request('index.status', {})) as { state: string; problem?: string };
      assert.equal(status.state, 'off');
      assert.match(status.problem ?? '', /ripgrep is not on this machine.*slower/);
      const refused = await supervisor.request('outline', { path: 'src/a.ts' }).then(
        () => assert.fail('there was an outline'),
        (error: { reason: string; message: string }) => error,
      );
      assert.equal(refused.reason, 'TOOL_MISSING');
      assert.match(refused.message, /oxc-parser/);
      const { tools, checks } = (await supervisor.request('system.doctor', {})) as Report;
      for (const name of Object.keys(optionalDependencies)) {
        const row = tools.find(({ tool }) => tool === name);
        assert.equal(row?.found, false, name);
        assert.ok((row.lost ?? '').length > 5 && (row.install ?? '').length > 5, `${name}: what is lost, and how to get it`);
      }
      assert.match(checks.find(({ name }) => name === 'search')?.text ?? '', /ripgrep/);
    } finally {
      await supervisor.stop();
    }
  } catch (error) {
    throw new Error(`${String(error)}\n${lines.join('\n')}`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

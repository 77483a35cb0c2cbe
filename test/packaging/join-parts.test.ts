// scripts/join-parts.mjs on a small split build: what was joined does the same in fewer files, and nobody reads more than before.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { withScratchFolder } from '../kit/scratch-folder.ts';

interface Script {
  joinParts(esbuild: typeof build, metafile: Metafile, options: BuildOptions): Promise<void>;
}
const { joinParts } = (await import('../../scripts/join-parts.mjs' as string)) as Script;

/** Each says that it was read. */
const read = (name: string): string => `(globalThis.read ??= []).push('${name}');\n`;
const files = {
  'src/cli/main.ts': `const { main } = await import('./program.ts');\nconsole.log(JSON.stringify([await main(process.argv[2]), globalThis.read]));`,
  'src/cli/program.ts': `import { Shared } from '../core/shared.ts';
    export const main = async (name) => (name === 'serve' ? (await import('./serve.ts')).serve() : (await import('./hub.ts')).hub()).then((made) => [made, made instanceof Shared]);`,
  'src/cli/serve.ts': `import '../core/effect.ts';
    import { name } from '../core/one.ts';
    export async function serve() {
      const parts = [await import('../sidecar/plug-a.ts'), await import('../sidecar/plug-b.ts')];
      const made = parts[0].a(name);
      return Object.assign(made, { b: parts[1].b(), late: (await import('../sidecar/open-c.ts')).c() });
    }`,
  'src/cli/hub.ts': `import { Shared } from '../core/shared.ts';\nimport { name } from '../core/both.ts';\nexport const hub = async () => new Shared(name());`,
  'src/sidecar/plug-a.ts': `import '../core/effect.ts';
    import { Shared } from '../core/shared.ts';
    import { name as one } from '../core/one.ts';
    import { name as two } from '../core/two.ts';
    export const a = (given) => new Shared([given, one, two()]);`,
  'src/sidecar/plug-b.ts': `import { name } from '../core/two.ts';
    import { name as both } from '../core/both.ts';
    export const b = () => [name(), both()];`,
  'src/sidecar/open-c.ts': `import { rest } from '../core/rest.ts';\nimport { name } from '../core/two.ts';\nexport const c = () => [rest, name()];`,
  'src/core/shared.ts': `${read('shared')}export class Shared { constructor(of) { this.of = of; } }`,
  // All have a `name` of their own, and two need each other.
  'src/core/one.ts': `${read('one')}import { both } from './two.ts';\nexport const name = 'one';\nexport const ofOne = () => both;`,
  'src/core/two.ts': `${read('two')}import { ofOne } from './one.ts';\nexport const both = 'two';\nexport function name() { return ofOne(); }`,
  'src/core/both.ts': `${read('both')}const name = () => import.meta.url.endsWith('.mjs');\nexport { name };`,
  'src/core/effect.ts': read('effect'),
  'src/core/rest.ts': `${read('rest')}export const rest = require('node:path').sep;`,
};

test('joined parts do what they did, of one class still, and no command reads more than before', () =>
  withScratchFolder('join', async (folder) => {
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.join(folder, path.dirname(name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
    }
    const outdir = path.join(folder, 'dist');
    const options = {
      bundle: true,
      format: 'esm',
      platform: 'node',
      outExtension: { '.js': '.mjs' },
      minifyWhitespace: true,
      lineLimit: 60,
      banner: { js: `const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);` },
    } as const;
    const { metafile } = await build({
      ...options,
      absWorkingDir: folder,
      entryPoints: ['src/cli/main.ts'],
      outdir,
      splitting: true,
      chunkNames: 'part-[name]-[hash]',
      metafile: true,
    });
    const run = (command: string): unknown => {
      const { stdout, stderr } = spawnSync(process.execPath, [path.join(outdir, 'main.mjs'), command], { encoding: 'utf8' });
      assert.equal(stderr, '');
      return JSON.parse(stdout);
    };
    const before = [run('serve'), run('hub')];
    const built = (): string[] => fs.readdirSync(outdir);
    const parts = built().length;
    await joinParts(build, metafile, { ...options, outdir });
    const [served, hub] = [run('serve'), run('hub')] as [unknown, [unknown, string[]]];
    assert.deepEqual(sorted([served, hub]), sorted(before));
    assert.deepEqual(hub[1].toSorted(), ['both', 'shared']);
    const joined = built().filter((name) => name.startsWith('part-joined-'));
    assert.ok(joined.length > 0);
    assert.ok(built().length < parts, `${built().length} of ${parts} files`);
  }));

/** What is read first may be another one. */
function sorted(answers: unknown[]): unknown[] {
  return (answers as [unknown, string[]][]).map(([made, all]) => [made, all.toSorted()]);
}

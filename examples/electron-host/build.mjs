// `node build.mjs [folder]`: bundles the program into shell/out, so that a package needs no node_modules.
import fs from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const source = path.join(import.meta.dirname, 'src');
const out = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, 'shell', 'out'));
const common = { bundle: true, logLevel: 'warning', legalComments: 'none', external: ['electron'] };

fs.rmSync(out, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: [path.join(source, 'main.mjs')],
  outfile: path.join(out, 'main.mjs'),
  platform: 'node',
  format: 'esm',
  target: 'node24',
});
await build({
  ...common,
  entryPoints: [path.join(source, 'preload.mjs')],
  outfile: path.join(out, 'preload.cjs'),
  platform: 'browser',
  format: 'cjs',
});
await build({
  ...common,
  entryPoints: [path.join(source, 'page', 'page.ts')],
  outfile: path.join(out, 'page', 'page.js'),
  platform: 'browser',
  format: 'esm',
});
for (const name of ['index.html', 'page.css']) fs.copyFileSync(path.join(source, 'page', name), path.join(out, 'page', name));

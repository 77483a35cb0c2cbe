// Makes the published package: `node scripts/pack.mjs [folder]` builds and writes dist/package (what is published) and packs it
// into the folder (dist when none is named). Types are not stripped under node_modules, so the package holds bundles, no sources;
// what the bundles hold is no dependency any more, and what stays are the optional prebuilt binaries.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { findNpm } from './find-node.mjs';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const content = join(dist, 'package');
const target = resolve(process.argv[2] ?? dist);

execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' });
if (!existsSync(join(dist, 'outrigger.mjs'))) throw new Error('There is no bundle to pack.');

rmSync(content, { recursive: true, force: true });
for (const name of ['outrigger.mjs', 'find-node.mjs', 'foreground.mjs']) take(`scripts/${name}`);
for (const name of readdirSync(dist)) if (name.endsWith('.mjs') || name === 'lib' || name === 'workbench') take(`dist/${name}`);
for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md']) if (existsSync(join(root, name))) take(name);
writeFileSync(join(content, 'package.json'), `${JSON.stringify(publishedManifest(), null, 2)}\n`);

mkdirSync(target, { recursive: true });
const npm = findNpm(process.execPath);
const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', target, content];
const [{ filename, size, entryCount }] = Object.values(
  JSON.parse(execFileSync(npm.command, [...npm.prefix, ...args], { encoding: 'utf8' })),
);
console.log(`${join(target, filename)}: ${entryCount} files, ${Math.round(size / 1000)} kB`);

function take(name) {
  cpSync(join(root, name), join(content, name), { recursive: true, filter: (path) => !path.endsWith('.stamp') });
}

function publishedManifest() {
  const { scripts, devDependencies, dependencies, overrides, allowScripts, exports, ...manifest } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const built = (name) => `./dist/lib/${name === '.' ? 'index' : name.slice(2)}.mjs`;
  const kept = Object.keys(exports).filter((name) => existsSync(join(root, built(name))));
  return {
    ...manifest,
    // The launcher runs on an older Node and fetches a recent one.
    engines: { node: '>=18' },
    exports: { ...Object.fromEntries(kept.map((name) => [name, built(name)])), './package.json': './package.json' },
    files: ['dist', 'scripts'],
  };
}

// Makes the published package: `node scripts/pack.mjs [folder]` builds and writes dist/package (what is published) and packs it
// into the folder (dist when none is named). Types are not stripped under node_modules, so the package holds bundles, no sources;
// what the bundles hold is no dependency any more, and what stays are zod, which types name, and the optional prebuilt binaries.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
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
takeNative();
for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs']) if (existsSync(join(root, name))) take(name);
take('examples/library-loans');
takeTypes();
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

/** What was built of native/, for machines of this kind, and its sources with what builds them, for others. */
function takeNative() {
  for (const name of ['native', 'scripts/native.mjs']) take(name);
  const built = join(dist, 'bin');
  const programs = existsSync(built) ? readdirSync(built).filter((name) => name.startsWith('outrigger-')) : [];
  if (programs.length === 0)
    console.log('pack: nothing of native/ is built here; code of its users runs without isolation until they build it');
  for (const name of programs) cpSync(join(built, name), join(content, 'dist', `bin-${process.platform}-${process.arch}`, name));
}

/** Declarations of what the published entries reach, as they lie in src; nothing else of the sources is told. */
function takeTypes() {
  const types = join(dist, 'types');
  rmSync(types, { recursive: true, force: true });
  const project = join(dist, 'tsconfig.types.json');
  const compilerOptions = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: join(root, 'src'), outDir: types };
  const typeRoots = [join(root, 'node_modules', '@types')];
  const files = publishedSources().map(([, path]) => path);
  writeFileSync(
    project,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { ...compilerOptions, typeRoots },
      files,
      include: [],
      exclude: [],
    }),
  );
  const compiler = join(root, 'node_modules', 'typescript-7', 'bin', 'tsc');
  execFileSync(process.execPath, [compiler, '--checkers', '1', '-p', project], { stdio: 'inherit' });
  rmSync(project);
  const seen = new Set(publishedSources().map(([, path]) => declarationOf(relative(join(root, 'src'), path))));
  for (const file of seen) {
    const text = readFileSync(join(types, file), 'utf8');
    for (const [, specifier] of text.matchAll(/(?:from |import\(|import )["'](\.[^"']+\.ts)["']/g)) {
      seen.add(declarationOf(join(dirname(file), specifier)));
    }
    cpSync(join(types, file), join(content, 'dist', 'types', file));
  }
  rmSync(types, { recursive: true, force: true });
}

function declarationOf(source) {
  return source.replace(/\.ts$/, '.d.ts');
}

/** By the name of the entry (`.`, `./client`). */
function publishedSources() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.entries(exports)
    .map(([name, path]) => [name, join(root, path)])
    .filter(([, path]) => existsSync(path));
}

function publishedManifest() {
  const {
    scripts,
    devDependencies,
    dependencies,
    overrides,
    allowScripts,
    exports: _exports,
    ...manifest
  } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const built = (name) => `./dist/lib/${name === '.' ? 'index' : name.slice(2)}.mjs`;
  const typed = (path) =>
    `./dist/types/${declarationOf(relative(join(root, 'src'), path))
      .split(sep)
      .join('/')}`;
  const kept = publishedSources().map(([name, path]) => [name, { types: typed(path), default: built(name) }]);
  return {
    ...manifest,
    // The launcher runs on an older Node and fetches a recent one.
    engines: { node: '>=18' },
    exports: { ...Object.fromEntries(kept), './package.json': './package.json' },
    dependencies: { zod: dependencies.zod },
    files: ['dist', 'scripts', 'examples', 'native', 'docs', '*.md'],
  };
}

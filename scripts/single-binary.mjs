// One file that needs nothing beside it: `node scripts/single-binary.mjs [folder] [--no-build]` builds, and writes outrigger
// (outrigger.exe) into the folder, dist/single when none is named. It is Node's single executable application
// (https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html): this very Node with our bundle, the page, ripgrep, the
// launcher and the native packages of this system in it. For another system, run it there.
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { findPackageJSON } from 'node:module';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const { name, version, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// The place in Node's own file that says whether it carries a program; postject sets it.
const fuse = `NODE_SEA_FUSE_${'fce680ab2cc467b6e072b8b5df1996b2'}`;
const ripgrep = '@vscode/ripgrep';
const codeOfPackages = /\.([cm]?js|json|node)$|^licen[cs]e/i;

const { values, positionals } = parseArgs({ options: { 'no-build': { type: 'boolean', default: false } }, allowPositionals: true });
const output = resolve(positionals[0] ?? join(dist, 'single'));
const target = join(output, process.platform === 'win32' ? 'outrigger.exe' : 'outrigger');

if (!readFileSync(process.execPath).includes(fuse))
  fail(
    `${process.execPath} can't carry a program. Take a Node from nodejs.org: node scripts/run.mjs binary fetches one where there is none.`,
  );
if (!values['no-build']) execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' });
if (!existsSync(join(dist, 'outrigger.mjs'))) fail('There is no bundle in dist/: run it without --no-build.');

mkdirSync(output, { recursive: true });
// Whole or not at all: whoever starts it meanwhile finds the old one or the new one.
const scratch = mkdtempSync(join(output, '.building-'));
try {
  const files = carried();
  const unfinished = join(scratch, basename(target));
  await inject(await makeBlob(files), unfinished);
  const said = execFileSync(unfinished, ['--version'], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(scratch, 'cache') },
  }).trim();
  if (said !== version) throw new Error(`${unfinished} says that it is ${said}, not ${version}`);
  renameSync(unfinished, target);
  console.log(`${target}: outrigger ${version} in node ${process.versions.node}, ${process.platform}-${process.arch}`);
  console.log(`${megabytes(statSync(target).size)} MB, of which ${files.length} files of ours are ${megabytes(sumOf(files))} MB`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** The files that are unpacked at the start, each with its place below the checkout: there it finds its neighbours as it does here. */
function carried() {
  const bundle = readdirSync(dist).filter((file) => file.endsWith('.mjs'));
  const ours = [
    join(root, 'package.json'),
    ...bundle.map((file) => join(dist, file)),
    ...['dist/bin', 'dist/workbench', 'examples/library-loans'].flatMap((folder) => filesBelow(join(root, folder))),
  ].filter((file) => basename(file) !== '.stamp');
  const packages = [...nativePackages().flatMap(filesBelow), ...ripgrepManifest()];
  const installed = packages.length === 0 ? '' : realpathSync(join(root, 'node_modules'));
  return [
    ...ours.map((file) => carry(relative(root, file), file)),
    ...packages
      .filter((file) => codeOfPackages.test(basename(file)))
      .map((file) => carry(join('node_modules', relative(installed, realpathSync(file))), file)),
  ];
}

function carry(place, file) {
  const path = place.split(sep).join('/');
  // Of our own manifest nothing is asked but these.
  const content = path === 'package.json' ? Buffer.from(JSON.stringify({ name, version })) : readFileSync(file);
  return { path, content, sha256: hash('sha256', content, 'hex'), executable: path.startsWith('dist/bin/') };
}

/** Folders of the optional packages that are installed here, and of what they need. */
function nativePackages() {
  const found = new Set();
  const take = (wanted, from) => {
    const manifest = findPackage(wanted, from);
    if (manifest === undefined || found.has(dirname(manifest))) return;
    found.add(dirname(manifest));
    const { dependencies = {}, optionalDependencies: forSystems = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const needed of Object.keys({ ...dependencies, ...forSystems })) take(needed, manifest);
  };
  for (const wanted of Object.keys(optionalDependencies)) if (wanted !== ripgrep) take(wanted, join(root, 'package.json'));
  return [...found];
}

/** Its manifest alone, where its program is in dist/bin: `outrigger doctor` reads the version there. */
function ripgrepManifest() {
  const manifest = existsSync(join(dist, 'bin', process.platform === 'win32' ? 'rg.exe' : 'rg'))
    ? findPackage(ripgrep, join(root, 'package.json'))
    : undefined;
  return manifest === undefined ? [] : [manifest];
}

/** The path of its package.json; undefined where it is not installed, as packages for other systems are. */
function findPackage(wanted, from) {
  try {
    return findPackageJSON(wanted, pathToFileURL(from));
  } catch {
    // ERR_MODULE_NOT_FOUND
    return undefined;
  }
}

function filesBelow(top) {
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !relative(top, entry.parentPath).split(sep).includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function makeBlob(files) {
  const { build } = await import('esbuild');
  const main = join(scratch, 'main.cjs');
  const entryPoints = [join(root, 'scripts', 'single-binary-main.mjs')];
  await build({ entryPoints, outfile: main, bundle: true, platform: 'node', format: 'cjs', target: 'node24', logLevel: 'warning' });
  const assets = {};
  files.forEach(({ path, content }, index) => {
    assets[path] = join(scratch, `asset-${index}`);
    writeFileSync(assets[path], content);
  });
  assets['files.json'] = join(scratch, 'files.json');
  writeFileSync(assets['files.json'], JSON.stringify({ version, files: files.map(({ content: _, ...file }) => file) }));
  const blob = join(scratch, 'blob');
  const config = join(scratch, 'config.json');
  writeFileSync(config, JSON.stringify({ main, output: blob, assets, disableExperimentalSEAWarning: true }));
  execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  return blob;
}

async function inject(blob, into) {
  const { inject: injectBlob } = await import('postject');
  copyFileSync(process.execPath, into);
  chmodSync(into, 0o755);
  // A signature is over the bytes: macOS starts nothing whose signature is wrong, and on ARM nothing without one.
  if (process.platform === 'darwin') execFileSync('codesign', ['--remove-signature', into], { stdio: 'inherit' });
  await quietly(() => injectBlob(into, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: fuse, machoSegmentName: 'NODE_SEA' }));
  if (process.platform === 'darwin') execFileSync('codesign', ['--sign', '-', into], { stdio: 'inherit' });
}

/** postject warns of each section of notes in an ELF file that has no name, which is none of its business. */
async function quietly(run) {
  const { warn } = console;
  console.warn = (...args) => {
    if (!String(args[0]).includes("Can't find string offset")) warn(...args);
  };
  try {
    await run();
  } finally {
    console.warn = warn;
  }
}

function sumOf(files) {
  return files.reduce((sum, { content }) => sum + content.length, 0);
}

function megabytes(bytes) {
  return (bytes / 1_000_000).toFixed(1);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

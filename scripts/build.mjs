// `node scripts/build.mjs [bundle] [workbench] [--quiet]`: both when neither is named.
// bundle     dist/outrigger.mjs (the command), dist/<name>.mjs for each worker thread and program, dist/lib/ (what other programs import)
// workbench  dist/workbench (the page), with csp.json for the server and a bound on what a first visit loads
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { keepApart, lateEntryPoints, latePlugin, sourcePlugin } from './bundle-plugins.mjs';
import { joinParts } from './join-parts.mjs';
import { workbenchSources, writeWorkbenchStamp } from './workbench-stamp.mjs';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const eagerLimitBytes = 200_000;
const builders = { bundle: buildBundle, workbench: buildWorkbench };

const flags = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const unknown = [...names.filter((name) => !Object.hasOwn(builders, name)), ...flags.filter((flag) => flag !== '--quiet')];
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. Usage: node scripts/build.mjs [bundle] [workbench] [--quiet]`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(builders)) await builders[name]();

async function buildBundle() {
  const command = join(root, 'src', 'cli', 'main.ts');
  if (!existsSync(command)) return console.log('bundle: nothing to build, there is no src/cli/main.ts');
  const { build } = await import('esbuild');
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // What is started from a file of its own: a thread, or a process that runs our Node.
  const workers = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /-(worker|program)\.ts$/.test(name))
    .map((name) => join(root, 'src', name));
  const twice = workers.find((worker) => workers.some((other) => other !== worker && basename(other) === basename(worker)));
  if (twice) throw new Error(`Two workers or programs are called ${basename(twice)}; beside the bundle there is room for one.`);

  rmSync(join(dist, 'lib'), { recursive: true, force: true });
  // Parts have names with a hash: those of the last build would stay for ever.
  if (existsSync(dist)) for (const name of readdirSync(dist)) if (name.endsWith('.mjs')) rmSync(join(dist, name));
  const common = {
    bundle: true,
    format: 'esm',
    target: 'node24',
    outExtension: { '.js': '.mjs' },
    external: Object.keys(manifest.optionalDependencies ?? {}),
    legalComments: 'none',
    // Half the source is half the time to read it, and memory that it holds for as long as it runs. Names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    logLevel: 'warning',
    metafile: true,
  };
  // Packages in CommonJS inside a module ask for these three. Not by an import: the client is for browsers too.
  const banner = `const require = globalThis.process?.getBuiltinModule?.('node:module').createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;
  const program = { ...common, platform: 'node', banner: { js: banner } };
  const kit = join(root, 'src', 'contract', 'operation-kit.ts');
  const library = publishedSources(manifest).map(([name, path]) => ({ in: path, out: name }));
  // Split, so that a part that is switched off is not even read, and the entry can turn the compile cache on before the rest is.
  const split = {
    ...program,
    outdir: dist,
    splitting: true,
    chunkNames: 'part-[name]-[hash]',
    plugins: [keepApart([kit]), latePlugin(), sourcePlugin({ manifest, workers, workerFolder: './' })],
  };
  const main = await build({ ...split, entryPoints: [{ in: command, out: 'outrigger' }, ...lateEntryPoints()] });
  await joinParts(build, main.metafile, { ...program, outdir: dist });
  const results = [
    main,
    // Another thread or process has nothing of what was loaded here: in pieces that both could read, it would only have more files to read.
    ...(await Promise.all(workers.map((path) => build({ ...split, entryPoints: [{ in: path, out: basename(path, '.ts') }] })))),
    // What modules of a host's own are handed holds all of zod: beside the rest it would make each start read all of it.
    await build({ ...program, entryPoints: [{ in: kit, out: basename(kit, '.ts') }], outdir: dist }),
    // The library shares its code between entries, else a class of one would not be the class of the other. zod stays the
    // host's: it writes the schemas of its own operations with it, and our types name it.
    await build({
      ...program,
      external: [...program.external, 'zod'],
      entryPoints: library,
      outdir: join(dist, 'lib'),
      splitting: true,
      plugins: [sourcePlugin({ manifest, workers, workerFolder: '../' })],
    }),
  ];
  for (const name of readdirSync(dist))
    if (name.endsWith('.mjs') && /[^\0-\x7f]/.test(readFileSync(join(dist, name), 'utf8')))
      throw new Error(
        `${name} has a character beyond ASCII (a regular expression can be written with \\u): all of it would take twice the memory.`,
      );
  await copyRipgrep();
  // A C compiler is no must: the script says what is lost without one.
  spawnSync(process.execPath, [join(root, 'scripts', 'native.mjs')], { stdio: 'inherit' });
  for (const { metafile } of results) {
    for (const [path, { bytes, entryPoint }] of Object.entries(metafile.outputs)) {
      if (entryPoint) console.log(`bundle: ${relative(root, path)} ${Math.round(bytes / 1000)} kB`);
    }
  }
}

/** For images, which hold no packages: the program that the optional package has for this system, where it has one. */
async function copyRipgrep() {
  const folder = join(dist, 'bin');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const { rgPath } = await import('@vscode/ripgrep');
    copyFileSync(rgPath, join(folder, basename(rgPath)));
    chmodSync(join(folder, basename(rgPath)), 0o755);
  } catch {
    console.log('bundle: ripgrep is not installed; an image made now searches without it');
  }
}

// package.json's `exports` point at the sources; each gets a module of the same name (`.` is index) in dist/lib.
function publishedSources(manifest) {
  return Object.entries(manifest.exports ?? {})
    .map(([name, path]) => [name === '.' ? 'index' : name.slice(2), join(root, path)])
    .filter(([, path]) => existsSync(path));
}

async function buildWorkbench() {
  const source = join(root, 'src', 'workbench');
  if (!existsSync(join(source, 'index.html'))) return console.log('workbench: nothing to build, there is no src/workbench/index.html');
  // The workbench of a sidecar, and the page of a hub.
  const pages = ['index.html', 'fleet.html'].filter((page) => existsSync(join(source, page)));
  const { build } = await import('vite');
  const stamp = workbenchSources(root);
  mkdirSync(dist, { recursive: true });
  // Built aside and put in place whole, so that a sidecar that serves the page never serves half of one.
  const output = mkdtempSync(join(dist, '.workbench-'));
  try {
    await build({
      configFile: false,
      root: source,
      base: './',
      publicDir: false,
      logLevel: flags.includes('--quiet') ? 'error' : 'warn',
      oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
      // Languages, merge and the like are lazy because the page imports them dynamically: each such import is a chunk of its own.
      build: {
        outDir: output,
        emptyOutDir: true,
        assetsDir: 'assets',
        target: 'es2023',
        manifest: true,
        modulePreload: { polyfill: false },
        rolldownOptions: { input: pages.map((page) => join(source, page)) },
      },
    });
    packAssets(join(output, 'assets'));
    for (const page of pages) {
      const { eager, lazy } = measure(output, page);
      const eagerBytes = eager.reduce((sum, { bytes }) => sum + bytes, 0);
      const name = page === 'index.html' ? 'workbench' : basename(page, '.html');
      console.log(`${name}: ${kilobytes(eagerBytes)} kB gz at once, ${lazy} files on first use`);
      if (!flags.includes('--quiet')) for (const { file, bytes } of eager) console.log(`  ${kilobytes(bytes).padStart(6)} kB gz  ${file}`);
      if (eagerBytes > eagerLimitBytes) {
        const largest = eager.map(({ file, bytes }) => `${file} ${kilobytes(bytes)}`).join(', ');
        throw new Error(`A first visit would load ${kilobytes(eagerBytes)} kB gz; the limit is ${eagerLimitBytes / 1000}. (${largest})`);
      }
    }
    const scriptHashes = new Set(pages.flatMap((page) => inlineScriptHashes(join(output, page))));
    writeFileSync(join(output, 'csp.json'), `${JSON.stringify({ scriptHashes: [...scriptHashes] })}\n`);
    rmSync(join(output, '.vite'), { recursive: true, force: true });
    rmSync(join(dist, 'workbench'), { recursive: true, force: true });
    // A temporary folder is its maker's alone; an image's user is another.
    chmodSync(output, 0o755);
    renameSync(output, join(dist, 'workbench'));
    writeWorkbenchStamp(root, stamp);
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}

// Once, for all who ever load them: src/net/page.ts sends what stands packed beside a file to those who can unpack it.
function packAssets(folder) {
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    const packed = gzipSync(bytes, { level: 9 });
    if (packed.length < bytes.length) writeFileSync(join(folder, `${name}.gz`), packed);
  }
}

// What a page loads before anything is clicked: itself, its entry, what that imports statically, and their styles; and how much is left.
function measure(output, page) {
  const manifest = JSON.parse(readFileSync(join(output, '.vite', 'manifest.json'), 'utf8'));
  const reach = (first, more) => {
    const seen = new Set([first]);
    for (const key of seen) for (const name of more(manifest[key])) seen.add(name);
    return new Set([...seen].flatMap((key) => [manifest[key].file, ...(manifest[key].css ?? [])]));
  };
  const eagerFiles = reach(page, ({ imports = [] }) => imports);
  const all = reach(page, ({ imports = [], dynamicImports = [] }) => [...imports, ...dynamicImports]);
  const sentBytes = (file) => statSync(existsSync(`${file}.gz`) ? `${file}.gz` : file).size;
  const eager = [page, ...eagerFiles].map((file) => ({ file, bytes: sentBytes(join(output, file)) }));
  return { eager: eager.sort((a, b) => b.bytes - a.bytes), lazy: [...all].filter((name) => !eagerFiles.has(name)).length };
}

/** The one inline script that a page may have sets the theme before the first paint, and says where the rest does not come; the server allows it by its hash. */
function inlineScriptHashes(file) {
  const inline = [...readFileSync(file, 'utf8').matchAll(/<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/g)].map(([, text]) => text);
  if (inline.length > 1) throw new Error(`${basename(file)} has ${inline.length} inline scripts; one is all that it may have.`);
  return inline.map((text) => `sha256-${createHash('sha256').update(text).digest('base64')}`);
}

function kilobytes(bytes) {
  return (bytes / 1000).toFixed(1);
}

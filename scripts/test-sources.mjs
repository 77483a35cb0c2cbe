// What all test files of a whole run load, made once for scripts/test-loading.mjs: our sources without their types, and packages of many files as one.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Of up to a hundred files each, which nearly every test file would load one by one. */
const packages = ['zod', 'zod/v4', 'fastify', 'pino', 'picomatch', 'ws'];
/** fastify has these for schemas that net/http-app.ts never gives it. */
const left = ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler'];
/** As for the bundle: packages in CommonJS inside a module ask for these. */
const banner = `const require = process.getBuiltinModule('node:module').createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

/** A thread or program that one of our sources starts; scripts/bundle-plugins.mjs finds them alike. */
const started = /new URL\(\s*'\.[^']*?([\w-]+-(?:worker|program))\.ts'\s*,\s*import\.meta\.url\s*\)/g;

/**
 * A new folder with them, each file at its own path; `files` are paths below `root`. All take a second or two. Each sidecar in a test starts threads, which
 * would strip their own sources again (0.05 s of a processor for each): those and programs are started from `bundle`, a folder where they are built.
 */
export async function testSources(root, files, bundle) {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-stripped-'));
  // That stripping is new is no news for whoever reads the results.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  for (const file of files) {
    try {
      const code = stripTypeScriptTypes(readFileSync(join(root, file), 'utf8'));
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      const isOurs = file.startsWith('src/');
      const built = (_, name) => `new URL('${pathToFileURL(join(bundle, `${name}.mjs`))}')`;
      writeFileSync(join(folder, file), isOurs ? code.replace(started, built) : code);
    } catch {
      // Whoever loads it is told by Node what is wrong with it.
    }
  }
  process.emitWarning = emitWarning;
  await joinPackages(root, folder);
  return folder;
}

/** Into node_modules/.joined, with index.json: the file of each package. Where one can't be had they are loaded as they are. */
async function joinPackages(root, folder) {
  const joined = join(folder, 'node_modules', '.joined');
  mkdirSync(joined, { recursive: true });
  const index = Object.fromEntries(packages.map((name) => [name, `${name.replace('/', '-')}.mjs`]));
  try {
    const { build } = await import('esbuild');
    const names = new Map();
    for (const name of packages) names.set(name, Object.keys(await import(name)));
    await build({
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      outExtension: { '.js': '.mjs' },
      outdir: joined,
      entryPoints: packages.map((name) => ({ in: `joined:${name}`, out: index[name].slice(0, -'.mjs'.length) })),
      external: left,
      banner: { js: banner },
      minifyWhitespace: true,
      logLevel: 'silent',
      plugins: [
        {
          name: 'joined',
          setup(on) {
            on.onResolve({ filter: /^joined:/ }, ({ path }) => ({ path: path.slice('joined:'.length), namespace: 'joined' }));
            on.onLoad({ filter: /./, namespace: 'joined' }, ({ path }) => ({
              contents: exporting(path, names.get(path)),
              resolveDir: root,
            }));
          },
        },
      ],
    });
    writeFileSync(join(joined, 'index.json'), JSON.stringify(index));
  } catch {
    writeFileSync(join(joined, 'index.json'), '{}');
  }
}

/** Node finds these names in a package, of whichever kind of module it is; these two say only which kind. */
function exporting(name, names) {
  const kinds = ['module.exports', '__esModule'];
  return `export { ${names.filter((one) => !kinds.includes(one)).join(', ')} } from '${name}';`;
}

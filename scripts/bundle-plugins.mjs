// What the bundle makes of imports: esbuild's plugins for scripts/build.mjs.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';

const root = dirname(import.meta.dirname);
/**
 * Packages that are read when something of them is first used: nothing of a start or of a sidecar at rest needs them, and each would take ten times its source
 * of memory. Our sources import these as a namespace.
 */
const lateNamespaces = ['zod', 'yjs'];
/** And what these export is called or constructed. */
const latePackages = [...lateNamespaces, 'light-my-request', '@fastify/busboy', 'thread-stream', 'picomatch', 'ip-address', 'ws'];
/** What is taken out of one of these when it is asked for. */
const lateMembers = { 'ip-address': ['Address6'], ws: ['WebSocket', 'WebSocketServer'] };

/**
 * In the sources a worker is `new Worker(new URL('./x-worker.ts', import.meta.url))`, which Node runs as it is, and a program of ours is named alike
 * (x-program.ts); in the bundle that has to be its own bundle. package.json is read for its version and name only, so only those are embedded.
 */
export function sourcePlugin({ manifest, workers, workerFolder }) {
  // The library's modules leave packages to its host.
  const isProgram = workerFolder === './';
  const lateNamespace = new RegExp(`^import \\* as (\\w+) from '(${lateNamespaces.join('|')})';$`, 'm');
  return {
    name: 'outrigger-sources',
    setup(build) {
      // Never called: net/http-app.ts gives fastify other compilers of JSON schemas.
      build.onResolve({ filter: /^@fastify\/(ajv-compiler|fast-json-stringify-compiler)$/ }, ({ path }) => ({
        path,
        namespace: 'unneeded',
      }));
      build.onLoad({ filter: /./, namespace: 'unneeded' }, ({ path }) => ({
        contents: `const unneeded = () => { throw new Error('The bundle holds no ${path}.'); }; module.exports = unneeded;`,
        loader: 'js',
      }));
      // Asked by fastify whether its plugins go with it, which the lock file has settled: 40 files to read at each start.
      build.onResolve({ filter: /^semver$/ }, ({ path }) => ({ path, namespace: 'settled' }));
      build.onLoad({ filter: /./, namespace: 'settled' }, () => ({
        contents: 'module.exports = { satisfies: () => true, gt: () => false, coerce: (version) => version };',
        loader: 'js',
      }));
      // As modules these show all they have, for which Node loads more: http a WebSocket client with undici, process its streams and reports, util a differ.
      build.onResolve({ filter: /^node:(http|process|util|crypto)$/ }, ({ path, kind }) =>
        kind === 'import-statement' ? { path, namespace: 'required' } : undefined,
      );
      build.onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
        contents: `module.exports = require('${path}');`,
        loader: 'js',
      }));
      // Loaded for what is asked of them later, or never. Our own sources take the default export of these, so that what they ask for has a name then.
      build.onResolve({ filter: /^((node:)?(http2|https|tls|zlib))$/ }, ({ path, kind, importer, namespace }) => {
        const isOurs = kind === 'import-statement' && importer.startsWith(join(root, 'src') + sep);
        return namespace !== 'late' && (kind === 'require-call' || isOurs) ? { path, namespace: 'late' } : undefined;
      });
      build.onLoad({ filter: /./, namespace: 'late' }, ({ path }) => ({
        contents: lateStub(`require('${path}')`),
        loader: 'js',
        resolveDir: root,
      }));
      build.onLoad({ filter: /\/package\.json$/ }, ({ path }) => {
        if (path !== join(root, 'package.json')) return undefined;
        return { contents: JSON.stringify({ name: manifest.name, version: manifest.version }), loader: 'json' };
      });
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (!path.startsWith(join(root, 'src') + sep)) return undefined;
        const source = readFileSync(path, 'utf8');
        const early = /^import (?:\{|\*).* from 'node:(http2|https|tls|zlib)';$/m.exec(source);
        if (early)
          throw new Error(`${relative(root, path)} takes names from node:${early[1]}, of which the bundle has the default export alone`);
        const named = [...source.matchAll(/const \{ (?!default: )[^}]*\} = await import\('([^.'][^']*)'\)/g)].map(([, name]) => name);
        const unnamed = named.find((name) => !Object.hasOwn(manifest.optionalDependencies ?? {}, name));
        if (unnamed !== undefined)
          throw new Error(
            `${relative(root, path)} takes names from ${unnamed} when it is first used, of which the bundle has the default export alone`,
          );
        const contents = (isProgram ? source.replace(lateNamespace, "import $1 from '$2';") : source).replace(
          /new URL\(\s*(['"])(\.[^'"]*\.ts)\1\s*,\s*import\.meta\.url\s*\)/g,
          (_, _quote, file) => {
            const target = join(dirname(path), file);
            if (!workers.includes(target))
              throw new Error(`${relative(root, path)} names ${file}, which is not a worker or program (*-worker.ts, *-program.ts)`);
            return `new URL('${workerFolder}${basename(file, '.ts')}.mjs', import.meta.url)`;
          },
        );
        return { contents, loader: 'ts' };
      });
    },
  };
}

/** Entries of a build: what is read late is a file of its own. */
export function lateEntryPoints() {
  return latePackages.map((name) => ({ in: `late:${name}`, out: lateFile(name) }));
}

/** Leaves in the place of each late package what loads it. */
export function latePlugin() {
  const exact = new RegExp(`^(?:${latePackages.join('|')})$`);
  return {
    name: 'outrigger-late',
    setup(build) {
      build.onResolve({ filter: /^late:/ }, ({ path }) => ({ path: path.slice('late:'.length), namespace: 'late-entry' }));
      build.onLoad({ filter: /./, namespace: 'late-entry' }, async ({ path }) => ({
        contents: await lateEntry(path),
        loader: 'js',
        resolveDir: root,
      }));
      build.onResolve({ filter: /^\.\/late-/ }, ({ path, namespace }) => (namespace === 'late' ? { path, external: true } : undefined));
      build.onResolve({ filter: exact }, ({ path, namespace }) => (namespace === 'late-entry' ? undefined : { path, namespace: 'late' }));
      build.onLoad({ filter: exact, namespace: 'late' }, ({ path }) => ({
        contents: lateStub(`require('./${lateFile(path)}.mjs').default`, lateMembers[path]),
        loader: 'js',
        resolveDir: root,
      }));
    },
  };
}

/** A module that is loaded when something of it, or of one of its members, is read, called or constructed. */
function lateStub(load, members) {
  const each = members?.map((member) => `${member}: late(() => get().${member})`);
  return `let made; const get = () => (made ??= ${load});
    const late = (find) => new Proxy(function () {}, {
      get: (_, name) => find()[name],
      apply: (_, self, values) => Reflect.apply(find(), self, values),
      construct: (_, values) => Reflect.construct(find(), values),
    });
    module.exports = ${each === undefined ? 'late(get)' : `{ ${each.join(', ')} }`};`;
}

function lateFile(name) {
  return `late-${name.replace(/\W+/g, '-').replace(/^-/, '')}`;
}

/** A module whose default is what is asked of the package: itself, or an object with some members. */
async function lateEntry(name) {
  const members = lateMembers[name] ?? (lateNamespaces.includes(name) ? await membersUsed(name) : undefined);
  if (members === undefined) return `export { default } from '${name}';`;
  return `import * as all from '${name}'; export default { ${members.map((member) => `${member}: all.${member}`).join(', ')} };`;
}

/** What our sources use of a package that they import as a namespace. */
async function membersUsed(name) {
  const used = new Set();
  const imported = new RegExp(`^import \\* as (\\w+) from '${name}';$`, 'm');
  for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
    const source = readFileSync(join(root, 'src', file), 'utf8');
    const [, local] = imported.exec(source) ?? [];
    if (local !== undefined) for (const [, member] of source.matchAll(new RegExp(`\\b${local}\\.(\\w+)`, 'g'))) used.add(member);
  }
  // Types are no values.
  const all = used.size === 0 ? {} : await import(name);
  return [...used].filter((member) => member in all).sort();
}

/** Files that are bundles of their own, beside the one that imports them when it needs them. */
export function keepApart(files) {
  return {
    name: 'outrigger-apart',
    setup(build) {
      build.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir, kind }) =>
        kind === 'dynamic-import' && files.includes(join(resolveDir, path))
          ? { path: `./${basename(path, '.ts')}.mjs`, external: true }
          : undefined,
      );
    },
  };
}

// Makes few files of what a split build leaves: to find, read and link each of a hundred took a third of a start.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Commands that make a sidecar with doors: what one of them loads, all do. */
const serving = /^src\/cli\/(serve|link|mcp)\.ts$/;
/** What such a sidecar loads before it listens; all else that it imports dynamically comes later, if ever. */
const atStart =
  /^src\/(cli\/serve|sidecar\/(doors|watching|plug-(?!link)[\w-]+)|adapters\/(platxa\/platxa|code-api\/code-api|y-websocket\/y-websocket))\.ts$|^node_modules\/@fastify\/(rate-limit|multipart)\//;

/**
 * Joins the shared parts of a split build, in place, that the same commands need: nobody reads more than before, in fewer files. `metafile` is esbuild's;
 * `options` are those of the build, with `outdir` and its banner.
 */
export async function joinParts(build, metafile, { outdir, banner, ...options }) {
  const groups = [...groupsOf(metafile).values()].filter((parts) => parts.length > 1);
  const joined = new Map(
    groups.flatMap((parts, group) => parts.map((part, index) => [part, { file: `part-joined-${group}.mjs`, prefix: `p${index}_` }])),
  );
  const texts = new Map(
    Object.keys(metafile.outputs).map((output) => [basename(output), readFileSync(join(outdir, basename(output)), 'utf8')]),
  );
  const made = await Promise.all(
    groups.map(async (parts) => {
      const exports = parts.map((part) => {
        const names = metafile.outputs[outputNamed(metafile, part)].exports;
        return `export{${names.map((name) => `${name} as ${joined.get(part).prefix}${name}`).join(',')}}from'./${part}';`;
      });
      const { outputFiles } = await build({
        ...options,
        metafile: false,
        write: false,
        banner,
        stdin: { contents: exports.join('\n'), resolveDir: outdir },
        plugins: [onlyParts(new Map(parts.map((part) => [part, texts.get(part).replace(banner.js, '')])))],
      });
      return [joined.get(parts[0]).file, outputFiles[0].text];
    }),
  );
  for (const part of joined.keys()) {
    texts.delete(part);
    rmSync(join(outdir, part));
  }
  for (const [file, text] of [...texts, ...made]) writeFileSync(join(outdir, file), importingFrom(joined, file, text));
}

/** Shared parts that are read at the start of a sidecar, by the commands that need them. */
function groupsOf({ outputs }) {
  const entries = Object.entries(outputs).filter(([, { entryPoint }]) => entryPoint);
  const commands = entries.filter(([, { entryPoint }]) => entryPoint.startsWith('src/cli/') && !serving.test(entryPoint));
  const [program] = entries.find(([, { entryPoint }]) => entryPoint === 'src/cli/program.ts') ?? [];
  const started = new Set(
    entries.filter(([, { entryPoint }]) => atStart.test(entryPoint)).flatMap(([entry]) => [...reach(outputs, entry)]),
  );
  const ofAll = program === undefined ? new Set() : reach(outputs, program);
  const ofCommands = commands.map(([entry]) => reach(outputs, entry, entry !== program));
  const groups = new Map();
  for (const [output, { entryPoint }] of Object.entries(outputs)) {
    if (entryPoint || !(started.has(output) || ofAll.has(output))) continue;
    const key = [started, ofAll, ...ofCommands].map((reached) => Number(reached.has(output))).join('');
    const group = groups.get(key) ?? [];
    groups.set(key, [...group, basename(output)]);
  }
  return groups;
}

/** All that comes with an output; `later`: also what it imports dynamically. */
function reach(outputs, output, later = false) {
  const reached = new Set([output]);
  for (const one of reached)
    for (const { path, kind, external } of outputs[one].imports)
      if (!external && (kind === 'import-statement' || later) && outputs[path] !== undefined) reached.add(path);
  return reached;
}

function outputNamed({ outputs }, name) {
  return Object.keys(outputs).find((output) => basename(output) === name);
}

/** Parts of one group become one file; everything else that they import stays an import. */
function onlyParts(texts) {
  return {
    name: 'outrigger-join',
    setup(build) {
      build.onResolve({ filter: /^\.\/.*\.mjs$/ }, ({ path }) =>
        texts.has(basename(path)) ? { path: basename(path), namespace: 'part' } : { path, external: true },
      );
      build.onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({ contents: texts.get(path), loader: 'js' }));
    },
  };
}

/** A module with its imports of parts as imports of what these were joined to. */
function importingFrom(joined, file, text) {
  const rewritten = text
    .replace(/\bimport\s*\{([^{}]*)\}\s*from\s*"\.\/(part-[\w-]+\.mjs)"/g, (whole, names, part) => {
      const to = joined.get(part);
      if (to === undefined) return whole;
      const all = names.split(',').map((name) => {
        const [imported, local = imported] = name.trim().split(/\s+as\s+/);
        return `${to.prefix}${imported} as ${local}`;
      });
      return `import{${all.join(',')}}from"./${to.file}"`;
    })
    .replace(/\bimport\s*"\.\/(part-[\w-]+\.mjs)"/g, (whole, part) => {
      const to = joined.get(part);
      return to === undefined ? whole : `import"./${to.file}"`;
    });
  const left = [...joined.keys()].find((part) => rewritten.includes(part));
  if (left !== undefined) throw new Error(`${file} still imports ${left}, which was joined to others.`);
  return rewritten;
}

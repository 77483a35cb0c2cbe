import type { DispatchReply } from '../../contract/dispatch.ts';

/** One method of the seed's wire as an operation of ours. */
export interface SeedMethod {
  operation: string;
  input(params: Readonly<Record<string, unknown>>): unknown;
  output(reply: DispatchReply): unknown;
  /** Of a caller that asked for a stream. */
  item?(item: unknown): unknown;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The methods that the seed and its plans name (`readFile`, `stat`, `hashFile`, glob, search, outline, index, status). The plans say no
 * more of their parameters than `path`; the others are ours.
 */
export const seedMethods: Readonly<Record<string, SeedMethod>> = {
  readFile: {
    operation: 'files.read',
    // What is on the disk: hashes and offsets of the host's own edits are about that.
    input: ({ path }) => ({ path, source: 'disk' }),
    output: ({ output }) => {
      const { path, text, size, etag, bom } = output as Json;
      return { path, text, size, ...hashIn(etag), ...(bom === true ? { bom } : {}) };
    },
  },
  stat: {
    operation: 'files.stat',
    input: ({ path }) => ({ path }),
    output: ({ output }) => {
      const { exists, entry } = output as { exists: boolean; entry?: Json };
      if (!exists || entry === undefined) return { exists: false };
      const { kind, size, modified, mode, target } = entry;
      return { exists: true, kind, size, mtimeMs: modified, mode, ...(target === undefined ? {} : { target }) };
    },
  },
  hashFile: { operation: 'files.hash', input: ({ path }) => ({ path }), output: ({ output }) => output },
  glob: {
    operation: 'search.files',
    input: ({ pattern, exclude, limit, hidden, ignored }) =>
      defined({ include: list(pattern), exclude: list(exclude), limit, hidden, ignored }),
    output: ({ output }) => {
      const { files, ...rest } = output as Json & { files: readonly { path: string }[] };
      return { paths: files.map(({ path }) => path), ...rest };
    },
  },
  search: {
    operation: 'search.text',
    input: ({ pattern, regex, caseSensitive, word, include, exclude, maxResults, context, path, hidden, ignored }) =>
      defined({
        ...{ pattern, regex, caseSensitive, word, maxResults, context, path, hidden, ignored },
        include: list(include),
        exclude: list(exclude),
      }),
    output: ({ output, items }) => {
      const { files, ...rest } = output as Json;
      return { ...rest, fileCount: files, ...(items === undefined ? {} : { files: items.map(foundFile) }) };
    },
    item: foundFile,
  },
  outline: { operation: 'files.outline', input: ({ path }) => ({ path }), output: ({ output }) => output },
  'index.status': { operation: 'index.status', input: () => ({}), output: ({ output }) => output },
};

/** Lines around a match have no ranges, and so no column. */
function foundFile(item: unknown): unknown {
  const { path, lines } = item as { path: string; lines: readonly (Json & { ranges?: readonly [number, number][]; cutAt?: number })[] };
  const matches = lines.map((line) => {
    const start = line.ranges?.[0]?.[0];
    return start === undefined ? line : { ...line, column: (line.cutAt ?? 0) + start + 1 };
  });
  return { path, matches };
}

/** ETags of small and middling files are the sha256 of their bytes in quotes; those of huge ones are not, and are left out. */
function hashIn(etag: unknown): { sha256?: string } {
  const sha256 = typeof etag === 'string' ? /^"([0-9a-f]{64})"$/.exec(etag)?.[1] : undefined;
  return sha256 === undefined ? {} : { sha256 };
}

function list(value: unknown): unknown {
  return typeof value === 'string' ? [value] : value;
}

/** Without the fields that were not given, so that the operation's defaults hold. */
function defined(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

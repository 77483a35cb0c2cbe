import * as z from 'zod';
import { batchChangeOut, etag } from './files.ts';
import { operation } from './operation.ts';
import { entryPath, workspacePath } from './paths.ts';
import { once } from './once.ts';
import { withoutNul } from './processes.ts';

/** What ripgrep is given. */
const argument = (): z.ZodString =>
  z
    .string()
    .regex(withoutNul)
    .refine((text) => text.isWellFormed(), 'It holds a lone surrogate, which UTF-8 has no bytes for.');

const globs = once(() =>
  z
    .array(argument().min(1).max(1000))
    .max(100)
    .default([])
    .describe('Globs as in .gitignore: `*.ts` at any depth, `/src/**` from the top.'),
);

/** Which files are looked at: as ripgrep walks, ignore files honoured, hidden files and what is not watched left out, unless it is said otherwise. */
const walk = once(() => ({
  path: workspacePath()
    .default('')
    .describe('Only below this folder, or in this file. Where it leads by links is searched, and named beneath it; globs see where it is.'),
  include: globs(),
  exclude: globs(),
  hidden: z.boolean().default(false).describe('Also names that begin with a dot; .git never, unless `path` lies in it.'),
  ignored: z.boolean().default(false).describe('Also what .gitignore, .ignore and the like leave out, and what is not watched.'),
}));

const freshness = once(() => ({
  revision: z.int().nonnegative().describe('The answer reflects all changes up to this revision.'),
}));

const foundLine = once(() =>
  z.object({
    line: z.int().positive().describe('Number of the line, from 1; of a match over several lines, the first.'),
    text: z.string().describe('The line without its break; a long one is cut around its first match.'),
    ranges: z
      .array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]))
      .optional()
      .describe('Where it matches: start and end in UTF-16 units of `text`. Absent in a line of context.'),
    replacements: z.array(z.string()).optional().describe('What each match would become, where `replace` was given.'),
    cutAt: z.int().positive().optional().describe('`text` begins so many UTF-16 units into the line.'),
    cut: z.boolean().optional().describe('`text` is not the whole line.'),
    raw: z.boolean().optional().describe('The line is not UTF-8: what can not be shown stands as U+FFFD.'),
  }),
);
export type FoundLine = z.infer<ReturnType<typeof foundLine>>;

export const foundFile = once(() => z.object({ path: z.string(), lines: z.array(foundLine()) }));
export type FoundFile = z.infer<ReturnType<typeof foundFile>>;

const symbolKind = once(() =>
  z.enum([
    'function',
    'method',
    'class',
    'interface',
    'type',
    'enum',
    'member',
    'property',
    'variable',
    'constant',
    'namespace',
    'component',
  ]),
);
export type SymbolKind = z.infer<ReturnType<typeof symbolKind>>;

const symbolAt = once(() => ({
  name: z.string(),
  kind: symbolKind(),
  line: z.int().positive(),
  column: z.int().positive().describe('In UTF-16 units, from 1.'),
}));

export const outlineSymbol = once(() =>
  z.object({
    ...symbolAt(),
    endLine: z.int().positive(),
    depth: z.int().nonnegative().describe('0 at the top of the file.'),
    exported: z.boolean(),
  }),
);
export type OutlineSymbol = z.infer<ReturnType<typeof outlineSymbol>>;

/** What is searched for. */
const question = once(() => ({
  pattern: argument().min(1).max(10_000),
  regex: z.boolean().default(false).describe("The pattern is a regular expression of ripgrep's syntax."),
  caseSensitive: z.boolean().default(true),
  word: z.boolean().default(false).describe('Only whole words.'),
  multiline: z.boolean().default(false).describe('A match may go over line breaks.'),
}));

const replacement = once(() =>
  argument()
    .max(10_000)
    .describe(
      'What a match becomes. Of a regular expression `$1`, `$name` and `${name}` are groups, `$0` is the match and `$$` a dollar sign.',
    ),
);

export const search = {
  'search.text': operation({
    summary: 'Find text in files, exactly as ripgrep does; files with their lines are streamed.',
    access: 'read',
    scope: 'filtered',
    input: () =>
      z.object({
        ...question(),
        replace: replacement().optional(),
        context: z.int().min(0).max(50).default(0).describe('Lines shown before and after each match.'),
        maxResults: z.int().positive().max(1_000_000).default(10_000).describe('Matching lines, after which the search ends.'),
        maxLineLength: z.int().min(20).max(100_000).default(1000).describe('UTF-16 units of a line that are shown.'),
        ...walk(),
      }),
    item: foundFile,
    output: () =>
      z.object({
        matches: z.int().nonnegative().describe('Matching lines.'),
        files: z.int().nonnegative(),
        truncated: z.boolean().describe('There may be more: maxResults was reached, or the time was over.'),
        timedOut: z
          .boolean()
          .optional()
          .describe('The search took longer than it may (docs/limits.md) and was ended; what it had found is there.'),
        engine: z
          .enum(['index', 'walk', 'plain'])
          .describe(
            'index: only files that may match were read; walk: all were, or the caller may not see all; plain: without ripgrep, slower.',
          ),
        searched: z.int().nonnegative().optional().describe('Files that were read, where the index chose them; for who may see all files.'),
        elapsedMs: z.number().nonnegative(),
        ...freshness(),
      }),
    errors: ['BAD_PATTERN', 'FILE_NOT_FOUND', 'PATH_ESCAPES'],
  }),
  'search.replace': operation({
    summary: 'Replace what search.text finds, in all files or in none. Files that people edit take it as edits.',
    access: 'write',
    scope: 'workspace',
    input: () =>
      z.strictObject({
        ...question(),
        replace: replacement(),
        ...walk(),
        except: z
          .array(z.object({ path: entryPath(), line: z.int().positive().optional() }))
          .max(100_000)
          .default([])
          .describe('Files, or matches by the number of their line, that stay as they are.'),
        ifRevision: z
          .int()
          .nonnegative()
          .optional()
          .describe('Refused where a file to be changed has changed since: the revision of the search.text that was looked at.'),
        dryRun: z.boolean().default(false).describe('Check everything and answer what would come of it, but change nothing.'),
        returnBefore: z.boolean().default(false).describe('Answer the changes that undo it: `undo`.'),
      }),
    output: () =>
      z.object({
        matches: z.int().nonnegative().describe('Places that were replaced.'),
        files: z.array(z.object({ path: z.string(), matches: z.int().positive(), etag: etag().nullable() })),
        skipped: z.array(z.object({ path: z.string(), why: z.string() })).describe('Files with matches that were left alone.'),
        undo: z.array(batchChangeOut()).optional().describe('Give them to files.batch, which refuses them where a file was changed since.'),
        ...freshness(),
      }),
    errors: [
      'BAD_PATTERN',
      'FILE_NOT_FOUND',
      'PATH_ESCAPES',
      'PROCESS_TIMEOUT',
      'DEADLINE',
      'TOOL_MISSING',
      'ETAG_MISMATCH',
      'OUTPUT_TOO_LARGE',
      'FILE_PERMISSION',
      'DISK_FULL',
      'BUSY_FILE',
      'READ_ONLY',
    ],
    destructive: true,
  }),
  'search.files': operation({
    summary: 'Find files by glob, or by letters of their path in order; the best come first.',
    access: 'read',
    scope: 'filtered',
    input: () =>
      z.object({
        query: z.string().max(1000).default('').describe('Letters of the path, in order; empty finds all.'),
        limit: z.int().positive().max(100_000).default(1000),
        ...walk(),
      }),
    output: () =>
      z.object({
        files: z.array(
          z.object({
            path: z.string(),
            ranges: z
              .array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]))
              .optional()
              .describe('What of the path the query matched: start and end in UTF-16 units.'),
          }),
        ),
        truncated: z.boolean(),
        ...freshness(),
      }),
    errors: ['FILE_NOT_FOUND', 'PATH_ESCAPES', 'BAD_PATTERN'],
  }),
  'search.symbols': operation({
    summary: 'Find functions, classes, types and the like by name, in all files of known languages.',
    access: 'read',
    scope: 'filtered',
    input: () =>
      z.object({
        query: z.string().max(1000).default('').describe('Letters of the name, in order.'),
        limit: z.int().positive().max(10_000).default(200),
      }),
    output: () =>
      z.object({
        symbols: z.array(z.object({ ...symbolAt(), path: z.string(), container: z.string().optional() })),
        truncated: z.boolean(),
        complete: z.boolean().describe('False while files are still being read.'),
        ...freshness(),
      }),
    errors: ['TOOL_MISSING', 'TOO_MANY_PROCESSES'],
  }),
  'files.outline': operation({
    summary: 'The symbols of one file in order: TypeScript and JavaScript, with and without JSX, and Python.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: entryPath() }),
    output: () =>
      z.object({
        language: z.string(),
        symbols: z.array(outlineSymbol()),
        problems: z.int().nonnegative().describe('Places where the text is not of the language; what could be read is there.'),
      }),
    errors: [
      'FILE_NOT_FOUND',
      'PATH_ESCAPES',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'NOT_TEXT',
      'NO_LANGUAGE',
      'TOOL_MISSING',
      'OUTPUT_TOO_LARGE',
      'TOO_MANY_PROCESSES',
    ],
  }),
  'files.hash': operation({
    summary: 'The sha256 of a file of any size.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: entryPath() }),
    output: () => z.object({ path: z.string(), sha256: z.string(), size: z.int().nonnegative() }),
    errors: ['FILE_NOT_FOUND', 'PATH_ESCAPES', 'NOT_A_FILE', 'NOT_A_DIRECTORY'],
  }),
  'index.status': operation({
    summary: 'How far the index is, and what it holds.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () =>
      z.object({
        state: z.enum(['off', 'building', 'ready', 'failed']),
        problem: z.string().optional(),
        files: z.int().nonnegative().describe('Those that the caller may see.'),
        textBytes: z.int().nonnegative().describe('This and `indexBytes` are 0 for callers limited to some paths.'),
        indexBytes: z.int().nonnegative(),
        ripgrep: z.string().optional().describe('Its version; absent when it is not there.'),
        ...freshness(),
      }),
    errors: [],
  }),
  'index.wait': operation({
    summary: 'Wait until answers of search reflect a revision.',
    access: 'read',
    scope: 'none',
    input: () =>
      z.object({
        revision: z
          .int()
          .nonnegative()
          .optional()
          .describe('Left out: what was written to the folder before this call, by whatever program.'),
        timeoutMs: z.int().positive().max(600_000).default(30_000),
      }),
    output: () => z.object({ ...freshness() }),
    errors: ['DEADLINE'],
  }),
};

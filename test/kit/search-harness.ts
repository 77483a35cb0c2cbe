// For tests: the search of a folder with a workspace and an index, without a watch or anything that listens.
import path from 'node:path';
import { rgPath } from '@vscode/ripgrep';
import { Processes } from '../../src/services/processes/processes.ts';
import type { IndexOptions } from '../../src/services/search/indexed-search.ts';
import { Ripgrep } from '../../src/services/search/ripgrep.ts';
import { Search } from '../../src/services/search/search.ts';
import type { Workspace } from '../../src/services/workspace/workspace.ts';
import type { TextQuery } from './rg-lines.ts';
import { openWorkspace } from './workspace-harness.ts';

export interface SearchHarness {
  workspace: Workspace;
  search: Search;
  /** Lines as `rgLines` has them, and which way they were found. Throws as the search does. */
  find(query: TextQuery): Promise<{ lines: string[]; engine: string }>;
  /** Names of what was logged so far. */
  log: readonly string[];
}

const BUSY_MS = 60_000;

export interface SearchHarnessOptions {
  /** Where it says when the index is ready, nothing is waited for before `run`. */
  faults?: NonNullable<IndexOptions['faults']>;
  /** Stands in for ripgrep. */
  program?: string;
  /** Globs. */
  unwatched?: readonly string[];
  /** Searches wait for what just changed as long as people's do; else as long as a busy machine may take. */
  impatient?: boolean;
}

/** Searches `folder`/root with the index in `folder`/index, which stays. */
export async function withSearch(
  folder: string,
  run: (harness: SearchHarness) => Promise<void>,
  options: SearchHarnessOptions = {},
): Promise<void> {
  const { faults = {}, program = rgPath, unwatched = [], impatient = false } = options;
  const root = path.join(folder, 'root');
  const { state, workspace } = openWorkspace(folder);
  const processes = new Processes({ env: {} });
  const log: string[] = [];
  const search = new Search(
    {
      workspace,
      processes,
      ripgrep: new Ripgrep({ processes }, { program, root, unwatched }),
      flush: () => Promise.resolve(),
      settled: () => Promise.resolve(),
      log: (event) => void log.push(event),
    },
    {
      index: { threads: 1, open: () => ({ folder: path.join(folder, 'index'), kept: true, release: () => {} }), faults },
      ...(impatient ? {} : { catchUpMs: BUSY_MS }),
    },
  );
  try {
    const started = search.start();
    if (faults.readyAfter === undefined) await started;
    await run({ workspace, search, find: (query) => find(search, query), log });
  } finally {
    await search.stop();
    await processes.stop();
    workspace.close();
    state.close();
  }
}

async function find(
  search: Search,
  { pattern, regex = false, caseSensitive = true, word = false, multiline = false, include = [] }: TextQuery,
): Promise<{ lines: string[]; engine: string }> {
  const lines: string[] = [];
  const walk = { path: '', include, exclude: [], hidden: false, ignored: false };
  const { engine } = await search.text(
    { ...walk, pattern, regex, caseSensitive, word, multiline, context: 0, maxResults: 100_000, maxLineLength: 100_000 },
    {
      signal: new AbortController().signal,
      found: (file) => {
        for (const { line, ranges } of file.lines) lines.push(`${file.path}:${line} ${JSON.stringify(ranges)}`);
      },
    },
  );
  return { lines: lines.sort(), engine };
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withWorkspace } from '../../test/kit/workspace-harness.ts';
import { loadConfig } from '../config/load.ts';
import { Processes } from '../services/processes/processes.ts';
import { type OpenSearchDependencies, openSearch } from './open-search.ts';

const MIB = 1024 * 1024;

test('a container too small for an index does without one and says so, and what is searched is found', () =>
  withWorkspace(async ({ root, state, workspace, put }) => {
    put('a.txt', 'needle\n');
    const { config } = loadConfig({ env: { WORKSPACE_PATH: root } });
    const logged: string[] = [];
    const processes = new Processes({ env: process.env });
    const dependencies = {
      workspace,
      state,
      processes,
      documents: undefined,
      watching: { barrier: () => Promise.resolve() },
      secrets: () => new Set<string>(),
      log: (_level: string, event: string) => void logged.push(event),
      batch: () => Promise.reject(new Error('Nothing is replaced.')),
    } as unknown as OpenSearchDependencies;
    const searched = async (memoryBytes: number): Promise<{ engine: string; files: number; problem: string | undefined }> => {
      const { search } = await openSearch(dependencies, config, memoryBytes);
      try {
        await search.start();
        const walk = { path: '', include: [], exclude: [], hidden: false, ignored: false };
        const query = { regex: false, caseSensitive: true, word: false, multiline: false, context: 0, maxResults: 10, maxLineLength: 100 };
        const call = { signal: new AbortController().signal, found: () => {} };
        const { engine, files } = await search.text({ ...query, ...walk, pattern: 'needle' }, call);
        assert.equal(search.status().state, 'ready');
        return { engine, files, problem: search.status().problem };
      } finally {
        await search.stop();
      }
    };
    try {
      assert.deepEqual(await searched(512 * MIB), { engine: 'index', files: 1, problem: undefined });
      assert.ok(!logged.includes('search.no-index'));
      assert.deepEqual(await searched(128 * MIB), {
        engine: 'walk',
        files: 1,
        problem: 'There is no index, each search reads all: to build one takes up to 216 MiB of memory here, and there are 128.',
      });
      assert.ok(logged.includes('search.no-index'));
      // What one of few files fits into, one of these does not.
      for (let at = 0; at < 3000; at++) put(`many/${at}`, '');
      const { engine, problem } = await searched(217 * MIB);
      assert.equal(engine, 'walk');
      assert.match(problem ?? '', /takes up to 218 MiB of memory here, and there are 217\.$/);
    } finally {
      await processes.stop();
    }
  }));

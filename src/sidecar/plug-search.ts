import type { Config } from '../config/options.ts';
import { search as table } from '../contract/search.ts';
import type { Search } from '../services/search/search.ts';
import type { Health } from './health.ts';
import { LatePart } from './late-part.ts';
import type { OpenSearchDependencies } from './open-search.ts';

export interface PluggedSearch {
  /** The watch knows the folder: it can be listed, once somebody is there. */
  ready(): void;
  /** Somebody is there who may search: from now on the index is kept warm. */
  wake(): void;
  stop(): Promise<void>;
}

/** Makes the folder searchable. A sidecar that nobody uses holds neither the code of it nor an index. */
export function plugSearch(
  {
    health,
    implementations,
    ...dependencies
  }: Omit<OpenSearchDependencies, 'batch'> & { health: Health; implementations: Record<string, unknown> },
  config: Config,
): PluggedSearch {
  let search: Search | undefined;
  let folderKnown = false;
  let stopped = false;
  const startWhenKnown = (): void => {
    if (folderKnown && !stopped) void search?.start();
  };
  const late = new LatePart(async () => {
    const { openSearch } = await import('./open-search.ts');
    const made = await openSearch({ ...dependencies, batch: implementations['files.batch'] as OpenSearchDependencies['batch'] }, config);
    ({ search } = made);
    startWhenKnown();
    return made;
  });
  Object.assign(implementations, late.operations(Object.keys(table)));
  health.add(() => {
    if (search === undefined) return { name: 'search', ok: true, text: 'The folder is listed when somebody connects.' };
    const { state, problem, files, ripgrep } = search.status();
    // Without ripgrep it is slower, and answers all the same: `doctor` says how to get it.
    if (problem !== undefined) return { name: 'search', ok: state !== 'failed', text: problem };
    return {
      name: 'search',
      ok: true,
      text: state === 'ready' ? `ripgrep ${ripgrep}, ${files} files` : `ripgrep ${ripgrep ?? ''}, listing the folder`,
    };
  });
  return {
    ready() {
      folderKnown = true;
      startWhenKnown();
    },
    wake() {
      // What goes wrong is told to whoever searches.
      if (!stopped) void late.open().catch(() => {});
    },
    async stop() {
      stopped = true;
      await late.settled();
      await search?.stop();
    },
  };
}

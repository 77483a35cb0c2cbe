import type { Config } from '../config/options.ts';
import { Documents } from '../services/documents/documents.ts';
import { documentOperations } from '../services/documents/operations.ts';
import type { State } from '../services/state/state.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';

/** Makes documents, and lets them stand before the files that they hold. */
export function plugDocuments(
  dependencies: {
    workspace: Workspace;
    state: State;
    opened: ((realPath: string) => void) | undefined;
    now: () => number;
    log: Log;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
  { readOnly, trustState }: { readOnly: boolean; trustState: boolean },
): Documents {
  const { workspace, state, opened, now, log, health, implementations } = dependencies;
  const documents = new Documents(
    { workspace, state, opened, now, log: (event, facts) => log(facts['error'] === undefined ? 'info' : 'warn', event, facts) },
    {
      textName: config['documents.textName'],
      maxBytes: config['documents.maxBytes'],
      maxOpen: config['documents.maxOpen'],
      saveIdleMs: config['documents.saveIdleMs'],
      saveMaxMs: config['documents.saveMaxMs'],
      unloadMs: config['documents.unloadMs'],
      readOnly,
      trustState,
    },
  );
  workspace.liveText = documents;
  Object.assign(implementations, documentOperations(documents));
  health.add(() => {
    const troubled = documents.troubled;
    if (documents.problem === undefined && troubled.length === 0)
      return { name: 'documents', ok: true, text: `${documents.list().length} open` };
    return {
      name: 'documents',
      ok: false,
      // Of which files documents.list says, to those who may see them.
      text: documents.problem ?? `${troubled.length} can't be saved.`,
      hint: documents.isReadOnly ? 'What was edited before is saved to its file.' : 'Edits are kept; they are saved when it works again.',
    };
  });
  return documents;
}

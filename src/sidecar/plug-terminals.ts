import type { Config } from '../config/options.ts';
import type { ProcessTable } from '../services/processes/process-table.ts';
import type { Processes } from '../services/processes/processes.ts';
import { terminalOperations } from '../services/terminals/operations.ts';
import { Terminals } from '../services/terminals/terminals.ts';

/** Makes terminals operations away; gives the way to let go of their screens. */
export function plugTerminals(
  { runs, processes, implementations }: { runs: ProcessTable; processes: Processes; implementations: Record<string, unknown> },
  config: Config,
): () => void {
  const shell = config['terminals.shell'] ?? processes.env['SHELL'] ?? processes.find('bash') ?? 'sh';
  const terminals = new Terminals({ processes: runs }, { shell, scrollback: config['terminals.scrollback'] });
  Object.assign(implementations, terminalOperations(terminals));
  return () => terminals.stop();
}

import { createRequire, findPackageJSON } from 'node:module';
import type { Caller } from '../contract/access.ts';
import type { Implementations } from '../contract/operation.ts';
import type { system } from '../contract/system.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { Check } from './health.ts';
import { type ToolRow, tools } from './tools.ts';

type Doctor = Implementations<typeof system>['system.doctor'];
type Tool = Awaited<ReturnType<Doctor>>['tools'][number];

const VERSION_TIMEOUT_MS = 5000;

/** Looks for every tool of the table, now. */
export async function examine(processes: Processes, cwd: string): Promise<Tool[]> {
  return Promise.all(tools.map(async (row) => (row.kind === 'program' ? examineProgram(row, processes, cwd) : examinePackage(row))));
}

async function examineProgram(row: ToolRow, processes: Processes, cwd: string): Promise<Tool> {
  if (processes.find(row.tool) === undefined) return missing(row);
  const { stdout } = await processes.run({ argv: [row.tool, ...(row.args ?? ['--version'])], cwd, timeoutMs: VERSION_TIMEOUT_MS });
  const version = /\d+(?:\.\d+)+/.exec(stdout.toString())?.[0];
  return { tool: row.tool, found: true, source: 'path', ...(version === undefined ? {} : { version }) };
}

function examinePackage(row: ToolRow): Tool {
  try {
    // By its file: not every package exports its manifest.
    const manifest = findPackageJSON(row.tool, import.meta.url);
    if (manifest === undefined) return missing(row);
    const { version } = createRequire(import.meta.url)(manifest) as { version: string };
    return { tool: row.tool, found: true, source: 'bundled', version };
  } catch {
    return missing(row);
  }
}

function missing({ tool, lost, install }: ToolRow): Tool {
  return { tool, found: false, source: 'missing', lost, install };
}

export function doctorOperation(processes: Processes, cwd: string, checks: (caller: Caller) => Check[]): Doctor {
  return async (_input, { caller }) => ({ tools: await examine(processes, cwd), checks: checks(caller) });
}

import { createRequire, findPackageJSON } from 'node:module';
import type { Caller } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Implementations } from '../contract/operation.ts';
import type { system } from '../contract/system.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { Check } from './health.ts';
import { type ToolRow, tools } from './tools.ts';

type Doctor = Implementations<typeof system>['system.doctor'];
type Tool = Awaited<ReturnType<Doctor>>['tools'][number];

const VERSION_TIMEOUT_MS = 5000;

/** Looks for every tool of the table, now. One that is there and does not work counts as missing; what is in its way stands before how to install it. */
export async function examine(processes: Processes, cwd: string): Promise<Tool[]> {
  return Promise.all(tools.map(async (row) => (row.kind === 'program' ? examineProgram(row, processes, cwd) : examinePackage(row))));
}

async function examineProgram(row: ToolRow, processes: Processes, cwd: string): Promise<Tool> {
  const file = processes.find(row.tool);
  if (file === undefined) return missing(row);
  const broken = (why: string): Tool => missing({ ...row, install: `${file} does not work (${why}); ${row.install}` });
  try {
    const argv: [string, ...string[]] = [row.tool, ...(row.args ?? ['--version'])];
    const { exitCode, exitSignal, stdout } = await processes.run({ argv, cwd, timeoutMs: VERSION_TIMEOUT_MS });
    if (exitCode !== 0) return broken(`it ended with ${exitCode ?? exitSignal}`);
    const version = /\d+(?:\.\d+)+/.exec(stdout.toString())?.[0];
    return { tool: row.tool, found: true, source: 'path', ...(version === undefined ? {} : { version }) };
  } catch (error) {
    if (!(error instanceof OutriggerError) || !['TOOL_MISSING', 'PROCESS_TIMEOUT'].includes(error.reason)) throw error;
    return broken(error.message.replace(/\.$/, ''));
  }
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

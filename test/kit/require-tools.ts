import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
// The programs that tests may require, each with the Debian packages that bring it: .ci/run installs exactly these.
import packagesOf from './tools.json' with { type: 'json' };

export type Tool = keyof typeof packagesOf;

/** Where any one of some programs will do, the best first. The shell is Chromium without a window's machinery: it starts in a quarter of the time. */
const programsOf: Partial<Record<Tool, readonly string[]>> = { chromium: ['chromium-headless-shell', 'chromium'] };

/**
 * For a test's `skip` option: false when every program is on PATH, else the reason with the line that installs them.
 * With REQUIRE_TOOLS=1 (CI) a missing program throws, so that the file fails and nothing is skipped unnoticed.
 */
export function requireTool(...tools: Tool[]): string | false {
  const missing = tools.filter((tool) => toolPath(tool) === undefined);
  if (missing.length === 0) return false;
  const reason = `needs ${missing.join(', ')}: apt-get install ${missing.map((tool) => packagesOf[tool]).join(' ')}`;
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`REQUIRE_TOOLS=1 and this ${reason}`);
  return reason;
}

/** Absolute path of a tool, or undefined. */
export function toolPath(tool: Tool): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return (programsOf[tool] ?? [tool]).flatMap((program) => folders.map((folder) => join(folder, program))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

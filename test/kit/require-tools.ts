import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
// The programs that tests may require, each with the Debian packages that bring it: .ci/run installs exactly these.
import packagesOf from './tools.json' with { type: 'json' };

export type Tool = keyof typeof packagesOf;

/**
 * For a test's `skip` option: false when every program is on PATH, else the reason with the line that installs them.
 * With REQUIRE_TOOLS=1 (CI) a missing program throws, so that the file fails and nothing is skipped unnoticed.
 */
export function requireTool(...tools: Tool[]): string | false {
  const missing = tools.filter((tool) => !isOnPath(tool));
  if (missing.length === 0) return false;
  const reason = `needs ${missing.join(', ')}: apt-get install ${missing.map((tool) => packagesOf[tool]).join(' ')}`;
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`REQUIRE_TOOLS=1 and this ${reason}`);
  return reason;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
      return false;
    }
  });
}

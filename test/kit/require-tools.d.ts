import packagesOf from './tools.json';
export type Tool = keyof typeof packagesOf;
/**
 * For a test's `skip` option: false when every program is on PATH, else the reason with the line that installs them.
 * With REQUIRE_TOOLS=1 (CI) a missing program throws, so that the file fails and nothing is skipped unnoticed.
 */
export declare function requireTool(...tools: Tool[]): string | false;

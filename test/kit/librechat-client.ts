import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FETCH_MS = 60_000;

interface FindNode {
  findNpm(nodePath: string): { command: string; prefix: string[] };
}

/** LibreChat's client as npm has it: the first one whose fields are the older ones, and a later one. Their hashes are those of npm. */
export const librechatVersions = {
  '3.2.21': '1gQq1c8mdFEu/sKVUp9qIN9MAx36hZ9Rfhffs2wH1yQxTCSeW8ili3nJU7f8Qu2oe5CnpuJjI0YTdCXq5SwS0g==',
  '3.9.2': 'QrCGLdJLZQBprBvS7gNfrNEqykwt0B157A2tMGJflmzdBQa8/TQ0yLydQo3NcA7TtFZJeJNmCo0hsZj4UJbjmw==',
} as const;
export type LibrechatVersion = keyof typeof librechatVersions;

/** What its tools answer: the text for the model, and what the program around it keeps. */
type Answer = [content: string, artifact: { session_id?: string; files?: { id: string; name: string; storage_session_id?: string }[] }];

export interface LibrechatTool {
  invoke(input: object, config?: { toolCall?: object }): Promise<Answer>;
}

export interface LibrechatClient {
  createCodeExecutionTool(params: object): LibrechatTool;
  createProgrammaticToolCallingTool(params: object): LibrechatTool;
  fetchSessionFiles(baseUrl: string, session: string, ...more: unknown[]): Promise<{ id: string; name: string }[]>;
}

/**
 * The tools that run code, unchanged, of the package @librechat/agents. All of it would bring some 290 packages and a telemetry client into
 * the tree, for what these files need of five: so the tarball alone is fetched, once, checked against its hash, and those five have
 * stand-ins. The base URL has to be in LIBRECHAT_CODE_BASEURL before. Throws where npm can't be reached.
 */
export async function loadLibrechat(version: LibrechatVersion): Promise<LibrechatClient> {
  const tools = path.join(await fetchPackage(version), 'dist', 'esm', 'tools');
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const code =
        context.parentURL?.startsWith(pathToFileURL(tools).href.replace(/tools$/, '')) === true ? standIns[specifier] : undefined;
      if (code === undefined) return next(specifier, context);
      return { url: `data:text/javascript,${encodeURIComponent(code)}`, format: 'module', shortCircuit: true };
    },
  });
  try {
    const [executor, programmatic] = await Promise.all(
      ['CodeExecutor.mjs', 'ProgrammaticToolCalling.mjs'].map((file) => import(pathToFileURL(path.join(tools, file)).href)),
    );
    return { ...(executor as object), ...(programmatic as object) } as LibrechatClient;
  } finally {
    hooks.deregister();
  }
}

const standIns: Readonly<Record<string, string>> = {
  '@langchain/core/tools': 'export const tool = (run, settings) => ({ ...settings, invoke: (input, config = {}) => run(input, config) });',
  '@langchain/core/utils/env': 'export const getEnvironmentVariable = (name) => process.env[name];',
  dotenv: 'export const config = () => ({});',
  'node-fetch': 'export default globalThis.fetch;',
  'https-proxy-agent': 'export class HttpsProxyAgent {}',
  'socks-proxy-agent': 'export class SocksProxyAgent {}',
};

async function fetchPackage(version: LibrechatVersion): Promise<string> {
  const cache = path.join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'outrigger', `librechat-agents-${version}`);
  const tarball = path.join(cache, `librechat-agents-${version}.tgz`);
  const unpacked = path.join(cache, 'package');
  fs.mkdirSync(cache, { recursive: true });
  if (!fs.existsSync(tarball)) {
    // A script for any Node, without types.
    const { findNpm } = (await import('../../scripts/find-node.mjs' as string)) as FindNode;
    const npm = findNpm(process.execPath);
    const args = ['pack', `@librechat/agents@${version}`, '--silent', '--pack-destination', cache];
    await run(npm.command, [...npm.prefix, ...args], { timeout: FETCH_MS });
  }
  const hash = createHash('sha512').update(fs.readFileSync(tarball)).digest('base64');
  if (hash !== librechatVersions[version]) fs.rmSync(tarball);
  assert.equal(hash, librechatVersions[version], 'the tarball is the one that was looked at');
  if (!fs.existsSync(path.join(unpacked, 'package.json'))) await run('tar', ['-xzf', tarball, '-C', cache], { timeout: FETCH_MS });
  return unpacked;
}

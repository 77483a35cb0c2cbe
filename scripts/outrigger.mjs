#!/usr/bin/env node
// The published command, in plain JavaScript for any Node >= 18: runs the bundle, or in a checkout the sources, on a recent Node.
// Where the running Node is recent enough that is this very process. Else it fetches one once, into the user's cache
// (in a checkout into .toolchain), and hands over to it with stdio, signals, exit code and a channel (see run.mjs).
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findNode } from './find-node.mjs';
import { foreground, handedOver } from './foreground.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// A checkout may hold a bundle too, but one that is older than its sources; the package holds no sources.
const sources = join(root, 'src', 'cli', 'main.ts');
const inCheckout = existsSync(sources);
const program = inCheckout ? sources : join(root, 'dist', 'outrigger.mjs');
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'outrigger');
const say = (line) => process.stderr.write(`${line}\n`);

try {
  if (inCheckout && !existsSync(join(root, 'node_modules', 'commander')))
    throw new Error(`The packages of this checkout are not installed yet: npm ci --prefix ${root}, or npm start there once.`);
  const node = await findNode({ directory: inCheckout ? join(root, '.toolchain') : join(cache, 'toolchain'), say });
  if (node.path === process.execPath) await runHere();
  else await handOver(node);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function runHere() {
  module.enableCompileCache?.(join(cache, 'compile'));
  process.argv[1] = program;
  await import(pathToFileURL(program).href);
}

async function handOver(node) {
  const { run } = foreground();
  const env = {
    ...process.env,
    OUTRIGGER_PARENT_CHANNEL: '1',
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cache, 'compile'),
  };
  process.exit(await run(node.path, [program, ...process.argv.slice(2)], { env, stdio: handedOver }));
}

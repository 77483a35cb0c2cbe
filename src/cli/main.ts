#!/usr/bin/env node
import * as module from 'node:module';

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  // Nothing of ours runs there, so nothing of ours is loaded to say it.
  console.error(`outrigger: this is Node ${process.versions.node}, and Node 24 or newer is needed (https://nodejs.org).`);
  process.exitCode = 69;
} else {
  // Compiling again what did not change is a third of the start.
  module.enableCompileCache();
  const { main } = await import('./program.ts');
  await main(process.argv.slice(2));
}

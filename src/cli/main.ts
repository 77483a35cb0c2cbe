#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// Compiling again what did not change is a third of the start.
enableCompileCache();
const { main } = await import('./program.ts');
await main(process.argv.slice(2));

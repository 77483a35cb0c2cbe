// Reads files and makes their outlines, in a thread of its own: parsing a large file takes longer than anybody should wait for the event loop.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { OutriggerError } from '../../contract/errors.ts';
import { languageOf } from './languages.ts';
import type { Outline } from './outline.ts';

export interface SymbolsOrder {
  id: number;
  /** Of files to be read; of one whose text is given, its name only says the language. */
  paths: string[];
  text?: string;
}

export interface FromSymbols {
  id: number;
  /** One for each path; null: it can't be read. */
  outlines: (Outline | null)[];
  /** The parser is not there. */
  missing?: string;
}

const maxFileBytes = 4 * 1024 * 1024;

async function answer({ id, paths, text }: SymbolsOrder, root: string): Promise<FromSymbols> {
  const outlines: (Outline | null)[] = [];
  for (const path of paths) {
    try {
      outlines.push((await languageOf(path)?.outline(text ?? readText(join(root, path)), path)) ?? null);
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'TOOL_MISSING') return { id, outlines: [], missing: error.message };
      outlines.push(null);
    }
  }
  return { id, outlines };
}

function readText(file: string): string {
  // Not read to find that it is too large.
  const bytes = statSync(file).size > maxFileBytes ? undefined : readFileSync(file);
  if (bytes === undefined || bytes.includes(0)) throw new Error('This is no source text.');
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

if (parentPort) {
  const port = parentPort;
  const { root } = workerData as { root: string };
  port.on('message', (order: SymbolsOrder) => void answer(order, root).then((said) => port.postMessage(said)));
}

// Reads files and makes their outlines, in a process of its own: parsers are programs in other languages, and recursion without an end in one of
// them ends the process that it is in. Orders come on stdin, answers leave on stdout, each a line of JSON; with its input it ends.

import { hash } from 'node:crypto';
import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineSplitter } from '../../core/ndjson.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { languageOf } from './languages.ts';
import { openForReading } from './open-file.ts';
import type { Outline } from './outline.ts';

export interface SymbolsOrder {
  root: string;
  /** Of files to be read; of one whose text is given, its name only says the language. */
  paths: readonly string[];
  text?: string | undefined;
  /** sha256 of texts on which a parser died: they are passed over. */
  fatal: readonly string[];
}

export type FromSymbols =
  /** sha256 of the text that is parsed from now on; said before that begins. */
  | { type: 'parsing'; sha256: string }
  /** Of the next path; null: it can't be read. */
  | { type: 'outline'; outline: Outline | null }
  /** The parser is not there; nothing more comes of this order. */
  | { type: 'missing'; message: string };

const maxOrderBytes = 64 * 1024 * 1024;
const maxFileBytes = 4 * 1024 * 1024;

async function answer({ root, paths, text: given, fatal }: SymbolsOrder): Promise<void> {
  const passedOver = new Set(fatal);
  for (const path of paths) {
    let outline: Outline | null = null;
    try {
      const text = given ?? readText(join(root, path));
      const sha256 = hash('sha256', text);
      if (!passedOver.has(sha256)) {
        await say({ type: 'parsing', sha256 });
        outline = (await languageOf(path)?.outline(text, path)) ?? null;
      }
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'TOOL_MISSING') return await say({ type: 'missing', message: error.message });
    }
    await say({ type: 'outline', outline });
  }
}

function readText(file: string): string {
  const descriptor = openForReading(file);
  try {
    const stat = fstatSync(descriptor);
    // Not read to find that it is too large, or has no end.
    const bytes = !stat.isFile() || stat.size > maxFileBytes ? undefined : readFileSync(descriptor);
    if (bytes === undefined || bytes.includes(0)) throw new Error('This is no source text.');
    return bytes.toString('utf8').replace(/^\uFEFF/, '');
  } finally {
    closeSync(descriptor);
  }
}

/** Resolves when it has left this process. */
function say(message: FromSymbols): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve());
  });
}

const orders: SymbolsOrder[] = [];
const lines = new LineSplitter(maxOrderBytes, {
  line: (line) => void orders.push(JSON.parse(line) as SymbolsOrder),
  bad: (problem) => {
    throw new Error(`An order is ${problem}.`);
  },
});
for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
  lines.push(chunk);
  for (const order of orders.splice(0)) await answer(order);
}

// Searches files one after the other with a JavaScript expression, in a thread that is ended when it takes too long.

import { closeSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { FoundFile } from '../../contract/search.ts';
import { inItems } from './item-lines.ts';
import { openForReading } from './open-file.ts';
import { findLines } from './plain-lines.ts';
import { compilePattern } from './plain-pattern.ts';
import type { LineLimits } from './rg-events.ts';
import type { TextQuery } from './ripgrep.ts';

export interface PlainOrder {
  query: TextQuery;
  limits: LineLimits;
  root: string;
}

/** Files to be searched after those before, or nothing: what is still to be said of those. */
export type ToPlain = { files: string[] } | 'go on';

export interface FromPlain {
  found: { file: FoundFile; matches: number }[];
  /** False: there is more to be said when asked to go on. */
  done: boolean;
  /** The pattern can't be used, why, and where. */
  problem?: { text: string; column?: number };
}

const MAX_FILE_BYTES = 128 * 1024 * 1024;
/** Items in one answer. */
const ITEMS_AT_ONCE = 8;

type Item = FromPlain['found'][number];

function* search(files: readonly string[], expression: RegExp, { query, limits, root }: PlainOrder): Generator<Item> {
  for (const path of files) {
    const text = readText(join(root, path));
    if (text !== undefined) yield* inItems(path, findLines(text, expression, query, limits));
  }
}

/** Undefined for what is no text, too large, or can't be read. */
function readText(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openForReading(file);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return undefined;
    const bytes = Buffer.allocUnsafe(stat.size);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got)
      got = readSync(descriptor, bytes, length, bytes.length - length, null);
    const whole = bytes.subarray(0, length);
    return whole.includes(0) ? undefined : whole.toString('utf8').replace(/^\uFEFF/, '');
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** The next items; `done` when there are no others. */
function take(items: Generator<Item>): FromPlain {
  const found: Item[] = [];
  while (found.length < ITEMS_AT_ONCE) {
    const { value, done } = items.next();
    if (done === true) return { found, done };
    found.push(value);
  }
  return { found, done: false };
}

if (parentPort) {
  const port = parentPort;
  const order = workerData as PlainOrder;
  const compiled = compilePattern(order.query);
  let items: Generator<Item> | undefined;
  port.on('message', (message: ToPlain) => {
    if ('problem' in compiled) {
      port.postMessage({ found: [], done: true, problem: compiled.problem } satisfies FromPlain);
      return;
    }
    if (message !== 'go on') items = search(message.files, compiled.expression, order);
    port.postMessage(items === undefined ? { found: [], done: true } : take(items));
  });
}

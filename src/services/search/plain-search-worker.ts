// Searches files one after the other with a JavaScript expression, in a thread that is ended when it takes too long.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { FoundFile, FoundLine } from '../../contract/search.ts';
import type { TextQuery } from './ripgrep.ts';
import { cutLine, type LineLimits } from './rg-events.ts';

export interface PlainOrder {
  query: TextQuery;
  limits: LineLimits;
  root: string;
}

export interface FromPlain {
  found: { file: FoundFile; matches: number }[];
  /** The pattern can't be used, and why. */
  problem?: string;
}

const maxFileBytes = 64 * 1024 * 1024;
const linesPerItem = 200;
// A FIFO would block a plain open, and a symlink would lead elsewhere. Windows has neither flag.
const openFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

class PlainSearcher {
  readonly #order: PlainOrder;
  readonly #expression: RegExp;

  constructor(order: PlainOrder) {
    this.#order = order;
    this.#expression = expressionOf(order.query);
  }

  search(path: string): { file: FoundFile; matches: number }[] {
    const text = readText(join(this.#order.root, path));
    if (text === undefined) return [];
    const lines = this.#linesOf(text);
    const items: { file: FoundFile; matches: number }[] = [];
    for (let at = 0; at < lines.length; at += linesPerItem) {
      const part = lines.slice(at, at + linesPerItem);
      items.push({ file: { path, lines: part }, matches: part.filter(({ ranges }) => ranges !== undefined).length });
    }
    return items;
  }

  #linesOf(text: string): FoundLine[] {
    const { query, limits } = this.#order;
    const lines = query.multiline ? wholeMatches(text, this.#expression) : lineMatches(text, this.#expression, query.context);
    return lines.map((line) => (line.text.length > limits.maxLineLength ? cutLine(line, limits.maxLineLength) : line));
  }
}

function lineMatches(text: string, expression: RegExp, context: number): FoundLine[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const found = new Map<number, FoundLine>();
  for (const [index, line] of lines.entries()) {
    const ranges = [...line.matchAll(expression)].map((match): [number, number] => [match.index, match.index + match[0].length]);
    if (ranges.length === 0) continue;
    for (let near = Math.max(0, index - context); near <= Math.min(lines.length - 1, index + context); near++)
      if (!found.has(near)) found.set(near, { line: near + 1, text: plain(lines[near] as string) });
    const shown = plain(line);
    found.set(index, { line: index + 1, text: shown, ranges: ranges.map(([start, end]) => [start, Math.min(end, shown.length)]) });
  }
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, line]) => line);
}

/** Each match with the lines that it touches. */
function wholeMatches(text: string, expression: RegExp): FoundLine[] {
  const lines: FoundLine[] = [];
  let number = 1;
  let counted = 0;
  for (const match of text.matchAll(expression)) {
    const start = text.lastIndexOf('\n', match.index - 1) + 1;
    const stop = match.index + match[0].length;
    const end = text.indexOf('\n', Math.max(stop - 1, match.index));
    for (let at = text.indexOf('\n', counted); at >= 0 && at < start; at = text.indexOf('\n', counted)) {
      number++;
      counted = at + 1;
    }
    const shown = plain(text.slice(start, end < 0 ? undefined : end));
    const range: [number, number] = [match.index - start, Math.min(stop - start, shown.length)];
    const last = lines.at(-1);
    if (last?.line === number && last.text === shown) last.ranges?.push(range);
    else lines.push({ line: number, text: shown, ranges: [range] });
  }
  return lines;
}

function plain(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function expressionOf({ pattern, regex, caseSensitive, word, multiline }: TextQuery): RegExp {
  const source = regex ? pattern : pattern.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const flags = `gu${caseSensitive ? '' : 'i'}${multiline ? 'm' : ''}`;
  return new RegExp(word ? `(?<![\\p{L}\\p{N}_])(?:${source})(?![\\p{L}\\p{N}_])` : source, flags);
}

/** Undefined for what is no text, too large, or can't be read. */
function readText(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, openFlags);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size > maxFileBytes) return undefined;
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

if (parentPort) {
  const port = parentPort;
  let searcher: PlainSearcher | undefined;
  let problem: string | undefined;
  try {
    searcher = new PlainSearcher(workerData as PlainOrder);
  } catch (error) {
    problem = (error as Error).message;
  }
  port.on('message', (files: string[]) => {
    const answer: FromPlain = { found: searcher === undefined ? [] : files.flatMap((file) => searcher.search(file)) };
    if (problem !== undefined) answer.problem = problem;
    port.postMessage(answer);
  });
}

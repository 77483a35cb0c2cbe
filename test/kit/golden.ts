import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Tool } from './require-tools.ts';

/** A conversation with one server, as a file of test/golden has it. */
export interface Golden {
  name: string;
  /** What it shows, as the title of a test. */
  about: string;
  needs: Tool[];
  steps: { request: GoldenRequest; response: GoldenResponse }[];
}

interface GoldenRequest {
  method: string;
  path: string;
  /** null: this one is not sent. */
  headers?: Record<string, string | null>;
  json?: unknown;
  text?: string;
  form?: { name: string; text: string; filename?: string }[];
}

interface GoldenResponse {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  text?: string;
}

export function goldenFiles(folder: string): Golden[] {
  const at = path.join(import.meta.dirname, '..', 'golden', folder);
  return fs
    .readdirSync(at)
    .sort()
    .map((file) => {
      const golden = JSON.parse(fs.readFileSync(path.join(at, file), 'utf8')) as Omit<Golden, 'name'>;
      return { ...golden, needs: golden.needs ?? [], name: path.basename(file, '.json') };
    });
}

const placeholders: Readonly<Record<string, string>> = {
  any: '[^]*',
  sha256: '[0-9a-f]{64}',
  time: String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`,
  id: '[A-Za-z0-9][A-Za-z0-9_-]{19}[A-Za-z0-9]',
  token: '[A-Za-z0-9_-]{16,}',
};
const kinds: Readonly<Record<string, (value: unknown) => boolean>> = {
  '<number>': (value) => typeof value === 'number',
  '<boolean>': (value) => typeof value === 'boolean',
  '<number or null>': (value) => value === null || typeof value === 'number',
  '<string or null>': (value) => value === null || typeof value === 'string',
};

/**
 * Asks every step of a conversation and compares the answers, with no field more or less than the file has. `<id:a>` stands for an id: the
 * first one is kept under that name, the later ones must be the same, and requests get it put in. `<any>`, `<time>`, `<sha256>`, `<number>`,
 * … stand for what differs each time; `<token>` in a header or a body is the key.
 */
export async function replay({ name, steps }: Golden, { url, token }: { url: string; token: string }): Promise<void> {
  const known = new Map([['token', token]]);
  for (const [at, { request, response }] of steps.entries()) {
    const where = `${name}, step ${at + 1}: ${request.method} ${request.path}`;
    const put = (text: string): string => text.replace(/<((?:id|token):\w+|token)>/g, (all, key: string) => known.get(key) ?? all);
    const headers: Record<string, string> = { 'x-api-key': token };
    if (request.json !== undefined) headers['content-type'] = 'application/json';
    for (const [header, value] of Object.entries(request.headers ?? {})) {
      if (value === null) delete headers[header];
      else headers[header] = put(value);
    }
    const answer = await fetch(url + put(request.path), { method: request.method, headers, ...bodyOf(request, put) });
    const text = await answer.text();
    assert.equal(answer.status, response.status, `${where} answered ${text}`);
    for (const [header, value] of Object.entries(response.headers ?? {}))
      compare(value, answer.headers.get(header), known, `${where}: ${header}`);
    if (response.json !== undefined) compare(response.json, JSON.parse(text), known, where);
    if (response.text !== undefined) compare(response.text, text, known, where);
  }
}

function bodyOf({ json, text, form }: GoldenRequest, put: (text: string) => string): { body?: string | FormData } {
  if (json !== undefined) return { body: put(JSON.stringify(json)) };
  if (text !== undefined) return { body: text };
  if (form === undefined) return {};
  const body = new FormData();
  for (const { name, text: content, filename } of form) {
    if (filename === undefined) body.append(name, content);
    else body.append(name, new Blob([content]), filename);
  }
  return { body };
}

function compare(expected: unknown, actual: unknown, known: Map<string, string>, where: string): void {
  if (typeof expected === 'string') {
    const kind = kinds[expected];
    if (kind !== undefined) return assert.ok(kind(actual), `${where} is ${JSON.stringify(actual)}, expected ${expected}`);
    const names: string[] = [];
    const source = expected.split(/(<[a-z0-9]+(?::\w+)?>)/).map((part) => {
      const [, type = '', name] = /^<([a-z0-9]+)(?::(\w+))?>$/.exec(part) ?? [];
      const pattern = placeholders[type];
      if (pattern === undefined) return escaped(part);
      const key = `${type}:${name}`;
      if (name === undefined || known.has(key)) return name === undefined ? pattern : escaped(known.get(key) as string);
      names.push(key);
      return `(${pattern})`;
    });
    const match = typeof actual === 'string' ? new RegExp(`^${source.join('')}$`).exec(actual) : null;
    assert.ok(match !== null, `${where} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
    for (const [at, key] of names.entries()) known.set(key, match[at + 1] as string);
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual) && actual.length === expected.length, `${where} is ${JSON.stringify(actual)}`);
    expected.forEach((one, at) => compare(one, (actual as unknown[])[at], known, `${where}[${at}]`));
  } else if (typeof expected === 'object' && expected !== null) {
    assert.ok(typeof actual === 'object' && actual !== null, `${where} is ${JSON.stringify(actual)}`);
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), `${where} has these fields`);
    for (const [key, value] of Object.entries(expected)) compare(value, (actual as Record<string, unknown>)[key], known, `${where}.${key}`);
  } else assert.deepEqual(actual, expected, where);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

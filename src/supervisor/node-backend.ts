import { createHash } from 'node:crypto';
import { createReadStream, realpathSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { CallBounds } from '../client/call-bounds.ts';
import { OutriggerError } from '../contract/errors.ts';
import { excludeMatcher, includeMatcher } from './glob-match.ts';
import { checkAborted, fileError, placeBelow, walkFiles } from './node-paths.ts';
import { literalExpression, matchingLines } from './node-search.ts';
import { watchWithNode } from './node-watch.ts';
import { SharedWatch } from './shared-watch.ts';
import type {
  CallOptions,
  Disposable,
  FileHash,
  FileStat,
  FileText,
  GlobOptions,
  GlobResult,
  SearchQuery,
  SearchResult,
  WatchEvent,
  WorkspaceBackend,
} from './workspace-backend.ts';

const maxTextBytes = 64 * 1024 * 1024;
/** Longer files are left out of a search: this one reads them into the host's memory. */
const maxSearchedBytes = 8 * 1024 * 1024;
const defaultLimit = 1000;
const defaultMaxResults = 10_000;

/**
 * A folder read by Node alone, in the host's own process: what is left when there is no sidecar. No ignore files, no index, no regular
 * expressions (one of a user could stop the host for ever); all else as the sidecar answers.
 */
export class NodeBackend implements WorkspaceBackend {
  readonly #root: string;
  readonly #realRoot: string;
  readonly #watch: SharedWatch;

  /** Throws when the folder is not there. */
  constructor(root: string) {
    this.#root = path.resolve(root);
    this.#realRoot = realpathSync(this.#root);
    this.#watch = new SharedWatch((news) =>
      watchWithNode(this.#realRoot, (event) => news.emit('event', event), { onBegun: () => news.emit('begun', undefined) }),
    );
  }

  getRoot(): string {
    return this.#root;
  }

  async readFile(wirePath: string, options: CallOptions = {}): Promise<FileText> {
    const bytes = await this.#bytes(wirePath, maxTextBytes, new CallBounds(options).joined());
    const text = textOf(bytes);
    if (text === undefined) throw new OutriggerError('NOT_TEXT', `${wirePath} is not UTF-8 text.`);
    const bom = text.startsWith('\uFEFF');
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { path: wirePath, text: bom ? text.slice(1) : text, size: bytes.length, sha256, ...(bom ? { bom } : {}) };
  }

  async stat(wirePath: string, _options: CallOptions = {}): Promise<FileStat> {
    try {
      const at = await placeBelow(this.#realRoot, wirePath, true);
      const stat = await fs.lstat(at);
      const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other';
      const facts = {
        exists: true as const,
        kind,
        size: kind === 'directory' ? 0 : stat.size,
        mtimeMs: stat.mtimeMs,
        mode: stat.mode & 0o777,
      } as const;
      return kind === 'symlink' ? { ...facts, target: await fs.readlink(at) } : facts;
    } catch (error) {
      const known = fileError(error, wirePath);
      if (known.reason === 'FILE_NOT_FOUND') return { exists: false };
      throw known;
    }
  }

  async hashFile(wirePath: string, options: CallOptions = {}): Promise<FileHash> {
    const signal = new CallBounds(options).joined();
    const at = await this.#file(wirePath);
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const chunk of createReadStream(at) as AsyncIterable<Buffer>) {
        checkAborted(signal);
        hash.update(chunk);
        size += chunk.length;
      }
    } catch (error) {
      throw fileError(error, wirePath);
    }
    return { path: wirePath, sha256: hash.digest('hex'), size };
  }

  async glob(pattern: string | readonly string[], options: GlobOptions = {}): Promise<GlobResult> {
    const { exclude = [], limit = defaultLimit } = options;
    const matches = includeMatcher(pattern);
    const excluded = excludeMatcher(exclude);
    const paths: string[] = [];
    for await (const wirePath of walkFiles(this.#realRoot, new CallBounds(options).joined())) {
      if (!matches(wirePath) || excluded(wirePath)) continue;
      if (paths.length >= limit) return { paths, truncated: true };
      paths.push(wirePath);
    }
    return { paths, truncated: false };
  }

  async search(query: SearchQuery, options: CallOptions = {}): Promise<SearchResult> {
    if (query.regex === true)
      throw new OutriggerError(
        'PART_OFF',
        'Regular expressions are searched for by the sidecar alone, and it does not run now. Search for plain text.',
      );
    if (query.pattern === '') throw new OutriggerError('BAD_INPUT', 'The pattern is empty.');
    const { include = [], exclude = [], maxResults = defaultMaxResults } = query;
    const signal = new CallBounds(options).joined();
    const expression = literalExpression(query);
    const included = include.length === 0 ? () => true : includeMatcher(include);
    const excluded = excludeMatcher(exclude);
    const files: SearchResult['files'] = [];
    let left = maxResults;
    for await (const wirePath of walkFiles(this.#realRoot, signal)) {
      if (!included(wirePath) || excluded(wirePath)) continue;
      if (left <= 0) return { files, truncated: true };
      // Too long, gone or unreadable: as if it were not there.
      const bytes = await this.#bytes(wirePath, maxSearchedBytes, signal).catch(() => undefined);
      checkAborted(signal);
      const text = bytes === undefined ? undefined : textOf(bytes);
      if (text === undefined) continue;
      const matches = matchingLines(text.startsWith('\uFEFF') ? text.slice(1) : text, expression, left);
      if (matches.length > 0) files.push({ path: wirePath, matches });
      left -= matches.length;
    }
    return { files, truncated: left <= 0 };
  }

  /** `readAnew`: whoever listens was told of changes until now, and hears that all is to be read anew once this watch misses nothing. */
  watch(pattern: string | readonly string[], listener: (event: WatchEvent) => void, { readAnew = false } = {}): Disposable {
    let isOver = false;
    const own = this.#watch.add(pattern, listener);
    if (readAnew)
      this.#watch.whenBegun(() => {
        if (!isOver) listener({ what: 'resync', path: '' });
      });
    return {
      dispose: () => {
        isOver = true;
        own.dispose();
      },
    };
  }

  close(): Promise<void> {
    this.#watch.end();
    return Promise.resolve();
  }

  async #file(wirePath: string): Promise<string> {
    const at = await placeBelow(this.#realRoot, wirePath);
    const stat = await fs.stat(at).catch((error: unknown) => {
      throw fileError(error, wirePath);
    });
    // Reading a pipe would wait for its writer.
    if (!stat.isFile()) throw new OutriggerError('NOT_A_FILE', `${wirePath} is not a file.`);
    return at;
  }

  async #bytes(wirePath: string, maxBytes: number, signal: AbortSignal | undefined): Promise<Buffer> {
    checkAborted(signal);
    const at = await this.#file(wirePath);
    try {
      const { size } = await fs.stat(at);
      if (size > maxBytes) throw new OutriggerError('OUTPUT_TOO_LARGE', `${wirePath} is longer than ${maxBytes} bytes.`);
      return await fs.readFile(at);
    } catch (error) {
      throw fileError(error, wirePath);
    }
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8.
    return undefined;
  }
}

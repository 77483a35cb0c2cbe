import type { ListResourcesResult, ListResourceTemplatesResult, ReadResourceResult, Resource } from '@modelcontextprotocol/server';
import { OutriggerError } from '../../contract/errors.ts';
import type { Entry } from '../../contract/files.ts';
import type { Table } from '../../contract/operation.ts';
import { baseName, normalisePath } from '../../contract/paths.ts';
import { isoTime } from '../../core/iso-time.ts';
import { callOperation, type McpCallDependencies } from './mcp-call.ts';
import { pathOf, resourceTemplate, uriOf } from './resource-uri.ts';

export interface ResourceOptions {
  /** Longest content of one resource, bytes; a longer one is refused, since half a file would be taken for a whole one. */
  maxResourceBytes: number;
}

/** Entries of one page of the list, folders counted. */
const pageSize = 500;
/** No list goes further: what lies beyond is reached by its URI. */
const maxListed = 20_000;
const needed = ['files.list', 'files.read', 'files.stat', 'files.download', 'changes.watch'];

/** Whether a table has what resources are made of. */
export function hasResources(table: Table): boolean {
  return needed.every((name) => Object.hasOwn(table, name));
}

/** Files of the workspace as MCP's resources, for one caller; all goes through dispatch, so its scopes hold. */
export class McpResources {
  readonly #deps: McpCallDependencies;
  readonly #options: ResourceOptions;

  constructor(dependencies: McpCallDependencies, options: ResourceOptions) {
    this.#deps = dependencies;
    this.#options = options;
  }

  /**
   * One page of the files that the caller may see; ignored folders are not entered. A page can be short or empty and still
   * have a next one, since folders count. Throws BAD_CURSOR.
   */
  async list(cursor: string | undefined, signal: AbortSignal): Promise<ListResourcesResult> {
    // A caller limited to some paths can't list the whole; it gets its paths one after the other.
    const roots = this.#deps.caller.paths ?? [''];
    const { root, offset } = readCursor(cursor, roots.length);
    const path = roots[root];
    if (path === undefined) return { resources: [] };
    const { entries, more } = await this.#entries(path, offset, signal);
    const resources = entries.flatMap((entry) => (entry.kind === 'file' ? [describe(entry)] : []));
    const next = more ? `${root}:${offset + pageSize}` : root + 1 < roots.length ? `${root + 1}:0` : undefined;
    return next === undefined ? { resources } : { resources, nextCursor: next };
  }

  templates(): ListResourceTemplatesResult {
    const description = 'A file of the workspace, by its path; percent-encoded, with / between names.';
    return { resourceTemplates: [{ uriTemplate: resourceTemplate, name: 'file', title: 'File', description }] };
  }

  /** Text as it is now, edits that are not saved yet included; anything else as bytes. Throws the OutriggerError of the operation. */
  async read(uri: string, signal: AbortSignal): Promise<ReadResourceResult> {
    const path = this.path(uri);
    try {
      const { output } = await callOperation(this.#deps, { name: 'files.read', input: { path }, signal });
      const { text } = output as { text: string };
      this.#checkSize(path, Buffer.byteLength(text));
      return { contents: [{ uri, mimeType: 'text/plain', text }] };
    } catch (error) {
      if (!(error instanceof OutriggerError) || error.reason !== 'NOT_TEXT') throw error;
    }
    return { contents: [await this.#blob(uri, path, signal)] };
  }

  /** `followedPath` of a URI that the caller may know about: a subscription to it tells whether it changes. Throws as `files.stat` does. */
  async checked(uri: string, signal: AbortSignal): Promise<string> {
    await callOperation(this.#deps, { name: 'files.stat', input: { path: this.path(uri) }, signal });
    return this.followedPath(uri);
  }

  /** The path of a URI in the one spelling that changes are told in. Throws FILE_NOT_FOUND for a URI that is none of ours. */
  followedPath(uri: string): string {
    return normalisePath(this.path(uri));
  }

  /** As it is spelled: what the contract refuses in it must reach the contract. Throws FILE_NOT_FOUND for a URI that is none of ours. */
  path(uri: string): string {
    const path = pathOf(uri);
    if (path === undefined || normalisePath(path) === '')
      throw new OutriggerError(
        'FILE_NOT_FOUND',
        `${JSON.stringify(uri.slice(0, 200))} is no resource: they look like ${resourceTemplate}.`,
      );
    return path;
  }

  async #entries(path: string, offset: number, signal: AbortSignal): Promise<{ entries: Entry[]; more: boolean }> {
    const entries: Entry[] = [];
    let seen = 0;
    try {
      const { output } = await callOperation(this.#deps, {
        name: 'files.list',
        input: { path, recursive: true, limit: offset + pageSize },
        signal,
        emit: (item) => void (seen++ >= offset && entries.push(item as Entry)),
      });
      return { entries, more: (output as { truncated: boolean }).truncated && offset + pageSize < maxListed };
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      // What a token is limited to may be a file, or not be there yet.
      if (path === '' || (error.reason !== 'NOT_A_DIRECTORY' && error.reason !== 'FILE_NOT_FOUND')) throw error;
      const { output } = await callOperation(this.#deps, { name: 'files.stat', input: { path }, signal });
      const { entry } = output as { entry?: Entry };
      return { entries: entry === undefined ? [] : [entry], more: false };
    }
  }

  async #blob(uri: string, path: string, signal: AbortSignal): Promise<ReadResourceResult['contents'][number]> {
    const { output, bytes } = await callOperation(this.#deps, { name: 'files.download', input: { path }, signal });
    const { mimeType, length } = output as { mimeType: string; length: number };
    const chunks: Uint8Array[] = [];
    let size = 0;
    if (bytes === undefined) throw new OutriggerError('INTERNAL', 'The operation answered without bytes.');
    for await (const chunk of bytes) {
      size += chunk.length;
      // The file may have grown since its length was told.
      this.#checkSize(path, Math.max(size, length));
      chunks.push(chunk);
    }
    return { uri, mimeType, blob: Buffer.concat(chunks).toString('base64') };
  }

  #checkSize(path: string, bytes: number): void {
    const { maxResourceBytes } = this.#options;
    if (bytes > maxResourceBytes)
      throw new OutriggerError('OUTPUT_TOO_LARGE', `${path} has ${bytes} bytes; as a resource ${maxResourceBytes} can be read.`);
  }
}

function describe({ path, size, modified }: Entry): Resource {
  const lastModified = isoTime(modified);
  const resource = { uri: uriOf(path), name: path, title: baseName(path), size };
  return lastModified === undefined ? resource : { ...resource, annotations: { lastModified } };
}

/** `<which of the caller's paths>:<entries that came before>`. */
function readCursor(cursor: string | undefined, roots: number): { root: number; offset: number } {
  if (cursor === undefined) return { root: 0, offset: 0 };
  const [, root, offset] = /^(\d{1,4}):(\d{1,6})$/.exec(cursor) ?? [];
  if (root === undefined || Number(root) >= roots || Number(offset) >= maxListed)
    throw new OutriggerError('BAD_CURSOR', 'That is no cursor of a list of resources.');
  return { root: Number(root), offset: Number(offset) };
}

// Those who only follow what is told of a folder, and what they believe is in it.
import type { Client } from '../../src/client/client.ts';
import type { Change, FeedItem } from '../../src/contract/events.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { hashOf, type ModelFolder, type ModelNode } from './workspace-model-folder.ts';

interface Believed {
  kind: string;
  /** Of a file that was there when it began, not known. */
  hash?: string | undefined;
  size?: number | undefined;
}

export class Replica {
  readonly name: string;
  readonly believed = new Map<string, Believed>();
  cursor = '';
  resyncs = 0;
  revision = 0;
  readonly #heard: (change: Change) => void;

  constructor(name: string, heard: (change: Change) => void) {
    this.name = name;
    this.#heard = heard;
  }

  /** As a list of the folder has it. */
  async begin(client: Client<Operations>): Promise<void> {
    const { items, cursor } = await client.call('files.list', { path: '', recursive: true });
    this.believed.clear();
    for (const { path, kind, size } of items) this.believed.set(path, { kind, size });
    this.cursor = cursor;
  }

  take(item: FeedItem): void {
    this.cursor = item.cursor;
    if (item.type === 'resync') this.resyncs++;
    if (item.type !== 'change') return;
    if (item.revision <= this.revision) throw new Error(`${this.name} is told revision ${item.revision} after ${this.revision}`);
    this.revision = item.revision;
    this.#heard(item);
    const { path, kind, what, from, after, size } = item;
    const below = (top: string): string[] => [...this.believed.keys()].filter((one) => one === top || one.startsWith(`${top}/`));
    if (what === 'removed') {
      for (const one of below(path)) this.believed.delete(one);
      return;
    }
    if (from !== undefined && kind === 'directory') {
      const moved = below(from).map((one) => [one, this.believed.get(one) as Believed] as const);
      for (const [one] of moved) this.believed.delete(one);
      for (const [one, what] of moved) this.believed.set(path + one.slice(from.length), what);
      if (!this.believed.has(path)) this.believed.set(path, { kind });
      return;
    }
    // Below the name of a link, too, nothing is any more.
    for (const one of [...(from === undefined ? [] : below(from)), ...(kind === 'directory' ? [] : below(path))]) this.believed.delete(one);
    this.believed.set(path, kind === 'file' ? { kind, hash: after ?? undefined, size } : { kind });
  }

  /** How it differs from the folder, but for what lies beyond links and at or below what is passed over; empty where it does not. */
  difference(folder: ModelFolder, passedOver: (path: string) => boolean = () => false): string {
    const wrong: string[] = [];
    for (const path of new Set([...folder.nodes.keys(), ...this.believed.keys()])) {
      if (path === '' || passedOver(path)) continue;
      const [node, believed] = [folder.nodes.get(path), this.believed.get(path)];
      if (node === undefined && this.#isBeyondLink(folder, path)) continue;
      const is = describe(node);
      // Of what is written through a link, the link's name is told as well.
      if (node?.kind === 'symlink' && believed?.kind === 'file') continue;
      if (believed?.kind !== node?.kind) wrong.push(`${path} is ${is}, and is believed to be ${believed?.kind ?? 'nothing'}`);
      else if (node?.kind === 'file' && ![undefined, hashOf(node.bytes)].includes(believed?.hash))
        wrong.push(`${path} is ${is}, and is believed to hold ${believed?.hash?.slice(0, 8)}`);
      else if (node?.kind === 'file' && believed?.size !== undefined && believed.size !== node.bytes.length && believed.hash !== undefined)
        wrong.push(`${path} is believed to have ${believed.size} bytes`);
    }
    return wrong.join('\n');
  }

  #isBeyondLink(folder: ModelFolder, path: string): boolean {
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1))
      if (folder.nodes.get(path.slice(0, end))?.kind === 'symlink') return true;
    return false;
  }
}

export function describe(node: ModelNode | undefined): string {
  if (node === undefined) return 'nothing';
  if (node.kind === 'symlink') return `a link to ${node.target}`;
  const mode = node.mode.toString(8);
  return node.kind === 'directory' ? `a folder ${mode}` : `a file ${mode} ${node.bytes.length} bytes ${hashOf(node.bytes).slice(0, 8)}`;
}

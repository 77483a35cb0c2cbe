// What is really in a folder, and how it differs from one in memory.
import fs from 'node:fs';
import path from 'node:path';
import { joined, ModelFolder, type ModelNode, Refused, textOf } from './workspace-model-folder.ts';
import { describe } from './workspace-model-replica.ts';

/** What is really there. */
export function folderAt(root: string): ModelFolder {
  const nodes = new Map<string, ModelNode>();
  const look = (name: string): void => {
    const at = path.join(root, name);
    const stat = fs.lstatSync(at);
    const mode = stat.mode & 0o777;
    if (stat.isSymbolicLink()) nodes.set(name, { kind: 'symlink', target: fs.readlinkSync(at) });
    else if (!stat.isDirectory()) nodes.set(name, { kind: 'file', bytes: fs.readFileSync(at), mode });
    else {
      nodes.set(name, { kind: 'directory', mode });
      for (const one of fs.readdirSync(at)) look(joined(name, one));
    }
  };
  look('');
  return new ModelFolder(nodes);
}

function sameNode(one: ModelNode | undefined, other: ModelNode | undefined): boolean {
  if (one?.kind !== other?.kind || one === undefined || other === undefined) return one === other;
  if (one.kind === 'symlink') return one.target === (other as typeof one).target;
  if (one.kind === 'directory') return one.mode === (other as typeof one).mode;
  const file = other as typeof one;
  return one.mode === file.mode && (one.bytes.equals(file.bytes) || one.disk?.equals(file.bytes) === true);
}

export function changedPaths(before: ModelFolder, after: ModelFolder): string[] {
  const all = new Set([...before.nodes.keys(), ...after.nodes.keys()]);
  return [...all].filter((one) => one !== '' && before.nodes.get(one) !== after.nodes.get(one));
}

/** What differs of a folder; empty where nothing does. */
export function foldersDiffer(wanted: ModelFolder, found: ModelFolder): string {
  return changedPathsByValue(wanted, found)
    .map((one) => `${one} is ${describe(found.nodes.get(one))}, not ${describe(wanted.nodes.get(one))}`)
    .join('\n');
}

export function changedPathsByValue(one: ModelFolder, other: ModelFolder): string[] {
  const all = new Set([...one.nodes.keys(), ...other.nodes.keys()]);
  return [...all].filter((name) => name !== '' && !sameNode(one.nodes.get(name), other.nodes.get(name)));
}

export function realIn(folder: ModelFolder, path: string, follow: boolean): string | undefined {
  try {
    return folder.spot(path, follow).real;
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

/** What a document gives back as it was: its line ends are all alike. */
export function keepsFormat(bytes: Buffer): boolean {
  const raw = textOf(bytes);
  if (raw === undefined) return false;
  const body = raw.replace(/^\ufeff/, '');
  const crlf = body.split('\r\n').length - 1;
  return !body.includes('\r') || (crlf === body.split('\n').length - 1 && crlf === body.split('\r').length - 1);
}

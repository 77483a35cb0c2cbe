import { splitNul } from '../../core/split-nul.ts';

/** What stands at one path of a tree or of the index. */
export interface TreeEntry {
  /** As git writes it: 100644, 100755, 120000, 040000, 160000. */
  mode: string;
  hash: string;
}

/** `git ls-tree -z` for one path: `mode type hash TAB path`. */
export function parseTree(output: Uint8Array): TreeEntry | undefined {
  return parseFirst(output, /^(\d{6}) \w+ ([0-9a-f]+)\t/s);
}

/** `git ls-files --stage -z` for one path: `mode hash stage TAB path`, the entry of one stage. A folder has several paths, and none of its own. */
export function parseStage(output: Uint8Array, stage: number, path: string): TreeEntry | undefined {
  for (const record of splitNul(output)) {
    const [, mode, hash, found, name] = /^(\d{6}) ([0-9a-f]+) (\d)\t(.*)$/s.exec(Buffer.from(record).toString()) ?? [];
    if (mode !== undefined && hash !== undefined && Number(found) === stage && name === path) return { mode, hash };
  }
  return undefined;
}

function parseFirst(output: Uint8Array, pattern: RegExp): TreeEntry | undefined {
  const [first] = splitNul(output);
  const [, mode, hash] = first === undefined ? [] : (pattern.exec(Buffer.from(first).toString()) ?? []);
  return mode === undefined || hash === undefined ? undefined : { mode, hash };
}

import { diffSequences, type Work } from '../../core/sequence-diff.ts';
import { merge3 } from '../../core/text-diff.ts';

/** What is known when a client comes back with a history that shares nothing with ours. */
export interface ForeignHistory {
  clientText: string;
  /** Hash of the text that the client last saw saved; undefined when it never was in step with us. */
  clientBase: string | undefined;
  serverText: string;
  /** Texts by hash that may be the one the client last saw saved. */
  bases: ReadonlyMap<string, string>;
  hashOf: (text: string) => string;
}

/**
 * The text that both should have, or undefined to merge as any two Yjs documents. A client without edits of its own has
 * nothing to add; one whose base we know is merged three ways; else nothing of either is thrown away, and what both have
 * stands there once.
 */
export function healText({ clientText, clientBase, serverText, bases, hashOf }: ForeignHistory): string | undefined {
  if (clientBase === undefined) return undefined;
  if (clientText === serverText || hashOf(clientText) === clientBase) return serverText;
  const base = bases.get(clientBase);
  return base === undefined ? unionTexts(serverText, clientText) : merge3(base, serverText, clientText);
}

/** All of both texts, in order, with what they share once. */
export function unionTexts(ours: string, theirs: string): string {
  const a = splitWords(ours);
  const b = splitWords(theirs);
  const ids = new Map<string, number>();
  const idOf = (word: string): number => {
    let id = ids.get(word);
    if (id === undefined) {
      id = ids.size;
      ids.set(word, id);
    }
    return id;
  };
  const aIds = Int32Array.from(a, idOf);
  const bIds = Int32Array.from(b, idOf);
  const work: Work = { left: 40_000_000 };
  let at = 0;
  let result = '';
  for (const hunk of diffSequences(aIds, bIds, ids.size, work)) {
    result += a.slice(at, hunk.aEnd).join('') + b.slice(hunk.bStart, hunk.bEnd).join('');
    at = hunk.aEnd;
  }
  return result + a.slice(at).join('');
}

function splitWords(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s|[^\p{L}\p{N}_\s]/gu) ?? [];
}

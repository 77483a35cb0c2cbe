import { diffSequences, type Hunk, type Work } from '../../core/sequence-diff.ts';
import { merge3 } from '../../core/text-merge.ts';

/** For the words of two texts, and again for all that stands between them. */
const MAX_STEPS = 12_000_000;
/** Longer words are not looked for in what grew together. */
const MAX_GROWN_CHARS = 256;

/** What is known when a client comes back that knows a state of ours which was lost. */
export interface ForeignHistory {
  clientText: string;
  /** Hash of the text that the client last saw saved. */
  clientBase: string | undefined;
  serverText: string;
  /** Text of the two histories joined, where no character of theirs can have two ids. */
  joined?: string | undefined;
  /** What the server has is what another client had, which may have been away for longer. */
  isOfClients?: boolean | undefined;
  /** Texts by hash that may be the one the client last saw saved. */
  bases: ReadonlyMap<string, string>;
  hashOf: (text: string) => string;
}

/**
 * The text that both should have. A client without edits of its own has nothing to add to what is of the file. Where the characters themselves say which
 * are the same, that decides; else one whose base we know is merged three ways; else nothing of either is thrown away, and what both
 * have stands there once.
 */
export function healText({ clientText, clientBase, serverText, joined, isOfClients, bases, hashOf }: ForeignHistory): string {
  if (clientText === serverText) return serverText;
  const isWhole = joined !== undefined && keepsWords(joined, serverText, clientText);
  if (isWhole && isOfClients === true) return joined;
  if (hashOf(clientText) === clientBase) return serverText;
  if (isWhole) return joined;
  const base = clientBase === undefined ? undefined : bases.get(clientBase);
  if (base === undefined) return unionTexts(serverText, clientText);
  const merged = merge3(base, serverText, clientText);
  // Both may have brought in the same words by edits that only partly meet. What was removed may then come back; better than twice.
  return keepsWords(merged, serverText, clientText) ? merged : unionTexts(serverText, clientText);
}

/** Whether each word that both sides have once stands in the merged text once, and none has grown together with another. */
function keepsWords(merged: string, ours: string, theirs: string): boolean {
  // Most who come back find what they know, or bring nothing.
  if (merged === ours || merged === theirs) return true;
  const counts = countOf(wordsOf(merged));
  const [inOurs, inTheirs] = [countOf(wordsOf(ours)), countOf(wordsOf(theirs))];
  const isShared = (word: string): boolean => inOurs.get(word) === 1 && inTheirs.get(word) === 1;
  const isTheirsOrOurs = (word: string): boolean => inOurs.has(word) || inTheirs.has(word);
  for (const word of inOurs.keys()) if (isShared(word) && counts.get(word) !== 1) return false;
  for (const word of counts.keys()) {
    if (isTheirsOrOurs(word)) continue;
    if (edgesOf(word).some(([edge, rest]) => isShared(edge) || (isTheirsOrOurs(edge) && isTheirsOrOurs(rest)))) return false;
  }
  return true;
}

/** What a word may have grown from: its beginnings and ends, each with what is left then. */
function edgesOf(word: string): [edge: string, rest: string][] {
  const lengths = Array.from({ length: Math.min(word.length, MAX_GROWN_CHARS) - 1 }, (_, index) => index + 1);
  return lengths.flatMap((length): [string, string][] => [
    [word.slice(0, length), word.slice(length)],
    [word.slice(-length), word.slice(0, -length)],
  ]);
}

function countOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/**
 * All of both texts, in order, with what they share once. Words are matched first: spaces and marks, of which there are
 * many alike, would else draw the match away from them.
 */
export function unionTexts(ours: string, theirs: string): string {
  const a = tokensOf(ours);
  const b = tokensOf(theirs);
  const pairs = matchWords(a, b);
  const moved = movedWords(a, b, new Set(pairs.map(([aWord]) => a[aWord] as string)));
  const news = (from: number, to: number): string[] => b.slice(from, to).filter((token) => !moved.has(token));
  const result = new Joined();
  const work: Work = { left: MAX_STEPS };
  let aAt = 0;
  let bAt = 0;
  for (const [aWord, bWord] of pairs) {
    addUnion(result, a.slice(aAt, aWord), news(bAt, bWord), work);
    result.add(a[aWord] as string);
    aAt = aWord + 1;
    bAt = bWord + 1;
  }
  addUnion(result, a.slice(aAt), news(bAt, b.length), work);
  return result.text;
}

/** Words that stand in both texts once, and at places that don't match: one that was put elsewhere, not two. Ours stays. */
function movedWords(a: readonly string[], b: readonly string[], matched: ReadonlySet<string>): Set<string> {
  const once = (tokens: readonly string[]): Set<string> =>
    new Set([...countOf(tokens.filter(isWord))].flatMap(([word, count]) => (count === 1 ? [word] : [])));
  const inB = once(b);
  return new Set([...once(a)].filter((token) => inB.has(token) && !matched.has(token)));
}

/** Pairs of equal words, by their places in both token lists, in order. */
function matchWords(a: readonly string[], b: readonly string[]): [number, number][] {
  const aWords = placesOfWords(a);
  const bWords = placesOfWords(b);
  const pairs: [number, number][] = [];
  let aAt = 0;
  let bAt = 0;
  const takeEqual = (end: number): void => {
    while (aAt < end) pairs.push([aWords[aAt++] as number, bWords[bAt++] as number]);
  };
  for (const hunk of diffTokens(
    aWords.map((place) => a[place] as string),
    bWords.map((place) => b[place] as string),
    { left: MAX_STEPS },
  )) {
    takeEqual(hunk.aStart);
    aAt = hunk.aEnd;
    bAt = hunk.bEnd;
  }
  takeEqual(aWords.length);
  return pairs;
}

/** The union of what stands between two matched words. */
function addUnion(result: Joined, a: readonly string[], b: readonly string[], work: Work): void {
  let at = 0;
  for (const hunk of diffTokens(a, b, work)) {
    result.add(a.slice(at, hunk.aEnd).join(''));
    result.add(b.slice(hunk.bStart, hunk.bEnd).join(''));
    at = hunk.aEnd;
  }
  result.add(a.slice(at).join(''));
}

/** Words that stood apart in both texts do not grow together where they meet. Takes time by the number of parts: of a text that grows, its end is not looked at. */
class Joined {
  readonly #parts: string[] = [];

  add(part: string): void {
    if (part === '') return;
    const meets = /[\p{L}\p{N}_]$/u.test(this.#parts.at(-1)?.slice(-2) ?? '') && /^[\p{L}\p{N}_]/u.test(part);
    if (meets) this.#parts.push(' ');
    this.#parts.push(part);
  }

  get text(): string {
    return this.#parts.join('');
  }
}

function diffTokens(a: readonly string[], b: readonly string[], work: Work): Hunk[] {
  const ids = new Map<string, number>();
  const idOf = (token: string): number => {
    const id = ids.get(token) ?? ids.size;
    ids.set(token, id);
    return id;
  };
  return diffSequences(Int32Array.from(a, idOf), Int32Array.from(b, idOf), ids.size, work);
}

function tokensOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s|[^\p{L}\p{N}_\s]/gu) ?? [];
}

/** Of two letters and more: those of its tokens that are words. */
function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
}

function placesOfWords(tokens: readonly string[]): number[] {
  return [...tokens.keys()].filter((place) => isWord(tokens[place] as string));
}

function isWord(token: string): boolean {
  return /^[\p{L}\p{N}_]{2}/u.test(token);
}

// A pattern as the source of an expression over bytes that stand as the characters U+0000 to U+00FF, one line at a time.

import type { Assertion, PatternTree } from './pattern-tree.ts';

/** `ascii`: for lines of ASCII alone. `wide`: for all; where characters beyond ASCII are unsure, it matches more than ripgrep does. */
export type LineKind = 'ascii' | 'wide';

/** One character of several bytes in well-formed UTF-8 (Unicode, table 3-7). */
const beyondAscii =
  '[\\xc2-\\xdf][\\x80-\\xbf]|\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}|\\xed[\\x80-\\x9f][\\x80-\\xbf]|' +
  '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}';
const isBesideOther = '(?<=[\\x80-\\xff])|(?=[\\x80-\\xff])';

export function sourceOf(tree: PatternTree, kind: LineKind): string {
  switch (tree.kind) {
    case 'character':
      return characterSource(tree.codePoint);
    case 'set':
      return setSource(tree, kind);
    case 'assertion':
      return assertionSource(tree.asserts, kind);
    case 'sequence':
      return tree.of.map((part) => sourceOf(part, kind)).join('');
    case 'choice':
      return `(?:${tree.of.map((part) => sourceOf(part, kind)).join('|')})`;
    case 'repeat': {
      const { of, least, most, lazy } = tree;
      const body = sourceOf(of, kind);
      return `(?:${body}){${least},${most === Number.POSITIVE_INFINITY ? '' : most}}${lazy ? '?' : ''}`;
    }
  }
}

/** What a match must be free of beyond ASCII, to be known for certain: nothing, its inside, that and any word characters beside it, or anything beside it. */
export type Doubt = 'none' | 'inside' | 'words-beside' | 'beside';

const doubts: readonly Doubt[] = ['none', 'inside', 'words-beside', 'beside'];

export function doubtOf(tree: PatternTree): Doubt {
  switch (tree.kind) {
    case 'character':
      return 'none';
    case 'set':
      return tree.beyond === 'unsure' ? 'inside' : 'none';
    case 'assertion':
      if (tree.asserts === 'start' || tree.asserts === 'end') return 'none';
      return tree.asserts === 'word' || tree.asserts === 'no-word' ? 'beside' : 'words-beside';
    case 'sequence':
    case 'choice':
      return tree.of.map(doubtOf).reduce((worst, doubt) => (doubts.indexOf(doubt) > doubts.indexOf(worst) ? doubt : worst), 'none');
    case 'repeat':
      return doubtOf(tree.of);
  }
}

function characterSource(codePoint: number): string {
  const bytes = [...Buffer.from(String.fromCodePoint(codePoint))].map(byteSource).join('');
  return codePoint < 0x80 ? bytes : `(?:${bytes})`;
}

function setSource({ ascii, beyond, also }: Extract<PatternTree, { kind: 'set' }>, kind: LineKind): string {
  const within = `[${rangesSource(ascii)}]`;
  if (kind === 'ascii' || (beyond === 'none' && also.length === 0)) return within;
  return `(?:${[within, ...(beyond === 'none' ? also.map(characterSource) : [beyondAscii])].join('|')})`;
}

function rangesSource(ascii: readonly boolean[]): string {
  let source = '';
  for (let from = ascii.indexOf(true); from >= 0; from = ascii.indexOf(true, from)) {
    const next = ascii.indexOf(false, from);
    const end = next < 0 ? ascii.length : next;
    source += end - from > 1 ? `${byteSource(from)}-${byteSource(end - 1)}` : byteSource(from);
    from = end;
  }
  return source;
}

function assertionSource(asserts: Assertion, kind: LineKind): string {
  switch (asserts) {
    case 'start':
      return '^';
    case 'end':
      return '$';
    case 'word':
      return kind === 'ascii' ? '\\b' : `(?:\\b|${isBesideOther})`;
    case 'no-word':
      return kind === 'ascii' ? '\\B' : `(?:\\B|${isBesideOther})`;
    case 'word-start':
      return '(?<!\\w)';
    case 'word-end':
      return '(?!\\w)';
  }
}

function byteSource(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

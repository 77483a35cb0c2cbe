import type { OutlineSymbol } from '../../contract/search.ts';

/** The symbols of one text, in order. */
export interface Outline {
  symbols: OutlineSymbol[];
  /** Places where the text is not of the language. */
  problems: number;
}

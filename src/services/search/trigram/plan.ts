// From what a user searches for to what is asked of the index.

import { symbolsOfText } from './fold.ts';
import { planOfText, wholePlan } from './match-facts.ts';
import { allFiles, boundPlan, type Plan } from './plan-tree.ts';
import { regexFacts } from './regex-facts.ts';

export type { Plan } from './plan-tree.ts';

export interface QueryOptions {
  /** A regular expression in ripgrep's syntax; else the text itself. */
  regex: boolean;
  /** Does not change the plan: the index is folded. */
  caseSensitive: boolean;
  /** Does not change the plan: a whole word is one of the matches without it. */
  word: boolean;
  /** A match may go over line breaks. */
  multiline: boolean;
}

/** Of a longer text the beginning is looked at, a longer regular expression is not looked into. */
const maxPatternLength = 1000;
/** Each is a few reads in each segment. */
const maxGrams = 128;

/**
 * What the trigrams of every file satisfy in which ripgrep, started with these options, finds the pattern. A text with a line break,
 * unless `multiline`, and a pattern that can't be read are `all`, and ripgrep says what is wrong.
 */
export function planQuery(pattern: string, options: QueryOptions): Plan {
  if (!options.regex && !options.multiline && pattern.includes('\n')) return allFiles;
  if (pattern.length > maxPatternLength) return options.regex ? allFiles : planText(pattern.slice(0, maxPatternLength - 1));
  if (!options.regex) return planText(pattern);
  const facts = regexFacts(pattern);
  return facts === null ? allFiles : boundPlan(wholePlan(facts), maxGrams);
}

/** A pattern that was cut short may end in half a pair of surrogates, which is left out. */
function planText(text: string): Plan {
  const last = text.charCodeAt(text.length - 1);
  const half = last >= 0xd800 && last < 0xdc00;
  return boundPlan(planOfText(symbolsOfText(half ? text.slice(0, -1) : text)), maxGrams);
}

// What is known of the texts that a piece of a regular expression matches, and how that is computed for a whole from its parts. Russ Cox, "Regular Expression
// Matching with a Trigram Index" (https://swtch.com/~rsc/regexp/regexp4.html), section "Trigrams from regular expressions". Texts are strings of symbols.

import { gramsOfSymbols } from './fold.ts';
import { allFiles, andOf, orOf, type Plan } from './plan-tree.ts';

/** More texts than that are not remembered one by one. */
const maxExact = 16;
/** More beginnings or ends than that are shortened until they are fewer. */
const maxSet = 24;

export interface MatchFacts {
  /** All texts that it matches, or null where they are too many. */
  exact: ReadonlySet<string> | null;
  /** Each match begins with one of these; the empty text is one of them where the match may be empty. Used where `exact` is null. */
  prefixes: ReadonlySet<string>;
  /** Each match ends with one of these, likewise. Used where `exact` is null. */
  suffixes: ReadonlySet<string>;
  /** What the trigrams of every match satisfy. */
  plan: Plan;
}

const anything: ReadonlySet<string> = new Set(['']);

/** Any text: one of a large class, what is not understood, and what repeats from zero. */
export const anyText: MatchFacts = { exact: null, prefixes: anything, suffixes: anything, plan: allFiles };
/** Only the empty text, such as an anchor. */
export const emptyText: MatchFacts = exactly(anything);

/** One of these texts, of which there is at least one. */
export function exactly(texts: ReadonlySet<string>): MatchFacts {
  return settle({ exact: texts, prefixes: anything, suffixes: anything, plan: allFiles });
}

/** First one, then the other. */
export function concatenate(left: MatchFacts, right: MatchFacts): MatchFacts {
  let plan = andOf([left.plan, right.plan]);
  if (left.exact && right.exact) {
    return settle({ exact: cross(left.exact, right.exact), prefixes: anything, suffixes: anything, plan });
  }
  const prefixes = left.exact ? cross(left.exact, right.prefixes) : left.prefixes;
  const suffixes = right.exact ? cross(left.suffixes, right.exact) : right.suffixes;
  // What stands across the seam is in neither part.
  if (!left.exact && !right.exact) plan = andOf([plan, planOfTexts(cross(left.suffixes, right.prefixes))]);
  return settle({ exact: null, prefixes, suffixes, plan });
}

/** One or the other. */
export function alternate(left: MatchFacts, right: MatchFacts): MatchFacts {
  if (left.exact && right.exact) {
    const plan = orOf([left.plan, right.plan]);
    return settle({ exact: union(left.exact, right.exact), prefixes: anything, suffixes: anything, plan });
  }
  return settle({
    exact: null,
    prefixes: union(beginningsOf(left), beginningsOf(right)),
    suffixes: union(endsOf(left), endsOf(right)),
    plan: orOf([wholePlan(left), wholePlan(right)]),
  });
}

/** Once or more often. */
export function repeat(facts: MatchFacts): MatchFacts {
  return settle({
    exact: null,
    prefixes: beginningsOf(facts),
    suffixes: endsOf(facts),
    plan: wholePlan(facts),
  });
}

/** What the trigrams of every match satisfy, with what is known of whole texts, beginnings and ends. */
export function wholePlan(facts: MatchFacts): Plan {
  if (facts.exact) return andOf([facts.plan, planOfTexts(facts.exact)]);
  return andOf([facts.plan, planOfTexts(facts.prefixes), planOfTexts(facts.suffixes)]);
}

function beginningsOf(facts: MatchFacts): ReadonlySet<string> {
  return facts.exact ?? facts.prefixes;
}

function endsOf(facts: MatchFacts): ReadonlySet<string> {
  return facts.exact ?? facts.suffixes;
}

/** Moves what would grow into the plan: many or long texts become their trigrams, and what a following part needs of them. */
function settle(facts: MatchFacts): MatchFacts {
  let { exact, prefixes, suffixes, plan } = facts;
  if (exact) {
    if (exact.size <= maxExact && shortest(exact) < 4) return facts;
    plan = andOf([plan, planOfTexts(exact)]);
    prefixes = exact;
    suffixes = exact;
    exact = null;
  }
  plan = andOf([plan, planOfTexts(prefixes), planOfTexts(suffixes)]);
  return { exact, prefixes: shorten(prefixes, 'start'), suffixes: shorten(suffixes, 'end'), plan };
}

/** At most two symbols each, since longer ones are in the plan; fewer where there are many. */
function shorten(texts: ReadonlySet<string>, keep: 'start' | 'end'): ReadonlySet<string> {
  for (let length = 2; ; length--) {
    const shorter = new Set(
      [...texts].map((text) => (keep === 'start' ? text.slice(0, length) : text.slice(Math.max(0, text.length - length)))),
    );
    if (shorter.has('')) return anything;
    if (shorter.size <= maxSet) return shorter;
  }
}

/** One of these texts stands in the file. */
function planOfTexts(texts: ReadonlySet<string>): Plan {
  if (shortest(texts) < 3) return allFiles;
  return orOf([...texts].map(planOfText));
}

/** This text stands in the file. */
export function planOfText(symbols: string): Plan {
  return andOf(gramsOfSymbols(symbols).map((gram) => ({ kind: 'trigram', gram })));
}

function shortest(texts: ReadonlySet<string>): number {
  let length = Number.POSITIVE_INFINITY;
  for (const text of texts) length = Math.min(length, text.length);
  return length;
}

function cross(left: ReadonlySet<string>, right: ReadonlySet<string>): ReadonlySet<string> {
  const both = new Set<string>();
  for (const before of left) for (const after of right) both.add(before + after);
  return both;
}

function union(left: ReadonlySet<string>, right: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...left, ...right]);
}

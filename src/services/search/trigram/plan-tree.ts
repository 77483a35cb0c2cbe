// What a query asks of a file's trigrams. A file whose trigrams do not satisfy the plan has no match; one whose trigrams do may have one.

export type Plan =
  | { kind: 'all' }
  | { kind: 'none' }
  | { kind: 'trigram'; gram: number }
  | { kind: 'and'; of: readonly Plan[] }
  | { kind: 'or'; of: readonly Plan[] };

export const allFiles: Plan = { kind: 'all' };
const noFile: Plan = { kind: 'none' };

/** Both or more must hold. Flat, without repeated trigrams; `all` where nothing is asked. */
export function andOf(parts: readonly Plan[]): Plan {
  return combine('and', parts);
}

/** One must hold. Flat, without repeated trigrams; `none` where there is no part. */
export function orOf(parts: readonly Plan[]): Plan {
  return combine('or', parts);
}

function combine(kind: 'and' | 'or', parts: readonly Plan[]): Plan {
  const neutral = kind === 'and' ? 'all' : 'none';
  const absorbing = kind === 'and' ? 'none' : 'all';
  const of = new Map<string, Plan>();
  for (const part of parts) {
    if (part.kind === absorbing) return part;
    if (part.kind === neutral) continue;
    for (const child of part.kind === kind ? part.of : [part]) of.set(keyOf(child), child);
  }
  const [first, ...others] = of.values();
  if (first === undefined) return kind === 'and' ? allFiles : noFile;
  return others.length === 0 ? first : { kind, of: [first, ...others] };
}

function keyOf(plan: Plan): string {
  if (plan.kind === 'trigram') return String(plan.gram);
  if (plan.kind === 'and' || plan.kind === 'or') return `${plan.kind}(${plan.of.map(keyOf).join(' ')})`;
  return plan.kind;
}

/** How many trigrams a plan names. */
export function countGrams(plan: Plan): number {
  if (plan.kind === 'trigram') return 1;
  if (plan.kind !== 'and' && plan.kind !== 'or') return 0;
  return plan.of.reduce((sum, part) => sum + countGrams(part), 0);
}

/**
 * A plan of about `maxGrams` trigrams at most that every file still satisfies which satisfied the first: from each `and` some parts are left out, evenly
 * spread; where even that is too much, nothing is asked.
 */
export function boundPlan(plan: Plan, maxGrams: number): Plan {
  if (countGrams(plan) <= maxGrams) return plan;
  for (const perAnd of [16, 4, 1]) {
    const thinner = thin(plan, perAnd);
    if (countGrams(thinner) <= maxGrams) return thinner;
  }
  return allFiles;
}

function thin(plan: Plan, perAnd: number): Plan {
  if (plan.kind === 'or') return orOf(plan.of.map((part) => thin(part, perAnd)));
  if (plan.kind !== 'and') return plan;
  const step = Math.max(1, plan.of.length / perAnd);
  const kept: Plan[] = [];
  for (let at = 0; at < plan.of.length && kept.length < perAnd; at += step) kept.push(thin(plan.of[Math.floor(at)] as Plan, perAnd));
  return andOf(kept);
}

/** Whether a file with these trigrams may match. */
export function mayMatch(plan: Plan, has: (gram: number) => boolean): boolean {
  switch (plan.kind) {
    case 'all':
      return true;
    case 'none':
      return false;
    case 'trigram':
      return has(plan.gram);
    case 'and':
      return plan.of.every((part) => mayMatch(part, has));
    case 'or':
      return plan.of.some((part) => mayMatch(part, has));
  }
}

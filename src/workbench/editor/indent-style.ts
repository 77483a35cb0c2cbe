const looksAt = 400;

/** The step of a text, told from those by which its lines go in. `fallback` is the width where nothing tells. */
export function indentStyle(lines: Iterable<string>, fallback = 4): string {
  const steps = new Map<number, number>();
  let tabs = 0;
  let spaced = 0;
  let before = 0;
  let seen = 0;
  for (const line of lines) {
    if (seen++ > looksAt) break;
    if (line.trim() === '') continue;
    if (line.startsWith('\t')) tabs += 1;
    const width = /^ */.exec(line)?.[0].length ?? 0;
    if (width > 0) spaced += 1;
    const step = width - before;
    if (step > 1 && step <= 8) steps.set(step, (steps.get(step) ?? 0) + 1);
    before = width;
  }
  if (tabs > spaced) return '\t';
  const [best] = [...steps].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return ' '.repeat(best?.[0] ?? fallback);
}

/** `Spaces 4`, `Tabs` */
export function sayIndent(unit: string): string {
  return unit === '\t' ? 'Tabs' : `Spaces ${unit.length}`;
}

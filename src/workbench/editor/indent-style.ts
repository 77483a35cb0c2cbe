export interface IndentStyle {
  unit: string;
  /** `Spaces 4`, `Tabs` */
  words: string;
}

const looksAt = 400;

/** How a text is indented, told from the steps by which its lines go in. `fallback` is the width where nothing tells. */
export function indentStyle(lines: Iterable<string>, fallback = 4): IndentStyle {
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
  if (tabs > spaced) return { unit: '\t', words: 'Tabs' };
  const [best] = [...steps].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const width = best?.[0] ?? fallback;
  return { unit: ' '.repeat(width), words: `Spaces ${width}` };
}

/**
 * The text before a patch, from the text after it: the hunks of one file taken back. Undefined where the text is not what the patch
 * left, as when somebody typed in between.
 */
export function unapplyPatch(patch: string, after: string): string | undefined {
  const lines = after.split('\n');
  const before: string[] = [];
  let at = 0;
  let inHunk = false;
  for (const line of patch.split('\n')) {
    const [, start, length = '1'] = /^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
    if (start !== undefined) {
      inHunk = true;
      // A hunk without lines names the line before it.
      const to = Number(length) === 0 ? Number(start) : Number(start) - 1;
      if (to < at) return undefined;
      before.push(...lines.slice(at, to));
      at = to;
    } else if (line.startsWith('diff --git ')) inHunk = false;
    else if (inHunk && (line.startsWith(' ') || line.startsWith('+'))) {
      if (!sameLine(lines[at], line.slice(1))) return undefined;
      if (line.startsWith(' ')) before.push(lines[at] ?? '');
      at += 1;
    } else if (inHunk && line.startsWith('-')) before.push(line.slice(1).replace(/\r$/, ''));
  }
  before.push(...lines.slice(at));
  return before.join('\n');
}

function sameLine(found: string | undefined, wanted: string): boolean {
  return found === wanted.replace(/\r$/, '');
}

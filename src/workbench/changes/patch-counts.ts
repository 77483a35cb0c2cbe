export interface LineCounts {
  added: number;
  removed: number;
}

/** Lines added and removed, by path, in a unified patch as git writes it. A patch that was cut counts as far as it goes. */
export function patchCounts(patch: string): Map<string, LineCounts> {
  const counts = new Map<string, LineCounts>();
  let current: LineCounts | undefined;
  let inHunk = false;
  let from = '';
  for (const line of patch.split('\n')) {
    if (line.startsWith('diff --git ')) {
      current = undefined;
      inHunk = false;
    } else if (!inHunk && line.startsWith('--- ')) from = pathIn(line, 'a/');
    else if (!inHunk && line.startsWith('+++ ')) {
      const to = pathIn(line, 'b/');
      current = { added: 0, removed: 0 };
      counts.set(to === '/dev/null' ? from : to, current);
    } else if (line.startsWith('@@ ')) inHunk = true;
    else if (inHunk && current !== undefined) {
      if (line.startsWith('+')) current.added += 1;
      else if (line.startsWith('-')) current.removed += 1;
    }
  }
  return counts;
}

function pathIn(line: string, prefix: string): string {
  const named = line.slice(4).replace(/\t$/, '');
  const path = named.startsWith('"') ? unquote(named) : named;
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** git's C-style quoting: escapes and octal bytes of UTF-8. */
function unquote(text: string): string {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const plain: Record<string, number> = { n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11 };
  for (let index = 1; index < text.length - 1; index += 1) {
    const letter = text[index] as string;
    if (letter !== '\\') {
      bytes.push(...encoder.encode(letter));
      continue;
    }
    const octal = /^[0-7]{3}/.exec(text.slice(index + 1))?.[0];
    if (octal !== undefined) {
      bytes.push(Number.parseInt(octal, 8));
      index += 3;
    } else {
      index += 1;
      const escaped = text[index] as string;
      bytes.push(plain[escaped] ?? escaped.charCodeAt(0));
    }
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

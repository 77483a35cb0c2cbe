/**
 * Rough size of `value` as JSON, in bytes, counted only until it is past `limit`: cheap enough for every answer, and good to
 * some ten per cent. Strings count as their UTF-16 length.
 */
export function boundedSize(value: unknown, limit: number): number {
  let size = 0;
  const stack: unknown[] = [value];
  while (stack.length > 0 && size <= limit) {
    const next = stack.pop();
    if (typeof next === 'string') size += next.length + 2;
    else if (Array.isArray(next)) {
      size += next.length + 2;
      // Elements past the limit can't make it smaller: a long array need not be pushed whole.
      for (let i = Math.min(next.length, limit - size + 1) - 1; i >= 0; i--) stack.push(next[i]);
    } else if (next instanceof Uint8Array) size += Math.ceil((next.length * 4) / 3);
    else if (typeof next === 'object' && next !== null) {
      for (const key in next) {
        size += key.length + 4;
        stack.push((next as Record<string, unknown>)[key]);
      }
    } else size += 5;
  }
  return size;
}

/**
 * A scheme of our own: a client that sees `file:` may take the path for one of its own disk.
 * RFC 6570 has `{+path}` for text that may hold slashes.
 */
const root = 'workspace:///';
export const resourceTemplate = `${root}{+path}`;

export function uriOf(path: string): string {
  return root + path.split('/').map(encodeURIComponent).join('/');
}

/**
 * The path in a URI, decoded exactly once, or undefined for a URI that is none of ours. Nothing is resolved here: a `..`
 * stays in the path, where the contract refuses it.
 */
export function pathOf(uri: string): string | undefined {
  if (!uri.startsWith(root) || /[?#]/.test(uri)) return undefined;
  try {
    const names = uri.slice(root.length).split('/').map(decodeURIComponent);
    // A slash inside a name would make another path of it.
    return names.some((name) => name.includes('/')) ? undefined : names.join('/');
  } catch {
    // Not percent-encoded UTF-8.
    return undefined;
  }
}

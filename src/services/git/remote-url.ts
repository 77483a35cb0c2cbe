/** Where another repository is, as far as it matters for what is allowed. */
export type RemoteUrl =
  /** The host with its port, as git asks for credentials: as they are written, whatever else would mean the same. */
  | { kind: 'network'; protocol: 'https' | 'http' | 'ssh'; host: string }
  /** Absolute. */
  | { kind: 'file'; path: string }
  /** Why it is none that is taken. */
  | { kind: 'refused'; why: string };

const MAX_URL = 2000;

/**
 * Reads an address as git would. Only transports are known that run no program of the address's choosing: `ext::`, `fd::` and
 * other helpers are refused, and so is what could be taken for an option.
 */
export function parseRemoteUrl(url: string): RemoteUrl {
  const refused = (why: string): RemoteUrl => ({ kind: 'refused', why });
  if (url === '' || url.length > MAX_URL) return refused('is empty or too long');
  if (/^[A-Za-z0-9+.-]*::/.test(url)) return refused('names a helper program');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  if (/[\x00-\x20\x7f]/.test(url)) return refused('holds a space or a control character');
  // One reader takes it for a slash, another for a part of the user.
  if (url.includes('\\')) return refused('holds a backslash');
  if (url.startsWith('-')) return refused('begins with a dash');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/.exec(url);
  if (scheme === null) return scpLike(url);
  const [, name = '', rest = ''] = scheme;
  if (name === 'file') return fileUrl(rest);
  if (name !== 'https' && name !== 'http' && name !== 'ssh')
    return refused(`has the transport ${name}: only https, http, ssh and file are taken`);
  if (rest.startsWith('/')) return refused('has no host');
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return refused('is malformed');
  }
  if (parsed.hostname === '' || parsed.hostname.startsWith('-')) return refused('has a host that is none');
  if (/^-/.test(decodeURIComponentOr(parsed.username))) return refused('has a user that begins with a dash');
  const [authority = ''] = rest.split(/[/?#]/, 1);
  return { kind: 'network', protocol: name, host: decodeURIComponentOr(authority.slice(authority.lastIndexOf('@') + 1)) };
}

/** Whether an address has a password in it, or a user where that is a secret: a token is one. */
export function holdsSecret(url: string): boolean {
  const [, name = '', user = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)@/.exec(url) ?? [];
  return name !== '' && (name !== 'ssh' || user.includes(':'));
}

/** `git@host:path`. A single letter before the colon is a drive of Windows. */
function scpLike(url: string): RemoteUrl {
  const [, user = '', host = '', path = ''] = /^(?:([^@/:]+)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@[\]]{2,}):(.+)$/.exec(url) ?? [];
  if (host === '') return { kind: 'refused', why: 'is neither an address (https://…, ssh://…, file:///…) nor git@host:path' };
  if (host.startsWith('-') || user.startsWith('-') || path.startsWith('-'))
    return { kind: 'refused', why: 'has a part that begins with a dash' };
  return { kind: 'network', protocol: 'ssh', host };
}

function fileUrl(rest: string): RemoteUrl {
  // Git takes what follows as it stands, with no escapes read and no host before it.
  return rest.startsWith('/') ? { kind: 'file', path: rest } : { kind: 'refused', why: 'is a file:// address without an absolute path' };
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

import type { Caller } from '../contract/access.ts';
import { commaList } from '../core/comma-list.ts';
import { MIN_TOKEN_LENGTH } from '../core/token-text.ts';

/** The token that came with a request, and the way it came. */
export type Credentials =
  | { token: string; from: 'bearer' | 'cookie' | 'query' }
  | { token: string; from: 'protocol'; protocol: string }
  | { token: undefined; from: 'none' };

/** Who holds these credentials. Throws OutriggerError NO_TOKEN, BAD_TOKEN, … */
export type Authenticate = (credentials: Credentials, kind: 'request' | 'upgrade') => Caller | Promise<Caller>;

export interface CredentialSource {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As in the request line. */
  url: string;
  /** `request`: plain HTTP. `login`: the one URL that the page is opened by. `upgrade`: a WebSocket. */
  kind: 'request' | 'login' | 'upgrade';
  cookieName: string;
  /** False where a page of another origin may be behind it: then the cookie is not the caller's own word. */
  cookieCounts: boolean;
}

const none: Credentials = { token: undefined, from: 'none' };

/** Pure. Order: Authorization, WebSocket protocol, query (upgrade and login only), cookie. */
export function readCredentials(source: CredentialSource): Credentials {
  const { headers, kind } = source;
  const authorization = headers['authorization'];
  if (authorization !== undefined) {
    const match = typeof authorization === 'string' ? /^bearer +([^\s,]+) *$/i.exec(authorization) : null;
    if (match?.[1] !== undefined) return { token: match[1], from: 'bearer' };
  }
  if (kind === 'upgrade') {
    const protocol = tokenProtocol(offeredProtocols(headers));
    if (protocol !== undefined) return { token: protocol, from: 'protocol', protocol };
  }
  if (kind !== 'request') {
    const token = queryOf(source.url).get('token');
    if (token !== null && token !== '') return { token, from: 'query' };
  }
  if (source.cookieCounts) {
    const token = cookieValue(headers['cookie'], source.cookieName);
    if (token !== undefined) return { token, from: 'cookie' };
  }
  return none;
}

export function offeredProtocols(headers: CredentialSource['headers']): string[] {
  const header = headers['sec-websocket-protocol'];
  if (typeof header !== 'string') return [];
  return commaList(header);
}

/** Names too short for a token are taken for names, where a longer one is offered as well. */
function tokenProtocol(offered: readonly string[]): string | undefined {
  return offered.find((name) => name.length >= MIN_TOKEN_LENGTH) ?? (offered.length === 1 ? offered[0] : undefined);
}

function queryOf(url: string): URLSearchParams {
  const cut = url.indexOf('?');
  return new URLSearchParams(cut < 0 ? '' : url.slice(cut + 1));
}

function cookieValue(header: string | string[] | undefined, name: string): string | undefined {
  if (typeof header !== 'string') return undefined;
  for (const part of header.split(';')) {
    const cut = part.indexOf('=');
    if (cut > 0 && part.slice(0, cut).trim() === name) {
      const value = part.slice(cut + 1).trim();
      return value === '' ? undefined : value;
    }
  }
  return undefined;
}

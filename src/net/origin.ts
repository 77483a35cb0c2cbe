import { isLoopback } from '../core/loopback.ts';

/** Which names and pages may reach us. Pure: headers in, a verdict out. */
export interface OriginPolicy {
  /** The address that the listener is bound to. */
  boundHost: string;
  /** Further names that Host may have; `.example.com` stands for all below it, `*` for every name. */
  allowedHosts: readonly string[];
  /** Further origins whose pages may call; `*` for every one. */
  allowedOrigins: readonly string[];
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Why the Host header is refused, or undefined. A page of an attacker can make its own name point here (DNS rebinding), but
 * then that name stands in Host. Numbers can't be made to point elsewhere, so they are fine where we listen beyond loopback.
 */
export function hostProblem(headers: Headers, policy: OriginPolicy): string | undefined {
  const header = headers['host'];
  // HTTP/1.0 has no Host, and no browser speaks it.
  if (header === undefined) return undefined;
  const name = typeof header === 'string' ? hostName(header) : undefined;
  if (name === undefined) return 'The Host header can not be read.';
  if (isLoopback(name) || name === policy.boundHost.toLowerCase()) return undefined;
  if (!isLoopback(policy.boundHost.toLowerCase()) && isAddress(name)) return undefined;
  for (const allowed of policy.allowedHosts) {
    const lower = allowed.toLowerCase();
    if (lower === '*' || lower === name || (lower.startsWith('.') && name.endsWith(lower))) return undefined;
  }
  return `The name ${JSON.stringify(name)} is none of ours.`;
}

export type OriginVerdict =
  /** No page of another origin is behind it: our own page, or no browser at all. The page's cookie counts. */
  | { kind: 'own' }
  /** A page of an origin that was allowed; a cookie does not count, a token does. */
  | { kind: 'allowed'; origin: string }
  | { kind: 'refused'; problem: string };

const own: OriginVerdict = { kind: 'own' };

/** Judges where a request comes from. `upgrade` requests always carry Origin when a browser makes them. */
export function judgeOrigin(method: string, headers: Headers, policy: OriginPolicy): OriginVerdict {
  const origin = headers['origin'];
  if (typeof origin === 'string') {
    const asked = headers['host'];
    if (typeof asked === 'string' && sameHost(origin, asked)) return own;
    const lower = origin.toLowerCase();
    if (policy.allowedOrigins.some((allowed) => allowed === '*' || allowed.toLowerCase().replace(/(?<=[^/])\/$/, '') === lower))
      return { kind: 'allowed', origin };
    return { kind: 'refused', problem: `Pages of ${JSON.stringify(origin.slice(0, 200))} may not call this sidecar.` };
  }
  // Browsers leave Origin out of plain GETs, but say whether another site made them. `same-site` is not good enough: another
  // port of this machine is the same site. Programs (Node's fetch among them) send Sec-Fetch-Mode at most.
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') {
    const followsLink =
      headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document' && (method === 'GET' || method === 'HEAD');
    if (!followsLink) return { kind: 'refused', problem: 'Pages of other origins may not call this sidecar.' };
  }
  return own;
}

function sameHost(origin: string, host: string): boolean {
  const match = /^(https?):\/\/([^/]+)$/i.exec(origin);
  if (match === null) return false;
  const port = match[1]?.toLowerCase() === 'https' ? ':443' : ':80';
  return withoutPort(match[2] ?? '', port) === withoutPort(host, port);
}

function withoutPort(host: string, port: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

/** The name in a Host header, without port and brackets. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/?#@\s[\]]+))(?::\d{1,5})?$/i.exec(header);
  const name = match?.[1] ?? match?.[2];
  // One dot at the end names the same host.
  return name?.toLowerCase().replace(/\.$/, '');
}

function isAddress(name: string): boolean {
  return name.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(name);
}

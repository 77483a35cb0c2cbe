/** Why an entry of `allowedHosts` could match no Host header, with what was meant; undefined where it can. */
export function allowedHostProblem(entry: string): string | undefined {
  const meant = entry === '*' ? entry : hostMeant(entry);
  if (meant === undefined) return `${JSON.stringify(entry)} is no name of a host.`;
  return meant === entry.toLowerCase() ? undefined : `${JSON.stringify(entry)} would match no host; write ${JSON.stringify(meant)}.`;
}

/** Why an entry of `allowedOrigins` could match no Origin header, with what was meant; undefined where it can. */
export function allowedOriginProblem(entry: string): string | undefined {
  if (entry === '*' || entry === 'null') return undefined;
  const origin = URL.parse(entry)?.origin;
  const given = entry.toLowerCase().replace(/(?<=[^/])\/$/, '');
  // Of other schemes, such as those of extensions, only the form is known.
  if (origin === given || (origin === 'null' && /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*$/.test(given))) return undefined;
  if (origin === undefined || origin === 'null') return `${JSON.stringify(entry)} is no origin, such as "https://example.com".`;
  return `${JSON.stringify(entry)} would match no origin; write ${JSON.stringify(origin)}.`;
}

/** As it stands in a Host header, which is in ASCII and compared without its port; with a dot before it for all names below. */
function hostMeant(entry: string): string | undefined {
  const [, dot, host = ''] = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(\*?\.)?(.*)$/is.exec(entry) ?? [];
  const isBareIpv6 = /^[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*$/i.test(host);
  const name = URL.parse(`http://${isBareIpv6 ? `[${host}]` : host}`)?.hostname.replace(/^\[|\]$|\.$/g, '');
  if (name === undefined || name === '') return undefined;
  return dot === undefined ? name : `.${name}`;
}

/** Whether a host is this machine and nobody else: a name that is reserved for it (RFC 6761), or an address of loopback; IPv6 with brackets or without. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Where the page is served, e.g. `http://localhost:3000`; behind a proxy that adds a path, with it. No slash at the end. */
export function pageAddress(): string {
  return new URL('.', location.href).href.replace(/\/$/, '');
}

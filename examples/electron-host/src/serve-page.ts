import fs from 'node:fs/promises';
import path from 'node:path';

export const pageScheme = 'page';
/** A scheme of our own instead of file: the page can load its three files, and no other file of the disk. */
export const pageUrl = `${pageScheme}://workspace/`;

const types: Readonly<Record<string, string>> = {
  '/': 'text/html; charset=utf-8',
  '/page.css': 'text/css; charset=utf-8',
  '/page.js': 'text/javascript; charset=utf-8',
};
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/** Answers the page's requests from `folder`, under a policy that lets nothing else be loaded or run. */
export function pageHandler(folder: string): (request: { url: string }) => Promise<Response> {
  return async ({ url }) => {
    const { pathname } = new URL(url);
    const type = types[pathname];
    const headers = { 'content-security-policy': policy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };
    if (type === undefined) return new Response('There is no such page.', { status: 404, headers });
    const body = await fs.readFile(path.join(folder, pathname === '/' ? 'index.html' : pathname.slice(1)), 'utf8');
    return new Response(body, { headers: { ...headers, 'content-type': type } });
  };
}

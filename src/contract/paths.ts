import * as z from 'zod';
import { once } from './once.ts';

const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;

/** Why a wire path is refused, or undefined when it holds. Wire paths are workspace-relative, UTF-8, with `/` between names. */
export function pathProblem(path: string): string | undefined {
  if (path.includes('\0')) return 'holds a NUL';
  if (path.startsWith('/')) return 'is absolute';
  if (!path.isWellFormed()) return 'holds a lone surrogate';
  if (path.length > MAX_PATH_BYTES || byteLength(path) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  for (const name of path.split('/')) {
    if (name === '..') return 'has a ".." in it';
    if (name.length > MAX_NAME_BYTES / 4 && byteLength(name) > MAX_NAME_BYTES) return `has a name longer than ${MAX_NAME_BYTES} bytes`;
  }
  return undefined;
}

/** The one spelling of a path: no empty names, no ".", no slash at the ends; the workspace itself is ''. */
export function normalisePath(path: string): string {
  if (!path.includes('//') && !path.includes('./') && !path.endsWith('/') && !path.endsWith('.')) return path;
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/');
}

export function parentPath(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? '' : path.slice(0, cut);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Any path in the workspace; '' is the workspace itself. */
export const workspacePath = once(() =>
  z
    .string()
    .superRefine((path, context) => {
      const problem = pathProblem(path);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: `the path ${problem}`, params: { reason: 'BAD_PATH' } });
    })
    .transform(normalisePath)
    .describe('Path relative to the workspace, with / between names; "" is the workspace itself.'),
);

/** The path of a thing inside the workspace, never the workspace itself. */
export const entryPath = once(() =>
  workspacePath().refine((path) => path !== '', { message: 'the path is empty', params: { reason: 'BAD_PATH' } }),
);

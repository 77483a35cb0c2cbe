import { constants } from 'node:os';

/** Of errors for which Node has no name in `code`: libuv does not know them. */
const names = new Map<number | undefined, string>(
  (['EDQUOT', 'ESTALE'] as const).map((name) => [-((constants.errno[name] as number | undefined) ?? Number.NaN), name]),
);

/** What the operating system calls the error, as in errno(3): `ENOENT`. Undefined where it is none of its. */
export function errnoOf(error: unknown): string | undefined {
  const { errno, code } = (error ?? {}) as NodeJS.ErrnoException;
  return names.get(errno) ?? code;
}

/** The process, or the machine, has no file descriptor left: what could not be opened may well be there. */
export function lacksDescriptors(error: unknown): error is Error {
  return ['EMFILE', 'ENFILE'].includes(errnoOf(error) ?? '');
}

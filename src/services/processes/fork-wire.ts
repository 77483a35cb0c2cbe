import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import type { HostExit } from './host.ts';

/** As native/serve.h has them. */
export const TOKEN_LENGTH = 16;
const MOST_ORDER_BYTES = 4 * 1024 * 1024;
/** The kernel's limits of execve(2) for one string and for all of them, with a pointer to each. */
const MOST_STRING_BYTES = 128 * 1024;
const MOST_STRINGS_BYTES = 2 * 1024 * 1024;
const MOST_STRINGS = 65_000;

/**
 * `P` the path of the socket that streams of cages come to, `S` a cage; `C` pipes for a program, `O` that they were opened, `R` the program, `G` a
 * signal for it; `K` the end of anything, `E` of the server.
 */
export type OrderKind = 'P' | 'S' | 'C' | 'O' | 'R' | 'G' | 'K' | 'E';

/** What the server says: that it is there, that pipes are, that a program runs, that something ended. */
export type ServerWord =
  | { word: 'ready' }
  /** `ends`: descriptors of the server, for standard input, output and error. */
  | { word: 'made'; token: string; ends: readonly [number, number, number] }
  | { word: 'began'; token: string; pid: number }
  /** `status`: of waitpid(2), or the negative number of what kept it from its start. */
  | { word: 'ended'; token: string; status: number };

/** Of a cage, or of a program and its pipes. */
export function newToken(): string {
  return randomBytes(TOKEN_LENGTH / 2).toString('hex');
}

export function orderFrame(kind: OrderKind, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  const head = Buffer.alloc(5);
  head.writeUInt32LE(body.reduce((sum, { length }) => sum + length, 1));
  head.write(kind, 4, 'latin1');
  return Buffer.concat([head, ...body]);
}

export function serverWord(line: string): ServerWord {
  const [word, token = '', number = '', ...more] = line.split(' ');
  if (word === 'ready') return { word };
  if (word === 'made') return { word, token, ends: [Number(number), Number(more[0]), Number(more[1])] };
  if (word === 'began') return { word, token, pid: Number(number) };
  return { word: 'ended', token, status: Number(number) };
}

/** For an order, each with its end. Throws what execve(2) would say. */
export function stringBytes(strings: readonly string[]): Buffer {
  if (strings.some((text) => text.includes('\0')))
    throw Object.assign(new Error('There is a NUL in an argument or a variable.'), { code: 'ERR_INVALID_ARG_VALUE' });
  const bytes = Buffer.from(`${strings.join('\0')}\0`);
  if (
    strings.length > MOST_STRINGS ||
    bytes.length + strings.length * 8 > Math.min(MOST_STRINGS_BYTES, MOST_ORDER_BYTES) ||
    (bytes.length > MOST_STRING_BYTES && strings.some((text) => Buffer.byteLength(text) >= MOST_STRING_BYTES))
  )
    throw Object.assign(new Error('The arguments and variables are too long.'), { code: 'E2BIG' });
  return bytes;
}

export function variables(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

/** Of what waitpid(2) says. */
export function exitOf(status: number): HostExit {
  const signal = status & 0x7f;
  if (status >= 0 && signal === 0) return { exitCode: status >> 8, exitSignal: null };
  const [name = 'SIGKILL'] = Object.entries(constants.signals).find(([, number]) => number === signal) ?? [];
  return { exitCode: null, exitSignal: name as NodeJS.Signals };
}

export function systemError(errno: number): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${getSystemErrorMessage(errno)}`), { code });
}

export function tooLate(): Error {
  return Object.assign(new Error('What starts programs did not answer in time.'), { code: 'ETIMEDOUT' });
}

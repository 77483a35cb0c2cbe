// Calls by chance, over few paths, so that they meet.
import type { Random } from './random.ts';
import type { ModelCall } from './workspace-model-answers.ts';
import { etagOf, joined, type ModelFolder, Refused, textOf } from './workspace-model-folder.ts';
import type { ModelEdit } from './workspace-model-text.ts';

const folders = ['', '', 'a', 'a', 'b', 'a/sub', 'd é 😀', 'a/new/deep'];
const names = ['one.txt', 'one.txt', 'two.txt', 'CRLF.txt', 'sub', 'bin'];
const oddNames = [
  ...[
    'sp ace',
    'new\nline',
    '😀.md',
    'é',
    'e\u0301',
    'q?x#y%41',
    '-dash',
    'dot.',
    '...',
    '~',
    '"quoted"',
    "it's",
    'back\\slash',
    '\u00a0',
    '\t',
  ],
  ...['x'.repeat(255), '€'.repeat(85), '\ufeffmark', '%2F', 'a b+c&d=e', 'CON', '__proto__', 'constructor', 'upload'],
];
/** By name: where they lead. */
export const modelLinks: Readonly<Record<string, string>> = {
  la: 'a',
  'b/up': '../a',
  lf: 'a/one.txt',
  dangling: 'nothing',
  far: 'nothing/deep',
  loop: 'loop',
  out: '/etc',
};
const words = ['red', 'blue', 'green', 'aa', 'a'];
const MANY_LINES = 20_000;

type Maybe<T> = T | undefined;

export class CallMaker {
  readonly #random: Random;
  readonly #folder: ModelFolder;
  #count = 0;

  constructor(random: Random, folder: ModelFolder) {
    this.#random = random;
    this.#folder = folder;
  }

  // ── parts of calls ───────────────────────────────────────────────────────────────────────────────────────────────────

  #one(chances: number): boolean {
    return this.#random.below(chances) === 0;
  }

  /** Mostly one that is there. */
  path(): string {
    const kind = this.#random.below(20);
    if (kind < 9) return this.there();
    if (kind < 11)
      return this.#random.of([
        ...Object.keys(modelLinks),
        'la/one.txt',
        'la/sub',
        'b/up/two.txt',
        'la/new/x',
        'dangling/x',
        'out/hostname',
      ]);
    if (kind < 12) return this.#odd(this.there());
    return joined(this.#random.of(folders), this.#random.of(this.#one(3) ? oddNames : names));
  }

  there(): string {
    const all = [...this.#folder.nodes.keys()].filter((one) => one !== '');
    return all.length === 0 ? 'one.txt' : this.#random.of(all);
  }

  #odd(path: string): string {
    return this.#random.of([
      ...[path.replaceAll('/', '//'), `./${path}`, `${path}/`, `${path}/.`, `${path}/x`, `/${path}`, `${path}/../x`, `..`, `${path}\0`],
      ...[`b/${'y'.repeat(256)}`, '', '.', `${path}x`, path.normalize('NFD'), path.toUpperCase()],
    ]);
  }

  text(): string {
    const line = (): string => Array.from({ length: this.#random.below(4) }, () => this.#random.of(words)).join(' ');
    const lines = Array.from({ length: this.#random.below(5) }, line);
    const number = `n${this.#count++}`;
    switch (this.#random.below(14)) {
      case 0:
        return '';
      case 1:
        return `${[...lines, number].join('\r\n')}\r\n`;
      case 2:
        return `\ufeff${[...lines, number].join('\r\n')}\r\n`;
      case 3:
        return `\ufeff${[number, ...lines].join('\n')}\n`;
      case 4:
        return `${number}\r\n${lines.join('\n')}\n`;
      case 5:
        return `${number}\n\ufeff${lines.join('\n')}`;
      case 6:
        return [number, ...lines].join('\n');
      case 7:
        return this.#one(4) ? `${number} ünï😀\n`.repeat(MANY_LINES) : `${number} ünï😀 ${'z'.repeat(3000)}\n`;
      case 8:
        return this.#one(2) ? '\n' : '\ufeff';
      default:
        return `${[...lines, number].join('\n')}\n`;
    }
  }

  bytes(): Buffer {
    switch (this.#random.below(5)) {
      case 0:
        return Buffer.from([0, 1, 2, this.#random.below(256), 10, 255]);
      case 1:
        return Buffer.from(`line\nbad ${'\u00e9'}\nred ${this.#count++}\n`, 'latin1');
      case 2:
        return Buffer.alloc(this.#random.of([1, 65_535, 65_536, 65_537, 300_000]), this.#count++);
      default:
        return Buffer.from(this.text());
    }
  }

  #etag(path: string): string {
    let current = '"none"';
    try {
      const { node } = this.#folder.spot(path, true);
      if (node?.kind === 'file') current = etagOf(node.bytes);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    const other = `"${'0'.repeat(64)}"`;
    return this.#random.of([
      ...[
        current,
        current,
        current,
        '*',
        other,
        `${other}, ${current}`,
        `${current},${other}`,
        `W/${current}`,
        current.slice(1, -1),
        '""',
        `"${current}`,
      ],
      ...[current.toUpperCase(), ` ${current} `, `${other} , * `],
    ]);
  }

  #maybe<T>(chances: number, value: () => T): Maybe<T> {
    return this.#one(chances) ? value() : undefined;
  }

  #conditions(path: string): { ifMatch?: string; ifNoneMatch?: string } {
    return present({ ifMatch: this.#maybe(4, () => this.#etag(path)), ifNoneMatch: this.#maybe(6, () => this.#etag(path)) });
  }

  #edits(path: string): ModelEdit[] {
    let text = '';
    try {
      text = textOf(this.#folder.file(path).bytes) ?? '';
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    const lines = text.split('\n').length;
    const piece = (): string => {
      const at = this.#random.below(Math.max(1, Math.min(text.length, 400)));
      return text.slice(at, at + 1 + this.#random.below(12)) || 'red';
    };
    return Array.from({ length: 1 + this.#random.below(3) }, (): ModelEdit => {
      if (this.#one(2)) {
        const find = this.#one(2) ? piece() : this.#random.of([...words, 'red\n', '\n', '\r\n', 'nowhere', ' ']);
        return {
          find,
          replace: this.#random.of(['', 'new', 'red red', 'x\n', 'x\r\ny', '$&', '\ufeff']),
          ...(this.#one(2) ? { all: true } : {}),
        };
      }
      const startLine = 1 + this.#random.below(Math.min(lines, 8) + 1);
      const endLine = Math.max(0, startLine - 1 + this.#random.below(3) - (this.#one(8) ? 1 : 0));
      return { startLine, endLine, text: this.#random.of(['', 'put', 'put\n', 'put\r\nin', '\n', 'p\nq']) };
    }).filter((edit) => !('find' in edit) || (edit.find.isWellFormed() && edit.find !== '' && !/\r(?!\n)/.test(edit.find)));
  }

  // ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  reading(path = this.path()): ModelCall {
    const line = (): number => 1 + this.#random.below(5);
    switch (this.#random.below(7)) {
      case 0:
        return this.#one(3)
          ? { name: 'files.list', input: { path: '', recursive: true, ...(this.#one(3) ? { limit: 1 + this.#random.below(12) } : {}) } }
          : {
              name: 'files.list',
              input: { path: this.#one(3) ? this.#random.of(['a', 'b', 'la', 'b/up', '']) : path, recursive: this.#one(2) },
            };
      case 1:
        return { name: 'files.stat', input: { path, hash: this.#one(2) } };
      case 2: {
        const dates = {
          ifModifiedSince: this.#maybe(8, () => OLD),
          ifUnmodifiedSince: this.#maybe(12, () => OLD),
          ifRange: this.#maybe(6, () => this.#etag(path).trim()),
        };
        return {
          name: 'files.download',
          input: { path, ...present({ range: this.#maybe(2, () => this.#range()), ...this.#conditions(path), ...dates }) },
        };
      }
      case 3:
      case 4: {
        const some = this.#random.of([
          ...[{ head: line() }, { tail: line() }, { startLine: line() }, { endLine: line() }],
          ...[{ startLine: line(), endLine: line() }, { head: 1, tail: 1 }, { tail: 1, startLine: 2 }, { head: 10_000 }, { tail: 10_000 }],
        ]);
        return { name: 'files.read', input: { path, ...some, ...(this.#one(3) ? { source: 'disk' } : {}) } };
      }
      default:
        return { name: 'files.read', input: { path, ...(this.#one(4) ? { source: this.#random.of(['disk', 'live']) } : {}) } };
    }
  }

  #range(): string {
    const n = (): number => this.#random.of([0, 1, 2, 5, 10, 65_535, 65_536, 1e15]);
    return this.#random.of([
      ...[
        `bytes=${n()}-${n()}`,
        `bytes=${n()}-${n()}`,
        `bytes=${n()}-`,
        `bytes=-${n()}`,
        'bytes=-',
        'bytes=a-b',
        'bytes=0-1,3-4',
        'lines=1-2',
      ],
    ]);
  }

  writing(path = this.path()): ModelCall {
    const mode = this.#maybe(8, () => this.#random.of([0o600, 0o755, 0o444, 0o644]));
    const parents = this.#maybe(5, () => this.#one(2));
    switch (this.#random.below(14)) {
      case 0:
      case 1:
      case 2: {
        const same = this.#one(5) ? this.#textAt(path) : undefined;
        return {
          name: 'files.write',
          input: { path, text: same ?? this.text(), ...present({ ...this.#conditions(path), mode, parents }) },
        };
      }
      case 3:
        return { name: 'files.create', input: { path, ...present({ text: this.#maybe(2, () => this.text()), mode, parents }) } };
      case 4:
      case 5:
        return this.#edit(path);
      case 6:
        return { name: 'files.mkdir', input: { path, ...present({ parents }) } };
      case 7:
        return {
          name: 'files.remove',
          input: {
            path,
            ...present({
              recursive: this.#maybe(2, () => this.#one(2)),
              missingOk: this.#maybe(4, () => true),
              ifMatch: this.#maybe(5, () => this.#etag(path)),
            }),
          },
        };
      case 8:
      case 9:
        return {
          name: 'files.move',
          input: { from: path, to: this.#one(10) ? path : this.path(), ...present({ overwrite: this.#maybe(2, () => true), parents }) },
        };
      case 10:
        return {
          name: 'files.copy',
          input: { from: path, to: this.#one(10) ? path : this.path(), ...present({ overwrite: this.#maybe(2, () => true), parents }) },
        };
      case 11:
        return this.#batch();
      default:
        return { name: 'files.upload', input: { path, ...present({ ...this.#conditions(path), mode, parents }) }, bytes: this.bytes() };
    }
  }

  #edit(path: string): ModelCall {
    const edits = this.#edits(path);
    if (edits.length === 0) return this.writing(path);
    return { name: 'files.edit', input: { path, edits, ...present({ ifMatch: this.#maybe(5, () => this.#etag(path)) }) } };
  }

  #textAt(path: string): Maybe<string> {
    try {
      return textOf(this.#folder.file(path).bytes);
    } catch (error) {
      if (error instanceof Refused) return undefined;
      throw error;
    }
  }

  #batch(): ModelCall {
    const changes = Array.from({ length: 1 + this.#random.below(4) }, () => {
      const path = this.path();
      switch (this.#random.below(6)) {
        case 0:
          return {
            op: 'edit' as const,
            path,
            edits: [{ find: this.#random.of(words), replace: 'batched', all: true }, ...this.#edits(path)],
          };
        case 1:
          return {
            op: 'move' as const,
            from: path,
            to: this.path(),
            overwrite: this.#one(2),
            ...present({ ifMatch: this.#maybe(6, () => this.#etag(path)) }),
          };
        case 2:
          return { op: 'remove' as const, path, recursive: this.#one(2), ...present({ ifMatch: this.#maybe(6, () => this.#etag(path)) }) };
        case 3:
          return { op: 'mkdir' as const, path, ...present({ parents: this.#maybe(4, () => false) }) };
        default: {
          const content = this.#one(3) ? { base64: this.bytes().toString('base64') } : { text: this.text() };
          return { op: 'write' as const, path, ...content, ...present({ ...this.#conditions(path), mode: this.#maybe(8, () => 0o600) }) };
        }
      }
    });
    return {
      name: 'files.batch',
      input: { changes, ...(this.#one(4) ? { dryRun: true } : {}), ...(this.#one(2) ? { returnBefore: true } : {}) },
    };
  }
}

const OLD = 'Mon, 01 Jan 1990 00:00:00 GMT';

/** Without what is undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}

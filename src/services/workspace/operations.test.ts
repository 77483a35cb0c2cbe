import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { withinPaths } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Change } from '../../contract/events.ts';
import { files as table } from '../../contract/files.ts';
import type { Call, Item } from '../../contract/operation.ts';
import type { changes as changesTable } from '../../contract/changes.ts';
import { parseByteRange } from './byte-range.ts';
import { hashBytes } from './content.ts';
import { changeOperations } from './change-operations.ts';
import type { LiveText } from './live-text.ts';
import { fileOperations } from './operations.ts';
import { call, cause, chunks, fails, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const MB = 1024 * 1024;
const etag = (text: string | Uint8Array): string => `"${hashBytes(text)}"`;

type Run = (name: keyof typeof table, input: object, facts?: Partial<Call>) => Promise<Record<string, unknown>>;

function withOperations(run: (run: Run, harness: Harness) => Promise<void>): Promise<void> {
  return withWorkspace((harness) => {
    const operations = fileOperations(harness.workspace, { maxTextBytes: MB, maxUploadBytes: 10 * MB }) as unknown as Record<
      string,
      (input: unknown, call: Call) => unknown
    >;
    return run(
      async (name, input, facts) => (await operations[name]?.(table[name].input.parse(input), call(facts))) as Record<string, unknown>,
      harness,
    );
  });
}

describe('files.read', () => {
  test('gives the lines asked for, as they stand in the file', () =>
    withOperations(async (run, { put }) => {
      const cases: [text: string, input: object, expected: string, startLine: number, lines: number][] = [
        ['a\nb\nc\n', { head: 2 }, 'a\nb\n', 1, 3],
        ['a\nb\nc\n', { tail: 2 }, 'b\nc\n', 2, 3],
        ['a\nb\nc', { tail: 2 }, 'b\nc', 2, 3],
        ['a\nb\nc', { startLine: 2, endLine: 2 }, 'b\n', 2, 3],
        ['a\nb\nc', { startLine: 3 }, 'c', 3, 3],
        ['a\nb\nc', { endLine: 1 }, 'a\n', 1, 3],
        ['a\r\nb\r\nc', { startLine: 2, endLine: 3 }, 'b\r\nc', 2, 3],
        ['a\r\n\r\n', { tail: 1 }, '\r\n', 2, 2],
        ['\n\n\n', { tail: 2 }, '\n\n', 2, 3],
        ['', { head: 5 }, '', 1, 0],
        ['', { tail: 5 }, '', 1, 0],
        ['one', { tail: 5 }, 'one', 1, 1],
        ['one', { startLine: 7 }, '', 7, 1],
        ['a\nb', { tail: 99 }, 'a\nb', 1, 2],
      ];
      for (const [text, input, expected, startLine, lines] of cases) {
        put('f', text);
        const found = await run('files.read', { path: 'f', ...input });
        const label = `${JSON.stringify(text)} ${JSON.stringify(input)}`;
        assert.deepEqual(
          [found['text'], found['startLine'], found['lines'], found['etag']],
          [expected, startLine, lines, etag(text)],
          label,
        );
      }
      for (const input of [
        { head: 1, tail: 1 },
        { head: 1, startLine: 1 },
        { startLine: 3, endLine: 2 },
      ]) {
        await fails('BAD_INPUT', () => run('files.read', { path: 'f', ...input }));
      }
    }));

  test('gives the same lines as splitting the text, wherever they lie', () => {
    const seed = testSeed();
    return withOperations(async (run, { put }) => {
      const line = fc.constantFrom('', 'a', 'ü', '\r', 'long '.repeat(20_000), 'x'.repeat(255));
      await fc.assert(
        fc.asyncProperty(
          fc.array(line, { maxLength: 8 }),
          fc.boolean(),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 9 }),
          async (parts, ends, one, other) => {
            const text = parts.join('\n') + (ends ? '\n' : '');
            const all = text.split(/(?<=\n)/).filter((part) => part !== '');
            put('f', text);
            const [startLine, endLine] = [Math.min(one, other), Math.max(one, other)];
            const range = await run('files.read', { path: 'f', startLine, endLine });
            assert.equal(range['text'], all.slice(startLine - 1, endLine).join(''));
            assert.equal((await run('files.read', { path: 'f', tail: one }))['text'], all.slice(-one).join(''));
            assert.equal((await run('files.read', { path: 'f', head: one }))['lines'], all.length);
          },
        ),
        { seed, numRuns: 30 },
      );
    });
  });

  test('leaves a byte order mark out, says so, and only where it begins the file', () =>
    withOperations(async (run, { put }) => {
      put('f', '\uFEFFa\n\uFEFFb\n');
      const whole = await run('files.read', { path: 'f' });
      assert.deepEqual([whole['text'], whole['bom'], whole['size']], ['a\n\uFEFFb\n', true, 10]);
      assert.deepEqual([(await run('files.read', { path: 'f', head: 1 }))['text']], ['a\n']);
      const second = await run('files.read', { path: 'f', startLine: 2 });
      assert.deepEqual([second['text'], second['bom']], ['\uFEFFb\n', undefined]);
    }));

  test('gives the same of an open document as of a file that holds its text, byte order marks included', () =>
    withOperations(async (run, { put, read, workspace }) => {
      put('f', '\uFEFFa\r\n\uFEFFb\r\nc');
      const nothing = async (): Promise<undefined> => undefined;
      for (const input of [{}, { head: 1 }, { tail: 1 }, { tail: 2 }, { startLine: 2 }, { startLine: 2, endLine: 2 }, { startLine: 9 }]) {
        workspace.liveText = undefined;
        const onDisk = await run('files.read', { path: 'f', ...input });
        workspace.liveText = {
          ...{
            read: () => ({ raw: read('f'), unsaved: false }),
            catchUp: nothing,
            write: nothing,
            seen: () => {},
            letGoOfReplaced: () => {},
            flush: nothing,
          },
          hold: () => Promise.reject(new Error('not asked for')),
        } as unknown as LiveText;
        assert.deepEqual(await run('files.read', { path: 'f', ...input }), { ...onDisk, unsaved: false }, JSON.stringify(input));
      }
    }));

  test('refuses what is no text, and what is too much, also of a huge file, in little memory (long form)', () =>
    withOperations(async (run, { put, at }) => {
      for (const bytes of [Buffer.from([0x61, 0]), Buffer.from([0xff]), Buffer.from([0xc3]), Buffer.from([0xed, 0xa0, 0x80])]) {
        put('f', bytes);
        await fails('NOT_TEXT', () => run('files.read', { path: 'f' }));
        await fails('NOT_TEXT', () => run('files.read', { path: 'f', head: 1 }));
      }
      put('f', 'x'.repeat(MB + 1));
      await fails('OUTPUT_TOO_LARGE', () => run('files.read', { path: 'f' }));
      await fails('OUTPUT_TOO_LARGE', () => run('files.read', { path: 'f', head: 1 }));
      put('huge', 'first\n');
      fs.truncateSync(at('huge'), 300 * MB);
      fs.appendFileSync(at('huge'), '\nlast line\n');
      const before = process.memoryUsage.rss();
      assert.equal((await run('files.read', { path: 'huge', head: 1 }))['text'], 'first\n');
      assert.equal((await run('files.read', { path: 'huge', tail: 1 }))['text'], 'last line\n');
      await fails('OUTPUT_TOO_LARGE', () => run('files.read', { path: 'huge', startLine: 2, endLine: 2 }));
      const grown = process.memoryUsage.rss() - before;
      assert.ok(grown < 100 * MB, `memory grew by ${Math.round(grown / MB)} MB`);
      const controller = new AbortController();
      const reading = run('files.read', { path: 'huge', head: 1 }, { signal: controller.signal });
      controller.abort(new Error('gone'));
      await assert.rejects(reading, /gone/);
    }));

  test('of very many short lines keeps them as few pieces', () =>
    withOperations(async (run, { put }) => {
      put('f', '\n'.repeat(MB));
      const before = process.memoryUsage().heapUsed;
      assert.equal((await run('files.read', { path: 'f', tail: MB }))['lines'], MB);
      assert.ok(process.memoryUsage().heapUsed - before < 50 * MB);
    }));
});

test('files.remove of what may be missing is no error where somebody else has just removed it', () =>
  withOperations(async (run, { put, at, told }) => {
    put('f');
    put('folder/f');
    for (const path of ['f', 'folder']) {
      const both = [
        run('files.remove', { path, recursive: true, missingOk: true }),
        run('files.remove', { path, recursive: true, missingOk: true }),
      ];
      const removed = (await Promise.all(both)).map((one) => Number(one['removed']));
      assert.equal(fs.existsSync(at(path)), false);
      assert.ok(removed.includes(0), `${removed}`);
    }
    assert.deepEqual(told(), ['removed f', 'removed folder/f', 'removed folder']);
  }));

test('files.remove of a large folder by two at once fails for neither where it may be missing', () =>
  withOperations(async (run, { put, at }) => {
    for (let number = 0; number < 1500; number++) put(`folder/${number}`);
    const remove = () => run('files.remove', { path: 'folder', recursive: true, missingOk: true });
    await Promise.all([remove(), remove()]);
    assert.equal(fs.existsSync(at('folder')), false);
  }));

describe('files.write and files.create', () => {
  test('give back the byte order mark that a reader was not shown', () =>
    withOperations(async (run, { put, read }) => {
      put('f', '\uFEFFone');
      await run('files.write', { path: 'f', text: 'two' });
      assert.equal(read('f'), '\uFEFFtwo');
      await run('files.write', { path: 'f', text: '\uFEFFthree' });
      assert.equal(read('f'), '\uFEFFthree');
      // Also one that came while a write waited for its turn.
      await Promise.all(['\uFEFFone', 'two'].map((text) => run('files.write', { path: 'new', text })));
      assert.equal(read('new'), '\uFEFFtwo');
    }));

  test('refuse a text that UTF-8 can not store instead of storing another one', () =>
    withOperations(async (run, { put, read }) => {
      put('f', 'old');
      await fails('BAD_INPUT', () => run('files.write', { path: 'f', text: 'a\ud800b' }));
      await fails('BAD_INPUT', () => run('files.create', { path: 'g', text: '\udc00' }));
      await fails('BAD_INPUT', () => run('files.edit', { path: 'f', edits: [{ find: 'old', replace: '\ud83d' }] }));
      assert.equal(read('f'), 'old');
    }));

  test('create fails where something stands, also a folder', () =>
    withOperations(async (run, { put, at }) => {
      put('folder/file');
      for (const path of ['folder', 'folder/file']) await fails('FILE_EXISTS', () => run('files.create', { path }));
      assert.equal((await run('files.create', { path: 'folder/new' }))['created'], true);
      assert.equal(fs.statSync(at('folder/new')).size, 0);
    }));
});

describe('files.edit', () => {
  test('keeps line ends and byte order mark, whatever ends the edit itself uses', () =>
    withOperations(async (run, { put, read }) => {
      put('f', '\uFEFFone\r\ntwo\r\nthree');
      const edits = [
        { find: 'one\ntwo', replace: 'one\nand\r\ntwo' },
        { startLine: 3, endLine: 3, text: 'four\nfive' },
      ];
      await run('files.edit', { path: 'f', edits });
      assert.equal(read('f'), '\uFEFFone\r\nand\r\ntwo\r\nfour\r\nfive');
      put('mixed', 'a\r\nb\nc\r\n');
      await run('files.edit', { path: 'mixed', edits: [{ find: 'b\nc', replace: 'B\nC' }] });
      assert.equal(read('mixed'), 'a\r\nB\nC\r\n');
    }));

  test('speaks of the same lines as files.read, and of LF alone as their end, whatever line ends the file has', () => {
    const seed = testSeed();
    return withOperations(async (run, { put, read }) => {
      const part = fc.constantFrom('a', '\r', '\n', '\r\n');
      await fc.assert(
        fc.asyncProperty(
          fc.array(part, { maxLength: 12 }),
          fc.integer({ min: 1, max: 6 }),
          fc.integer({ min: 1, max: 6 }),
          async (parts, one, other) => {
            const raw = parts.join('');
            put('f', raw);
            const [startLine, endLine] = [Math.min(one, other), Math.max(one, other)];
            const { text, lines } = (await run('files.read', { path: 'f', startLine, endLine })) as { text: string; lines: number };
            assert.equal(lines, raw.split(/(?<=\n)/).filter((line) => line !== '').length);
            const edit = (given: string): Promise<object> => run('files.edit', { path: 'f', edits: [{ startLine, endLine, text: given }] });
            if (endLine > lines) return void (await fails('OUT_OF_RANGE', () => edit(text)));
            await edit(text);
            assert.equal(read('f'), raw);
            const withoutFeed = text.replace(/\n$/, '');
            // Such an edit gets a break as the file has, where it has none, and without anything it removes the lines.
            if (/(^|\n)$/.test(withoutFeed) || (raw.includes('\r\n') && /[^\r]\n$/.test(text))) return;
            await edit(withoutFeed);
            assert.equal(read('f'), raw);
          },
        ),
        { seed, numRuns: 300 },
      );
    });
  });

  test('finds line ends of a file of CR alone as they are read, and as LF; what is put in as lines ends with LF', () =>
    withOperations(async (run, { put, read }) => {
      put('f', 'one\rtwo\rthree\r');
      await run('files.edit', { path: 'f', edits: [{ find: 'one\rtwo', replace: '1\n2' }] });
      await run('files.edit', { path: 'f', edits: [{ find: '2\nthree', replace: '2\r\n3' }] });
      assert.equal(read('f'), '1\r2\r3\r');
      await run('files.edit', { path: 'f', edits: [{ startLine: 1, endLine: 0, text: 'a\nline' }] });
      assert.deepEqual([(await run('files.read', { path: 'f', head: 2 }))['text'], read('f')], ['a\nline\n', 'a\nline\n1\r2\r3\r']);
    }));

  test('applies all edits or none, and says which one did not fit', () =>
    withOperations(async (run, { put, read }) => {
      put('f', 'one\ntwo\ntwo\n');
      const good = { find: 'one', replace: '1' };
      const cases = [
        ['EDIT_NOT_FOUND', { find: 'three', replace: '' }],
        ['EDIT_AMBIGUOUS', { find: 'two', replace: '' }],
        ['OUT_OF_RANGE', { startLine: 4, endLine: 4, text: '' }],
        ['OUT_OF_RANGE', { startLine: 3, endLine: 1, text: '' }],
      ] as const;
      for (const [reason, bad] of cases) {
        const error = await fails(reason, () => run('files.edit', { path: 'f', edits: [good, bad] }), /edit 2/);
        assert.deepEqual(error.details, { edit: 1 });
      }
      const lines = (startLine: number, endLine: number): object => ({ startLine, endLine, text: 'x' });
      await fails('BAD_INPUT', () => run('files.edit', { path: 'f', edits: [lines(1, 2), lines(2, 3)] }));
      await fails('ETAG_MISMATCH', () => run('files.edit', { path: 'f', edits: [good], ifMatch: '"other"' }));
      assert.equal(read('f'), 'one\ntwo\ntwo\n');
      await run('files.edit', { path: 'f', edits: [{ find: 'two', replace: '$& $1', all: true }] });
      assert.equal(read('f'), 'one\n$& $1\n$& $1\n');
    }));

  test('of many callers at once loses nobody’s', () =>
    withOperations(async (run, { put, read }) => {
      put('f', Array.from({ length: 20 }, (_, n) => `<${n}>`).join('\n'));
      const edit = async (n: number): Promise<void> => {
        try {
          await run('files.edit', { path: 'f', edits: [{ find: `<${n}>`, replace: `[${n}]` }] });
        } catch (error) {
          // Honest under this much haste: nothing was written, the caller may try again.
          assert.equal((error as { reason?: string }).reason, 'ETAG_MISMATCH');
          await edit(n);
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, n) => edit(n)));
      assert.equal(read('f'), Array.from({ length: 20 }, (_, n) => `[${n}]`).join('\n'));
    }));
});

describe('files.download', () => {
  const text = '0123456789';

  test('answers ranges as RFC 9110 says', () => {
    const cases: [header: string, size: number, expected: ReturnType<typeof parseByteRange>][] = [
      ['bytes=0-4', 10, { start: 0, end: 5 }],
      ['Bytes=0-0', 10, { start: 0, end: 1 }],
      ['bytes=5-', 10, { start: 5, end: 10 }],
      ['bytes=-3', 10, { start: 7, end: 10 }],
      ['bytes=-30', 10, { start: 0, end: 10 }],
      ['bytes=5-500', 10, { start: 5, end: 10 }],
      [`bytes=5-${'9'.repeat(400)}`, 10, { start: 5, end: 10 }],
      ['bytes=10-', 10, 'unsatisfiable'],
      [`bytes=${'9'.repeat(400)}-`, 10, 'unsatisfiable'],
      ['bytes=-0', 10, 'unsatisfiable'],
      ['bytes=0-', 0, 'unsatisfiable'],
      ['bytes=-5', 0, 'unsatisfiable'],
      ['bytes=4-2', 10, undefined],
      ['bytes=-', 10, undefined],
      ['bytes=', 10, undefined],
      ['bytes=0-1,3-4', 10, undefined],
      ['items=0-1', 10, undefined],
      ['bytes=a-b', 10, undefined],
      ['bytes=0x1-2', 10, undefined],
      ['bytes= 2 - 4 ', 10, { start: 2, end: 5 }],
      ['bytes= - 3', 10, { start: 7, end: 10 }],
      ['bytes=5 - ', 10, { start: 5, end: 10 }],
      ['bytes= - ', 10, undefined],
      ['', 10, undefined],
    ];
    for (const [header, size, expected] of cases) assert.deepEqual(parseByteRange(header, size), expected, header);
  });

  test('passes over a range of many spaces in no time', () => {
    const spaces = ' '.repeat(50_000);
    const began = threadMs();
    for (const header of [`bytes=${spaces}x`, `bytes=1-${spaces}x`, `bytes=${spaces}`, `bytes=-${spaces}`])
      assert.equal(parseByteRange(header, 10), undefined);
    assert.deepEqual(parseByteRange(`bytes=${spaces}1${spaces}-${spaces}2${spaces}`, 10), { start: 1, end: 3 });
    const took = threadMs() - began;
    assert.ok(took < 500, `${took} ms`);
  });

  async function download(run: Run, input: object): Promise<{ head: Record<string, unknown>; body: string }> {
    const { head, bytes } = (await run('files.download', { path: 'f', ...input })) as unknown as {
      head: Record<string, unknown>;
      bytes: AsyncIterable<Uint8Array>;
    };
    const parts: Uint8Array[] = [];
    for await (const part of bytes) parts.push(part);
    return { head, body: Buffer.concat(parts).toString() };
  }

  test('sends what was asked for, and all of it where the range does not hold', () =>
    withOperations(async (run, { put }) => {
      put('f', text);
      const cases: [input: object, body: string, contentRange: string | undefined][] = [
        [{}, text, undefined],
        [{ range: 'bytes=2-4' }, '234', 'bytes 2-4/10'],
        [{ range: 'bytes=2-4', ifRange: etag(text) }, '234', 'bytes 2-4/10'],
        [{ range: 'bytes=2-4', ifRange: etag('older') }, text, undefined],
        [{ range: 'bytes=2-4', ifRange: `W/${etag(text)}` }, text, undefined],
        [{ range: 'bytes=2-4', ifRange: 'Wed, 21 Oct 2015 07:28:00 GMT' }, text, undefined],
        [{ range: 'bytes=9-2' }, text, undefined],
        [{ ifNoneMatch: etag('older') }, text, undefined],
        [{ ifNoneMatch: etag(text) }, '', undefined],
        [{ ifNoneMatch: `W/${etag(text)}` }, '', undefined],
      ];
      for (const [input, body, contentRange] of cases) {
        const found = await download(run, input);
        assert.deepEqual(
          [found.body, found.head['contentRange'], found.head['length']],
          [body, contentRange, body.length],
          JSON.stringify(input),
        );
        assert.equal(found.head['partial'], contentRange !== undefined);
        assert.equal(found.head['notModified'], body === '');
      }
      const error = await fails('OUT_OF_RANGE', () => download(run, { range: 'bytes=10-' }));
      assert.deepEqual(error.details, { size: 10 });
      await fails('ETAG_MISMATCH', () => download(run, { ifMatch: etag('older') }));
    }));

  test('knows dates as conditions where there is no ETag that says it better', () =>
    withOperations(async (run, { put, at }) => {
      put('f', text);
      fs.utimesSync(at('f'), 1_000_000_000.75, 1_000_000_000.75);
      const [before, then, after] = [-1, 0, 1].map((second) => new Date((1_000_000_000 + second) * 1000).toUTCString());
      const whole: object[] = [
        { ifModifiedSince: before },
        { ifModifiedSince: 'no date' },
        { ifModifiedSince: `${then}, ${then}` },
        { ifModifiedSince: after, ifNoneMatch: etag('older') },
        { ifUnmodifiedSince: then },
        { ifUnmodifiedSince: after },
        { ifUnmodifiedSince: 'no date' },
        { ifUnmodifiedSince: before, ifMatch: etag(text) },
        { ifUnmodifiedSince: then, ifModifiedSince: before },
        { ifRange: then, range: 'bytes=2-4' },
      ];
      for (const input of whole) {
        const { head, body } = await download(run, input);
        assert.deepEqual([body, head['notModified'], head['partial']], [text, false, false], JSON.stringify(input));
        assert.equal(head['modified'], then);
      }
      const unmodified: object[] = [
        { ifModifiedSince: then },
        { ifModifiedSince: after, range: 'bytes=10-' },
        { ifModifiedSince: 'Sunday, 09-Sep-01 01:46:40 GMT' },
        { ifModifiedSince: 'Sun Sep  9 01:46:40 2001' },
        { ifModifiedSince: before, ifNoneMatch: etag(text) },
        { ifModifiedSince: then, ifUnmodifiedSince: then },
      ];
      for (const input of unmodified) {
        const { head, body } = await download(run, input);
        assert.deepEqual([body, head['notModified'], head['modified']], ['', true, then], JSON.stringify(input));
      }
      for (const input of [
        { ifUnmodifiedSince: before },
        { ifUnmodifiedSince: before, ifModifiedSince: then },
        { ifUnmodifiedSince: before, ifNoneMatch: etag(text) },
        { ifUnmodifiedSince: then, ifMatch: etag('older') },
      ]) {
        const { details } = await fails('ETAG_MISMATCH', () => download(run, input));
        assert.deepEqual(details, { etag: etag(text) }, JSON.stringify(input));
      }
    }));

  test('says of a file that is to be written only later that it was written now', () =>
    withOperations(async (run, { put, at }) => {
      put('f', text);
      fs.utimesSync(at('f'), 9e9, 9e9);
      const started = Math.floor(Date.now() / 1000) * 1000;
      const { head } = await download(run, {});
      const modified = Date.parse(head['modified'] as string);
      assert.ok(modified >= started && modified <= Date.now(), head['modified'] as string);
      assert.equal((await download(run, { ifModifiedSince: new Date(started - 60_000).toUTCString() })).body, text);
    }));

  test('fails, and does not end as if it were whole, when the file becomes shorter meanwhile', () =>
    withOperations(async (run, { put, at }) => {
      put('f', 'x'.repeat(MB));
      const { bytes } = (await run('files.download', { path: 'f' })) as unknown as { bytes: AsyncIterable<Uint8Array> };
      await fails('BUSY_FILE', async () => {
        for await (const chunk of bytes) if (chunk.length > 0) fs.truncateSync(at('f'), 1000);
      });
    }));

  test('fails, and does not end as if it were one content, when the file is written over meanwhile; what is only added is no part of it', () =>
    withOperations(async (run, { put, at }) => {
      const was = 'x'.repeat(MB);
      const taken = async (input: object, meanwhile: () => void): Promise<string> => {
        put('f', was);
        fs.utimesSync(at('f'), 1000, 1000);
        const answer = await run('files.download', { path: 'f', ...input });
        let text = '';
        for await (const chunk of (answer as unknown as { bytes: AsyncIterable<Uint8Array> }).bytes) {
          if (text === '') meanwhile();
          text += Buffer.from(chunk).toString();
        }
        return text;
      };
      const range = { range: `bytes=0-${MB - 2}` };
      for (const input of [{}, range]) {
        await fails('BUSY_FILE', () => taken(input, () => fs.writeFileSync(at('f'), 'y'.repeat(MB))));
        await fails('BUSY_FILE', () => taken(input, () => fs.writeFileSync(at('f'), 'y'.repeat(2 * MB))));
      }
      assert.equal(await taken({}, () => fs.appendFileSync(at('f'), 'more')), was);
      assert.equal(await taken(range, () => fs.utimesSync(at('f'), 2000, 2000)), was.slice(1));
      assert.equal(await taken({}, () => fs.rmSync(at('f'))), was);
    }));
});

describe('files.upload', () => {
  test('stops at its limit and leaves nothing', () =>
    withOperations(async (run, { temporaries, at }) => {
      const tooMuch = chunks(...Array.from({ length: 11 }, () => new Uint8Array(MB)));
      await fails('INPUT_TOO_LARGE', () => run('files.upload', { path: 'a/f' }, { body: tooMuch }));
      assert.deepEqual([temporaries(), fs.existsSync(at('a/f'))], [[], false]);
      assert.equal((await run('files.upload', { path: 'f' }, { body: chunks('ab', 'c') }))['etag'], etag('abc'));
    }));
});

describe('changes', () => {
  type Operations = Record<'changes.since', (input: object, call: Call) => { changes: Change[]; resync?: string }>;

  test('of other paths are not shown to a caller limited to some: what moved in was created, what moved out was removed', () =>
    withWorkspace(async ({ workspace }) => {
      const all = { overwrite: false, parents: true, cause };
      await workspace.write('mine/a', Buffer.from('a'), { cause });
      await workspace.write('secret/b', Buffer.from('b'), { cause });
      await workspace.move('secret/b', 'mine/b', all);
      await workspace.move('mine/a', 'secret/a', all);
      await workspace.move('mine/b', 'mine/c', all);
      await workspace.move('secret/a', 'secret/z', all);
      const { 'changes.since': since } = changeOperations(workspace, undefined, Date.now) as unknown as Operations;
      const { changes } = since({ limit: 100 }, call({ visible: (path) => path === 'mine' || path.startsWith('mine/') }));
      assert.deepEqual(
        changes.map(({ what, path, from }) => [what, path, from]),
        [
          ['created', 'mine', undefined],
          ['created', 'mine/a', undefined],
          ['created', 'mine/b', undefined],
          ['removed', 'mine/a', undefined],
          ['moved', 'mine/c', 'mine/b'],
        ],
      );
      assert.doesNotMatch(JSON.stringify(changes), /secret/);
    }));

  test('that take a folder above the paths of a caller along are told as the removal and the coming of these paths', () =>
    withWorkspace(async ({ workspace }) => {
      const all = { overwrite: false, parents: true, cause };
      await workspace.write('top/pub/a', Buffer.from('a'), { cause });
      await workspace.write('top/one', Buffer.from('1'), { cause });
      await workspace.write('secret/in/b', Buffer.from('b'), { cause });
      const paths = ['top/pub', 'top/one', 'top/never', 'mine'];
      const { cursor } = workspace.journal;
      await workspace.move('top', 'other', all);
      await workspace.move('other', 'top', all);
      workspace.mkdir('mine', true, cause);
      await workspace.move('secret/in', 'mine/in', all);
      await workspace.move('secret', 'secret-2', all);
      const limited = call({ caller: { ...call().caller, paths }, visible: (path) => withinPaths(paths, path) });
      const { 'changes.since': since } = changeOperations(workspace, undefined, Date.now) as unknown as Operations;
      const { changes, resync } = since({ cursor, limit: 100 }, limited);
      assert.deepEqual(
        changes.map(({ what, kind, path, from }) => [what, kind, path, from]),
        [
          ['removed', 'directory', 'top/pub', undefined],
          ['removed', 'file', 'top/one', undefined],
          ['removed', 'directory', 'top/never', undefined],
          ['created', 'directory', 'top/pub', undefined],
          ['created', 'file', 'top/one', undefined],
          ['created', 'directory', 'mine', undefined],
          ['created', 'directory', 'mine/in', undefined],
        ],
      );
      assert.match(resync ?? '', /list/, 'what came along was told to nobody');
      assert.doesNotMatch(JSON.stringify([changes, resync]), /secret|other/);
      const moves = changes.filter(({ revision }) => revision === changes[0]?.revision);
      assert.deepEqual(
        moves.map((change) => change.cursor === workspace.journal.cursorOf(change.revision)),
        [false, false, true],
        'whoever goes on after one of them hears the others',
      );

      const controller = new AbortController();
      const items: { type: string; path?: string }[] = [];
      const emit = (item: unknown): void => {
        items.push(item as (typeof items)[number]);
        if (items.at(-1)?.type === 'ready') controller.abort(new Error('enough'));
      };
      const watch = changeOperations(workspace, undefined, Date.now)['changes.watch'];
      await assert.rejects(Promise.resolve(watch({ cursor, git: false }, { ...limited, emit, signal: controller.signal })), /enough/);
      assert.deepEqual(
        items.map(({ type, path }) => path ?? type),
        ['top/pub', 'top/one', 'top/never', 'top/pub', 'top/one', 'resync', 'mine', 'mine/in', 'resync', 'ready'],
      );
    }));

  test('that a caller may not see hold nobody up while they are read past, and their reading ends with its call', () =>
    withWorkspace(
      async ({ workspace }) => {
        const { cursor } = workspace.journal;
        const draft = { kind: 'file', what: 'changed', before: null, after: null, cause } as const;
        for (let page = 0; page < 20; page++)
          workspace.journal.record(Array.from({ length: 500 }, (_, index) => ({ ...draft, path: `private/${page}/${index}` })));
        const controller = new AbortController();
        const emitted: unknown[] = [];
        let turns = 0;
        const turn = (): void => {
          if (++turns === 5) controller.abort(new Error('enough'));
          else setImmediate(turn);
        };
        setImmediate(turn);
        const watch = changeOperations(workspace, undefined, Date.now)['changes.watch'];
        const limited = call({ visible: () => false, emit: (item) => void emitted.push(item), signal: controller.signal });
        await assert.rejects(Promise.resolve(watch({ cursor, git: false }, limited)), /enough/);
        assert.deepEqual(emitted, []);
      },
      { keepChanges: 20_000 },
    ));

  test('are streamed from a cursor on, then live, each once and in order, however slow the reader', () =>
    withWorkspace(async ({ workspace }) => {
      const write = (n: number): Promise<unknown> => workspace.write(`f${n}`, Buffer.from(`${n}`), { cause });
      const { cursor } = workspace.journal;
      for (let n = 0; n < 5; n++) await write(n);
      const controller = new AbortController();
      const items: Item<(typeof changesTable)['changes.watch']>[] = [];
      const emit = async (item: unknown): Promise<void> => {
        items.push(item as (typeof items)[number]);
        if (items.length < 10) await write(100 + items.length);
        await new Promise(setImmediate);
        if (items.length === 15) controller.abort(new Error('enough'));
      };
      await assert.rejects(
        Promise.resolve(
          changeOperations(workspace, undefined, Date.now)['changes.watch'](
            { cursor, git: true },
            call({ emit, signal: controller.signal }),
          ),
        ),
        /enough/,
      );
      const revisions = items.flatMap((item) => (item.type === 'change' ? [item.revision] : []));
      assert.deepEqual(
        revisions,
        Array.from({ length: 14 }, (_, index) => index + 1),
      );
      assert.equal(items.filter((item) => item.type === 'ready').length, 1);
    }));
});

test(
  'a folder that is put in the place of another while a call waits leads no caller out of its paths',
  { skip: process.platform === 'win32' },
  () =>
    withOperations(async (run, { workspace, put, at, read, told }) => {
      put('secret/key', 'of somebody else');
      put('box/p/l/key', 'mine');
      put('box/q/x');
      fs.symlinkSync('../../secret', at('box/q/l'));
      let waits = 0;
      const swap = async (): Promise<undefined> => {
        if (waits++ > 0) return;
        fs.renameSync(at('box/p'), at('box/t'));
        fs.renameSync(at('box/q'), at('box/p'));
      };
      const swapBack = (): void => {
        fs.renameSync(at('box/p'), at('box/q'));
        fs.renameSync(at('box/t'), at('box/p'));
      };
      workspace.liveText = {
        ...{ read: () => undefined, seen: () => {}, letGoOfReplaced: () => {}, catchUp: swap, write: swap, flush: swap },
        hold: () => assert.fail('no batch is made'),
      };
      const path = 'box/p/l/key';
      const calls: [name: keyof typeof table, input: object][] = [
        ['files.read', { path }],
        ['files.read', { path, head: 1 }],
        ['files.stat', { path, hash: true }],
        ['files.write', { path, text: 'PWNED' }],
        ['files.edit', { path, edits: [{ find: 'somebody', replace: 'nobody' }] }],
        ['files.remove', { path }],
        ['files.move', { from: path, to: 'box/key' }],
        ['files.copy', { from: path, to: 'box/key' }],
      ];
      for (const [name, input] of calls) {
        waits = 0;
        const confirmScope = (): void => {
          if (!withinPaths(['box'], workspace.realPath(path))) throw new OutriggerError('OUT_OF_SCOPE', 'box/p/l/key leads out.');
        };
        confirmScope();
        await fails('OUT_OF_SCOPE', () => run(name, input, { confirmScope }));
        assert.equal(waits > 0, true, name);
        swapBack();
      }
      assert.deepEqual([read('secret/key'), fs.existsSync(at('box/key')), told()], ['of somebody else', false, []]);
    }),
);

test('what waited for an open document while its call ended is not done any more', { skip: process.platform === 'win32' }, () =>
  withOperations(async (run, { workspace, put, at, told }) => {
    put('f', 'before');
    put('folder/f');
    fs.symlinkSync('f', at('link'));
    let text = 'before';
    let leaving = new AbortController();
    const gone = new OutriggerError('TOKEN_REVOKED', 'That token was revoked.');
    const waits = async (): Promise<void> => leaving.abort(gone);
    workspace.liveText = {
      ...{ read: () => ({ raw: text, unsaved: false }), seen: () => {}, letGoOfReplaced: () => {}, catchUp: waits, flush: waits },
      write: async (_path, change) => {
        await waits();
        text = change(text);
        return { etag: etag(text), size: text.length, revision: 1, changed: true, created: false };
      },
      hold: () => assert.fail('no batch is made'),
    };
    const calls: [name: keyof typeof table, input: object][] = [
      ['files.write', { path: 'f', text: 'after' }],
      ['files.edit', { path: 'f', edits: [{ find: 'before', replace: 'after' }] }],
      ['files.upload', { path: 'f' }],
      ['files.remove', { path: 'f' }],
      ['files.remove', { path: 'folder', recursive: true }],
      ['files.move', { from: 'f', to: 'g' }],
      ['files.move', { from: 'folder', to: 'new/g' }],
      ['files.copy', { from: 'f', to: 'new/g' }],
      ['files.copy', { from: 'link', to: 'g' }],
      ['files.copy', { from: 'folder', to: 'g' }],
    ];
    for (const [name, input] of calls) {
      leaving = new AbortController();
      const label = `${name} ${JSON.stringify(input)}`;
      await assert.rejects(run(name, input, { signal: leaving.signal, body: chunks('after') }), gone, label);
      assert.deepEqual([text, fs.readdirSync(at('')).sort(), told()], ['before', ['f', 'folder', 'link'], []], label);
    }
  }),
);

test(
  'an open document is changed only where its path leads to what the caller may write in that very turn',
  { skip: process.platform === 'win32' },
  () =>
    withOperations(async (run, { workspace, put, at }) => {
      put('.git/config');
      put('mine/f', 'before');
      let text = 'before';
      workspace.liveText = {
        ...{
          read: () => ({ raw: text, unsaved: false }),
          seen: () => {},
          letGoOfReplaced: () => {},
          catchUp: async () => {},
          flush: async () => {},
        },
        write: async (_path, change) => {
          fs.renameSync(at('mine'), at('away'));
          fs.symlinkSync('.git', at('mine'));
          text = change(text);
          return { etag: etag(text), size: text.length, revision: 1, changed: true, created: false };
        },
        hold: () => assert.fail('no batch is made'),
      };
      const confirmScope = (): void => {
        if (workspace.realPath('mine/f') !== 'mine/f') throw new OutriggerError('OUT_OF_SCOPE', 'mine/f leads out.');
      };
      const calls: [name: keyof typeof table, input: object][] = [
        ['files.upload', { path: 'mine/f' }],
        ['files.write', { path: 'mine/f', text: 'after' }],
        ['files.edit', { path: 'mine/f', edits: [{ find: 'before', replace: 'after' }] }],
      ];
      const writer = { caller: { ...call().caller, access: 'write' as const } };
      for (const [name, input] of calls) {
        for (const [reason, facts] of [
          ['OUT_OF_SCOPE', { confirmScope }],
          ['ACCESS_DENIED', writer],
        ] as const) {
          await fails(reason, () => run(name, input, { ...facts, body: chunks('after') }));
          assert.equal(text, 'before', name);
          fs.unlinkSync(at('mine'));
          fs.renameSync(at('away'), at('mine'));
        }
      }
    }),
);

test(
  'who may only write gets into a git folder by no link, also below folders that are not there yet',
  { skip: process.platform === 'win32' },
  () =>
    withOperations(async (run, { put, at }) => {
      put('.git/HEAD');
      fs.symlinkSync('.git', at('meta'));
      const writer = { caller: { ...call().caller, access: 'write' as const } };
      for (const path of ['.git/hooks/pre-commit', 'meta/config', 'meta/hooks/pre-commit', 'meta/hooks/more/pre-commit'])
        await fails('ACCESS_DENIED', () => run('files.write', { path, text: 'x', parents: true }, writer));
      await fails('ACCESS_DENIED', () => run('files.mkdir', { path: 'meta/hooks', parents: true }, writer));
      assert.deepEqual(fs.readdirSync(at('.git')), ['HEAD']);
    }),
);

test('a copy of a folder is asked for what it makes, and not for the folders above that are there', () =>
  withOperations(async (run, { put, at }) => {
    put('team/app/from/sub/file');
    const limited = { reaches: (place: string): boolean => withinPaths(['team/app'], place) };
    assert.equal((await run('files.copy', { from: 'team/app/from', to: 'team/app/to' }, limited))['copied'], 3);
    assert.equal((await run('files.copy', { from: 'team/app/from', to: 'team/app/new/to' }, limited))['copied'], 4);
    for (const to of ['team/other', 'team/new/to', 'new'])
      await fails('OUT_OF_SCOPE', () => run('files.copy', { from: 'team/app/from', to }, limited));
    await fails('OUT_OF_SCOPE', () => run('files.copy', { from: 'team/app/from', to: 'team', overwrite: true }, limited));
    assert.deepEqual([fs.readdirSync(at('')), fs.readdirSync(at('team'))], [['team'], ['app']]);
  }));

test(
  'a copy that would make what git runs, or go where the caller may not, makes nothing at all',
  { skip: process.platform === 'win32' },
  () =>
    withOperations(async (run, { put, at, told, read }) => {
      const writer = { caller: { ...call().caller, access: 'write' as const } };
      put('lib/a');
      put('lib/z/.git', 'gitdir: ../../modules/z\n');
      put('nested/a');
      put('nested/sub/.GIT/config');
      for (const from of ['lib', 'nested'])
        await fails('ACCESS_DENIED', () => run('files.copy', { from, to: `${from}-copy/below` }, writer));
      put('from/a');
      put('from/sub/b', 'copied');
      put('from/sub/new', 'copied');
      put('over/file');
      put('other/x');
      put('shared/x');
      put('secret/b', 'secret');
      put('.git/config', 'config');
      const limited = { reaches: (place: string): boolean => !withinPaths(['secret'], place) };
      for (const [link, target, facts, reason] of [
        ['over/sub', '../secret', limited, 'OUT_OF_SCOPE'],
        ['over/sub', '../shared', limited, undefined],
        ['over/sub', '../other', { reaches: (place: string): boolean => place !== 'other/new' }, 'OUT_OF_SCOPE'],
        ['over/sub', '../.git', writer, 'ACCESS_DENIED'],
        ['over/a', 'b', limited, undefined],
        ['over/sub/b', '../../secret/b', limited, 'OUT_OF_SCOPE'],
        ['over/sub/b', '../../.git/config', writer, 'ACCESS_DENIED'],
      ] as const) {
        fs.rmSync(at('over'), { recursive: true });
        put('over/file');
        fs.mkdirSync(at(link.slice(0, link.lastIndexOf('/'))), { recursive: true });
        fs.symlinkSync(target, at(link));
        const copy = (): Promise<unknown> => run('files.copy', { from: 'from', to: 'over', overwrite: true }, facts);
        if (reason === undefined) await copy();
        else await fails(reason, copy);
        assert.equal(fs.existsSync(at('over/a')), reason === undefined, link);
      }
      assert.deepEqual([read('secret/b'), read('.git/config')], ['secret', 'config']);
      assert.deepEqual(fs.readdirSync(at('')), ['.git', 'from', 'lib', 'nested', 'other', 'over', 'secret', 'shared']);
      assert.ok(!told().some((change) => change.includes('-copy')));
    }),
);

test('a copy over a folder replaces a link there by a link, wherever they lead', () =>
  withOperations(async (run, { put, at, outside }) => {
    put('from/a');
    fs.mkdirSync(at('over'));
    for (const [folder, target] of [
      ['from', `${outside}/new`],
      ['over', outside],
    ] as const)
      fs.symlinkSync(target, at(`${folder}/link`));
    const limited = { reaches: (place: string): boolean => withinPaths(['from', 'over'], place) };
    await run('files.copy', { from: 'from', to: 'over', overwrite: true }, limited);
    assert.equal(fs.readlinkSync(at('over/link')), `${outside}/new`);
  }));

test(
  'a copy reads nothing where its folder became a link to elsewhere while it was looked at',
  { skip: process.platform === 'win32' },
  () =>
    withOperations(async (run, { workspace, put, at }) => {
      put('mine/sub/file');
      put('secret/key');
      const confirmScope = (): void => {
        if (workspace.realPath('mine') !== 'mine') throw new OutriggerError('OUT_OF_SCOPE', 'It leads elsewhere.');
      };
      const reaches = (): boolean => {
        if (fs.existsSync(at('away'))) return true;
        fs.renameSync(at('mine'), at('away'));
        fs.symlinkSync('secret', at('mine'));
        return true;
      };
      await fails('OUT_OF_SCOPE', () => run('files.copy', { from: 'mine', to: 'to' }, { confirmScope, reaches }));
      assert.deepEqual(fs.readdirSync(at('')), ['away', 'mine', 'secret']);
    }),
);

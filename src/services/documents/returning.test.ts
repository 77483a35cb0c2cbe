// Who comes back to a document: after a kill, to a file that is gone, emptied, or another by now.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as Y from 'yjs';
import { MiB, asking, documentsOf, heardBy, holdNextWrite, personIn, comeBack } from '../../../test/kit/documents-harness.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { withSmallDisk } from '../../../test/kit/small-disk.ts';
import { cause, fails, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { hashBytes } from '../workspace/content.ts';
import { hashText, savedMark } from './lineage.ts';
import { readMessage, step1Message } from './sync-protocol.ts';

for (const { what, isBegunAnew, isOver } of [
  { what: '', isBegunAnew: false, isOver: false },
  { what: ', also where the log was begun anew meanwhile', isBegunAnew: true, isOver: false },
  { what: ', also where it ended after the log was begun anew', isBegunAnew: true, isOver: true },
])
  test(`what is typed on while a save that a kill cuts short is in its file already stands there once after the next start${what}`, (t) =>
    withWorkspace(async ({ workspace, state, stateFolder, put, read }) => {
      t.mock.timers.enable({ apis: ['setInterval'] });
      put('a.txt', 'one\n');
      const killed = documentsOf({ workspace, state });
      await killed.start();
      const { channel, ydoc } = await personIn(killed, 'a.txt');
      const text = ydoc.getText('content');
      const heard = (): void => channel.say(step1Message(Y.encodeStateVector(ydoc)));
      const beginLogAnew = (): void => {
        text.insert(0, 'x'.repeat(17 * MiB));
        text.delete(0, 17 * MiB);
        heard();
        t.mock.timers.tick(5000);
        assert.equal(fs.existsSync(path.join(stateFolder, 'documents', 'log-0000000001')), false);
      };
      text.insert(0, 'typed ');
      heard();
      const over = holdNextWrite(workspace);
      void killed.flush('');
      await eventually(() => assert.equal(read('a.txt'), 'typed one\n'));
      if (isBegunAnew) beginLogAnew();
      const { etag } = killed.list()[0] ?? assert.fail('it is open');
      if (isOver) over();
      await eventually(() => assert.equal(killed.list()[0]?.etag !== etag, isOver));
      text.insert('typed '.length, 'on ');
      heard();
      const next = documentsOf({ workspace, state });
      try {
        await next.start();
        assert.equal(read('a.txt'), 'typed on one\n');
      } finally {
        await next.stop();
        over();
        await killed.stop();
      }
    }));

/** Of a.txt, in which somebody typed: the save is in the file, and not known to be, until `over`. */
async function inASave(
  { workspace, state, read }: Pick<Harness, 'workspace' | 'state' | 'read'>,
  at: number,
  typed: string,
  saved: string,
) {
  const killed = documentsOf({ workspace, state });
  await killed.start();
  const { channel, ydoc } = await personIn(killed, 'a.txt');
  ydoc.getText('content').insert(at, typed);
  channel.say(step1Message(Y.encodeStateVector(ydoc)));
  const over = holdNextWrite(workspace);
  void killed.flush('');
  await eventually(() => assert.equal(read('a.txt'), saved));
  return { killed, over };
}

test('who comes after a kill that cut short the end of a save is told that all is saved', () =>
  withWorkspace(async ({ workspace, state, put, read }) => {
    put('a.txt', 'one\n');
    const { killed, over } = await inASave({ workspace, state, read }, 0, 'typed ', 'typed one\n');
    const next = documentsOf({ workspace, state });
    await next.start();
    try {
      const { ydoc: copy } = await personIn(next, 'a.txt');
      assert.deepEqual([copy.getText('content').toString(), savedMark(copy)], ['typed one\n', hashText('typed one\n')]);
      assert.deepEqual(next.read('a.txt'), { raw: 'typed one\n', unsaved: false });
    } finally {
      await next.stop();
      over();
      await killed.stop();
    }
  }));

for (const [what, isSaved, written] of [
  ['was saved', true, 'one\nW1w\nW2w\n\n\n.two\n'],
  ['was not saved yet', false, 'one\nW2w\n\n.two\n'],
] as const)
  test(`what a program writes right after a kill in the middle of a save stands there once, beside what ${what}`, () =>
    withWorkspace(async ({ workspace, state, put, read }) => {
      put('a.txt', 'one\n.two\n');
      const { killed, over } = await inASave({ workspace, state, read }, 3, '\nW1w\n', 'one\nW1w\n\n.two\n');
      // As where the kill came before the file was there, too.
      if (!isSaved) put('a.txt', 'one\n.two\n');
      put('a.txt', written);
      const next = documentsOf({ workspace, state });
      await next.start();
      try {
        const words = read('a.txt').match(/W\dw/g);
        assert.deepEqual(words?.sort(), ['W1w', 'W2w'], read('a.txt'));
      } finally {
        await next.stop();
        over();
        await killed.stop();
      }
    }));

test('what is typed while the log has no room, and saved, stands there once after a kill, also when who typed it comes back', (context) =>
  withSmallDisk(context, 4096, (disk) =>
    withScratchFolder('elsewhere', async (_, elsewhere) => {
      fs.symlinkSync(elsewhere, path.join(disk, 'root'));
      await withWorkspace(
        async ({ workspace, state, put, read }) => {
          put('a.txt', 'one\n');
          const killed = documentsOf({ workspace, state });
          await killed.start();
          const { channel, ydoc } = await personIn(killed, 'a.txt');
          const type = (text: string): void => {
            ydoc.getText('content').insert(0, text);
            channel.say(step1Message(Y.encodeStateVector(ydoc)));
          };
          type('stored ');
          const filler = path.join(disk, 'filler');
          assert.throws(() => fs.writeFileSync(filler, Buffer.alloc(8 * MiB)), { code: 'ENOSPC' });
          // Longer than what is left of a page.
          const unstored = Array.from({ length: 2000 }, (_word, number) => `w${number} `).join('');
          type(unstored);
          await killed.flush('');
          assert.match(killed.list()[0]?.problem ?? '', /can't be stored/);
          const text = `${unstored}stored one\n`;
          assert.equal(read('a.txt'), text);

          fs.rmSync(filler);
          const next = documentsOf({ workspace, state }, 'content', () => {});
          await next.start();
          try {
            assert.equal(read('a.txt'), text);
            await comeBack(next, ydoc, 'a.txt');
            await next.flush('');
            assert.deepEqual([next.read('a.txt'), read('a.txt')], [{ raw: text, unsaved: false }, text]);
          } finally {
            await next.stop();
            await killed.stop();
          }
        },
        { folder: disk },
      );
    }),
  ));

for (const [isOpen, comesFirst] of [
  [true, 'its own'],
  [false, 'its own'],
  [true, 'theirs'],
  [false, 'theirs'],
] as const)
  test(`a file that is moved onto one that people are in takes its own people along, and theirs come to it, ${isOpen ? '' : 'also where it is not '}open; ${comesFirst} come first`, () =>
    withWorkspace(async ({ workspace, state, put, read }) => {
      put('a.txt', 'one two three\n');
      put('b.txt', 'of b\nmore of b\n');
      const before = documentsOf({ workspace, state });
      await before.start();
      const [one, other] = [await personIn(before, 'a.txt'), await personIn(before, 'b.txt')];
      await before.stop();
      put('a.txt', 'one two three\nby a program\n');
      const documents = documentsOf({ workspace, state }, 'content', () => {});
      await documents.start();
      try {
        if (isOpen) await comeBack(documents, one.ydoc, 'a.txt');
        const gone = await comeBack(documents, other.ydoc, 'b.txt');
        await workspace.move('a.txt', 'b.txt', { overwrite: true, parents: false, cause });
        assert.deepEqual(gone.closes, [4500]);
        // What they did meanwhile: one took something out, the other put something in.
        one.ydoc.getText('content').delete('one '.length, 'two '.length);
        other.ydoc.getText('content').insert('of b'.length, ' typed ');
        if (comesFirst === 'theirs') await comeBack(documents, other.ydoc, 'b.txt');
        const channel = await comeBack(documents, one.ydoc, 'b.txt');
        if (comesFirst === 'its own') await comeBack(documents, other.ydoc, 'b.txt');
        await documents.flush('');
        const text = read('b.txt');
        assert.deepEqual(text.split(/\s+/).sort(), ['', 'a', 'by', 'one', 'program', 'three', 'typed'], text);
        Y.applyUpdate(one.ydoc, Y.encodeStateAsUpdate(heardBy(channel)));
        assert.equal(one.ydoc.getText('content').toString(), text);
      } finally {
        await documents.stop();
      }
    }));

for (const isOpen of [true, false])
  test(`who opens a file while another is moved onto it, ${isOpen ? 'open' : 'stored'}, is in the document of that, and what they type is found after a kill`, () =>
    withWorkspace(async ({ workspace, state, put, read }) => {
      put('a.txt', 'of a\n');
      put('b.txt', 'of b\n');
      const before = documentsOf({ workspace, state });
      await before.start();
      const { ydoc: ofA } = await personIn(before, 'a.txt');
      await personIn(before, 'b.txt');
      await before.stop();
      const killed = documentsOf({ workspace, state });
      await killed.start();
      try {
        const channel = isOpen ? await comeBack(killed, ofA, 'a.txt') : undefined;
        // Until it stands still it is not read.
        put('b.txt', 'by a program\n');
        const opened = personIn(killed, 'b.txt');
        await sleep(10);
        await workspace.move('a.txt', 'b.txt', { overwrite: true, parents: false, cause });
        const person = await opened;
        person.ydoc.getText('content').insert(0, 'typed ');
        person.channel.say(step1Message(Y.encodeStateVector(person.ydoc)));
        if (channel !== undefined) {
          for (const message of channel.sent.map(readMessage)) if (message.type === 'update') Y.applyUpdate(ofA, message.update);
          assert.equal(ofA.getText('content').toString(), 'typed of a\n');
        }
        const next = documentsOf({ workspace, state });
        await next.start();
        await next.stop();
        assert.equal(read('b.txt'), 'typed of a\n');
      } finally {
        await killed.stop();
      }
    }));

for (const isLookedAt of [false, true])
  test(`two who come back to a file that is gone, one after the other, have taken out what each took out${isLookedAt ? ', also where it was looked at before' : ''}`, () =>
    withWorkspace(async ({ workspace, state, put, at, read }) => {
      put('a.txt', 'one two three four\n');
      const before = documentsOf({ workspace, state });
      await before.start();
      const people = [await personIn(before, 'a.txt'), await personIn(before, 'a.txt')];
      await before.stop();
      fs.rmSync(at('a.txt'));
      const [one, other] = people.map(({ ydoc }) => ydoc) as [Y.Doc, Y.Doc];
      one.getText('content').insert(0, 'typed ');
      other.getText('content').delete('one '.length, 'two '.length);
      const documents = documentsOf({ workspace, state }, 'content', () => {});
      await documents.start();
      try {
        if (isLookedAt) await fails('FILE_NOT_FOUND', () => documents.look('a.txt', asking));
        for (const ydoc of [one, other]) await comeBack(documents, ydoc, 'a.txt');
        await documents.flush('');
        assert.equal(read('a.txt'), 'typed one three four\n');
      } finally {
        await documents.stop();
      }
    }));

for (const { who, hasTyped, isMade } of [
  { who: 'who had less of it', hasTyped: false, isMade: false },
  { who: 'who had less of it and typed on', hasTyped: true, isMade: false },
  { who: 'who had less of it and made it anew', hasTyped: true, isMade: true },
])
  test(`${who} comes back first to a file that is gone: what was saved since stands there when the others come`, () =>
    withWorkspace(async ({ workspace, state, put, at, read }) => {
      put('a.txt', 'one\n');
      const before = documentsOf({ workspace, state });
      await before.start();
      const stale = await personIn(before, 'a.txt');
      stale.channel.leave();
      const fresh = await personIn(before, 'a.txt');
      fresh.ydoc.getText('content').insert(0, 'later ');
      fresh.channel.say(step1Message(Y.encodeStateVector(fresh.ydoc)));
      await before.flush('');
      await eventually(() => assert.equal(savedMark(heardBy(fresh.channel)), hashText('later one\n')));
      Y.applyUpdate(fresh.ydoc, Y.encodeStateAsUpdate(heardBy(fresh.channel)));
      await before.stop();
      fs.rmSync(at('a.txt'));
      if (hasTyped) stale.ydoc.getText('content').insert('one'.length, ' typed');
      const documents = documentsOf({ workspace, state }, 'content', () => {});
      await documents.start();
      try {
        await comeBack(documents, stale.ydoc, 'a.txt');
        if (isMade) await documents.flush('');
        await comeBack(documents, fresh.ydoc, 'a.txt');
        await documents.flush('');
        // Nobody asked for it.
        assert.equal(fs.existsSync(at('a.txt')), hasTyped);
        const { ydoc, channel } = await personIn(documents, 'a.txt');
        ydoc.getText('content').insert(0, 'now ');
        channel.say(step1Message(Y.encodeStateVector(ydoc)));
        await documents.flush('');
        assert.equal(read('a.txt'), hasTyped ? 'now later one typed\n' : 'now later one\n');
      } finally {
        await documents.stop();
      }
    }));

for (const { hasTyped, comesFirst } of [
  { hasTyped: false, comesFirst: 'of another that it replaced' },
  { hasTyped: true, comesFirst: 'of another that it replaced' },
  { hasTyped: false, comesFirst: 'of its own' },
])
  test(`a file that is gone after a restart is what was last saved of it, whoever comes back first: one ${comesFirst}${hasTyped ? ', and its own have typed' : ''}`, () =>
    withWorkspace(async ({ workspace, state, put, at, read }) => {
      put('a.txt', 'of a, one two three\n');
      put('b.txt', 'of b, more of b\n');
      const before = documentsOf({ workspace, state });
      await before.start();
      const [own, replaced] = [await personIn(before, 'a.txt'), await personIn(before, 'b.txt')];
      await workspace.move('a.txt', 'b.txt', { overwrite: true, parents: false, cause });
      await before.stop();
      fs.rmSync(at('b.txt'));
      if (hasTyped) own.ydoc.getText('content').insert(0, 'typed ');
      const documents = documentsOf({ workspace, state }, 'content', () => {});
      await documents.start();
      try {
        const all = [own.ydoc, replaced.ydoc];
        for (const ydoc of comesFirst === 'of its own' ? all : all.reverse()) await comeBack(documents, ydoc, 'b.txt');
        await documents.flush('');
        assert.equal(fs.existsSync(at('b.txt')), hasTyped);
        const { ydoc, channel } = await personIn(documents, 'b.txt');
        assert.equal(ydoc.getText('content').toString(), `${hasTyped ? 'typed ' : ''}of a, one two three\n`);
        ydoc.getText('content').insert(0, 'now ');
        channel.say(step1Message(Y.encodeStateVector(ydoc)));
        await documents.flush('');
        assert.equal(read('b.txt'), `now ${hasTyped ? 'typed ' : ''}of a, one two three\n`);
      } finally {
        await documents.stop();
      }
    }));

test('what is typed into a file that was emptied, or brought to one line, has the line ends that it had', () =>
  withWorkspace(async ({ workspace, state, put, read }) => {
    const documents = documentsOf({ workspace, state });
    const type = ({ ydoc, channel }: Awaited<ReturnType<typeof personIn>>): void => {
      ydoc.getText('content').insert(0, 'typed\n');
      channel.say(step1Message(Y.encodeStateVector(ydoc)));
    };
    const all = ['open.txt', 'called.txt', 'away.txt'];
    for (const name of all) put(name, 'one\r\ntwo\r\n');
    await documents.start();
    for (const name of all) await personIn(documents, name);
    put('open.txt', '');
    workspace.journal.record([
      { path: 'open.txt', kind: 'file', what: 'changed', before: null, after: hashBytes(''), cause: { kind: 'outside' } },
    ]);
    await eventually(() => assert.equal(documents.read('open.txt')?.raw, ''));
    await documents.write('called.txt', () => 'one', cause);
    for (const name of ['open.txt', 'called.txt']) type(await personIn(documents, name));
    await documents.stop();
    put('away.txt', 'one');
    const next = documentsOf({ workspace, state });
    await next.start();
    try {
      type(await personIn(next, 'away.txt'));
      await next.flush('');
      assert.deepEqual(all.map(read), ['typed\r\n', 'typed\r\none', 'typed\r\none']);
    } finally {
      await next.stop();
    }
  }));

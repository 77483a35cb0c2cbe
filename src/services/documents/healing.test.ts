import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { heal } from './healing.ts';
import { beginLife, firstState, hashText, newOwnId, setSavedMark } from './lineage.ts';

const textName = 'content';
const textOf = (ydoc: Y.Doc): string => ydoc.getText(textName).toString();
const wordsOf = (ydoc: Y.Doc): string[] => textOf(ydoc).match(/[\p{L}\p{N}_]+/gu) ?? [];

/** A document as the sidecar begins it from a file. */
function begin(text: string): Y.Doc {
  const ydoc = new Y.Doc();
  Y.applyUpdate(ydoc, firstState(text, textName));
  beginLife(ydoc, newOwnId());
  return ydoc;
}

/** A client with all that `ydoc` has. */
function join(ydoc: Y.Doc): Y.Doc {
  const client = new Y.Doc();
  sync(ydoc, client);
  return client;
}

function sync(from: Y.Doc, to: Y.Doc): void {
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));
}

/** The client comes back to `server`, a life of the document that it does not know, and has what all have then. */
function comeBack(client: Y.Doc, server: Y.Doc, bases: readonly string[]): void {
  heal({
    ydoc: server,
    textName,
    state: Y.encodeStateAsUpdate(client),
    bases: new Map(bases.map((text) => [hashText(text), text])),
    isGone: false,
    isOutdated: false,
    isOfClients: false,
    isAwaited: false,
    origin: 'healing',
  });
  sync(server, client);
  assert.equal(textOf(client), textOf(server));
}

test('what two clients both have from an earlier life stands there once, however they went on', () => {
  const base = 'W105w\nW161w W175w \nW165w\n';
  const lost = begin(base);
  const [one, two] = [join(lost), join(lost)];
  one.getText(textName).insert(18, 'W184w  ');
  sync(one, two);
  two.getText(textName).insert(0, 'W189w ');
  one.getText(textName).insert(17, '\nW187w\n');
  one.getText(textName).insert(6, 'W186w\n\n');
  const server = begin(base);
  comeBack(one, server, [base]);
  comeBack(two, server, [base]);
  assert.deepEqual(wordsOf(server), ['W189w', 'W105w', 'W186w', 'W161w', 'W175w', 'W187w', 'W184w', 'W165w']);
});

test('who comes back from a life in which the text had another name takes nothing out of it', () => {
  const lost = new Y.Doc();
  Y.applyUpdate(lost, firstState('one two', 'another'));
  beginLife(lost, newOwnId());
  for (const text of ['one two', 'one two three']) {
    const server = begin(text);
    comeBack(join(lost), server, ['one two', text]);
    assert.equal(textOf(server), text);
  }
});

test('a state whose types go down more than 500 levels is not taken', () => {
  for (const levels of [500, 501]) {
    const client = new Y.Doc();
    let inner = client.getMap('notes');
    for (let level = 0; level < levels; level++) inner = inner.set('in', new Y.Map());
    const server = begin('one');
    const come = (): void => comeBack(client, server, ['one']);
    if (levels <= 500) come();
    else assert.throws(come, { reason: 'INPUT_TOO_LARGE' });
    assert.equal(server.share.has('notes'), levels <= 500);
  }
});

test('a state with what is no text in its text is not taken', () => {
  const client = new Y.Doc();
  client.getText(textName).insert(0, 'two');
  client.getText(textName).insertEmbed(1, {});
  const server = begin('one');
  assert.throws(() => comeBack(client, server, ['one']), { reason: 'BAD_INPUT' });
  assert.equal(textOf(server), 'one');
});

test('a state of which too much waits for what nobody knows is not taken (long form)', () => {
  const gaps = new Y.Doc();
  const states = Array.from({ length: 1001 }, () => {
    const client = new Y.Doc();
    client.getText(textName).insert(0, 'a');
    const before = Y.encodeStateVector(client);
    client.getText(textName).insert(1, 'b');
    return Y.encodeStateAsUpdate(client, before);
  });
  Y.applyUpdate(gaps, Y.mergeUpdates(states));
  const server = begin('one\n');
  assert.throws(() => comeBack(gaps, server, []), /waits/);
  assert.equal(textOf(server), 'one\n');
  const fewer = new Y.Doc();
  Y.applyUpdate(fewer, Y.mergeUpdates(states.slice(1)));
  heal({
    ydoc: server,
    textName,
    state: Y.encodeStateAsUpdate(fewer),
    bases: new Map(),
    isGone: false,
    isOutdated: false,
    isOfClients: false,
    isAwaited: false,
    origin: 'healing',
  });
  assert.ok(server.store.pendingStructs !== null);
});

test('a word removed by one client is not brought back by another that still had it', () => {
  const base = 'one two three\n';
  const lost = begin(base);
  const [one, two] = [join(lost), join(lost)];
  one.getText(textName).delete(4, 4);
  two.getText(textName).insert(0, 'zero ');
  const server = begin(base);
  comeBack(one, server, [base]);
  comeBack(two, server, [base]);
  assert.equal(textOf(server), 'zero one three\n');
});

test('a common word that both have typed in one life stands there as often as it was typed', () => {
  const base = 'the end\n';
  const lost = begin(base);
  const [one, two] = [join(lost), join(lost)];
  one.getText(textName).insert(0, 'the cat and the dog\n');
  sync(one, two);
  one.getText(textName).insert(8, 'fat ');
  two.getText(textName).insert(3, ' big');
  one.getText(textName).insert(4, 'very ');
  const server = begin(base);
  comeBack(one, server, [base]);
  comeBack(two, server, [base]);
  assert.equal(wordsOf(server).filter((word) => word === 'the').length, 3, textOf(server));
});

test('what the file holds is not brought again by a client that has it under ids which the first to come back never saw', () => {
  const begun = 'one two\n';
  const lost = begin(begun);
  const [away, there] = [join(lost), join(lost)];
  there.getText(textName).insert(3, ' and');
  sync(there, lost);
  const saved = textOf(lost);
  setSavedMark(lost, saved, 'mark');
  sync(lost, there);
  there.getText(textName).insert(0, 'zero ');
  away.getText(textName).insert(7, ' three');
  const server = begin(saved);
  comeBack(away, server, [saved]);
  comeBack(there, server, [saved]);
  assert.equal(textOf(server), 'zero one and two three\n');
});

test('what stands in a copy that had to go is merged as text: its removals count, and its insertions stay where they are', () => {
  const saved = 'one two three four five\n';
  const first = begin('');
  const one = join(first);
  one.getText(textName).insert(0, saved);
  setSavedMark(first, saved, 'mark');
  sync(first, one);
  const two = join(begin(saved));
  two.getText(textName).delete(8, 6);
  two.getText(textName).insert(8, 'BBB ');
  const server = begin(saved);
  comeBack(one, server, [saved]);
  comeBack(two, server, [saved]);
  assert.equal(textOf(server), 'one two BBB four five\n');
});

test('what somebody brought back into the file is not taken out again by a client that saw it saved without it', () => {
  const begun = 'kept\nparagraph\n';
  const lost = begin(begun);
  const client = join(lost);
  client.getText(textName).delete(5, 10);
  sync(client, lost);
  setSavedMark(lost, textOf(lost), 'mark');
  sync(lost, client);
  client.getText(textName).insert(0, 'typed ');
  const server = begin(begun);
  comeBack(client, server, [begun]);
  assert.equal(textOf(server), 'typed kept\nparagraph\n');
});

test('in 400 random histories of three clients each word stands there once, and none that was removed comes back', (t) => {
  const seed = testSeed();
  t.diagnostic(`SEED=${seed}`);
  const random = new Random(seed);
  for (let round = 0; round < 400; round++) new History(random, `SEED=${seed} round ${round}`).run();
});

/** Words typed, removed, saved and seen by some; then the state is lost, and all come back in any order. */
class History {
  readonly #random: Random;
  readonly #name: string;
  readonly #present = new Set<string>();
  #next = 0;

  constructor(random: Random, name: string) {
    this.#random = random;
    this.#name = name;
  }

  run(): void {
    const begun = Array.from({ length: 8 }, () => `${this.#word()}${this.#random.of([' ', '  ', '\n', ' \n\n'])}`).join('');
    const lost = begin(begun);
    const clients = [join(lost), join(lost), join(lost)];
    for (let step = this.#random.below(12); step > 0; step--) this.#edit(this.#random.of(clients));
    // All that was typed until now is saved, and all have seen it.
    for (const client of clients) sync(client, lost);
    const saved = textOf(lost);
    setSavedMark(lost, saved, 'mark');
    for (const client of clients) sync(lost, client);
    for (let step = 4 + this.#random.below(12); step > 0; step--) {
      this.#edit(this.#random.of(clients));
      if (this.#random.below(3) === 0) sync(this.#random.of(clients), this.#random.of(clients));
    }
    const server = begin(saved);
    const order = [...clients];
    while (order.length > 0) {
      const [client] = order.splice(this.#random.below(order.length), 1) as [Y.Doc];
      comeBack(client, server, [saved]);
      if (this.#random.below(2) === 0) {
        this.#edit(client);
        sync(client, server);
      }
    }
    const words = wordsOf(server);
    assert.deepEqual([...words].sort(), [...this.#present].sort(), `${this.#name}: ${JSON.stringify(textOf(server))}`);
  }

  #word(): string {
    const word = `W${this.#next++}w`;
    this.#present.add(word);
    return word;
  }

  #edit(client: Y.Doc): void {
    const text = client.getText(textName);
    const content = text.toString();
    const words = [...content.matchAll(/W\d+w/g)];
    if (words.length > 0 && this.#random.below(4) === 0) {
      const { 0: word, index } = this.#random.of(words);
      text.delete(index, word.length);
      this.#present.delete(word);
      return;
    }
    const places = [...content.matchAll(/(?<![\w])(?=\W|$)|(?<=^)/g)].map(({ index }) => index);
    text.insert(this.#random.of([...places, content.length]), this.#random.below(3) === 0 ? `\n${this.#word()}\n` : ` ${this.#word()} `);
  }
}

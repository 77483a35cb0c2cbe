// Somebody who opens a file of the model and types in it, while calls ask for it.
import assert from 'node:assert/strict';
import type { Client } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import type { Random } from './random.ts';
import type { Actors } from './workspace-model-actors.ts';
import { answerOf, type ModelCall } from './workspace-model-answers.ts';
import { type CallMaker, modelLinks } from './workspace-model-calls.ts';
import { keepsFormat, realIn } from './workspace-model-disk.ts';
import { type ModelFolder, type ModelNode, textOf } from './workspace-model-folder.ts';
import { openYjsClient } from './yjs-client.ts';

export interface TypistHost {
  url: string;
  token: string;
  client: Client<Operations>;
  random: Random;
  calls: CallMaker;
  folder: ModelFolder;
  actors: Actors;
  /** What may be told late. */
  unquiet: Set<string>;
  say(what: string): void;
  call(call: ModelCall): Promise<unknown>;
  rest(): Promise<void>;
}

export class Typist {
  readonly #host: TypistHost;
  #number = 0;

  constructor(host: TypistHost) {
    this.#host = host;
  }

  /** Somebody opens a file, types in it, and calls ask for it before that is saved. */
  async write(): Promise<void> {
    const texts = [...this.#host.folder.nodes].filter(
      ([, node]) => node.kind === 'file' && node.bytes.length < 50_000 && keepsFormat(node.bytes),
    );
    if (texts.length === 0) return;
    await this.#host.rest();
    const [name] = this.#host.random.of(texts);
    this.#host.say(`a document: ${name}`);
    const { url, token } = this.#host;
    const person = openYjsClient(url, { token, room: encodeURIComponent(name), name: 'typist' });
    try {
      await person.synced();
      for (let turn = 0; turn < 1 + this.#host.random.below(4); turn++) {
        const node = this.#host.folder.nodes.get(name);
        if (node?.kind !== 'file' || textOf(node.bytes) === undefined || !keepsFormat(node.bytes)) return;
        if (this.#host.random.below(3) > 0) await this.#type(person.text, name, node);
        this.#host.actors.allow(name, 'document');
        const paths = [name, name, name, ...Object.keys(modelLinks).slice(0, 3)];
        const at = this.#host.random.of(paths);
        const call = this.#host.random.below(3) === 0 ? this.#host.calls.reading(at) : this.#host.calls.writing(at);
        if (this.#buries(call)) continue;
        const before = this.#host.folder.copy();
        await this.#host.call(call);
        if (movesAway(before, call, name)) return;
        await this.#askSaved(name);
      }
    } finally {
      person.destroy();
      await this.#host.client.call('documents.flush', {});
      await eventually(async () => assert.deepEqual((await this.#host.client.call('documents.list', {})).documents, []), 5000);
      for (const [one, node] of this.#host.folder.nodes)
        if (node.kind === 'file' && node.disk !== undefined)
          this.#host.folder.nodes.set(one, { kind: 'file', bytes: node.bytes, mode: node.mode });
    }
    await this.#host.rest();
  }

  /**
   * Puts what is no text in the place of what is typed and not saved: that is kept, and saved when text is there again. Or puts another file there, by a copy
   * or a move: what was typed is merged into that, as into what a program writes.
   */
  #buries(call: ModelCall): boolean {
    const after = this.#host.folder.copy();
    answerOf(after, call);
    const before = new Set(this.#host.folder.nodes.values());
    const unsaved = [...this.#host.folder.nodes].filter(([, node]) => node.kind === 'file' && node.disk !== undefined);
    return unsaved.some(([one, was]) => {
      const node = after.nodes.get(one);
      if (node === undefined || node === was) return false;
      return call.name === 'files.copy' || before.has(node) || node.kind !== 'file' || !keepsFormat(node.bytes);
    });
  }

  async #type(
    text: { insert(at: number, text: string): void; length: number; toString(): string },
    name: string,
    node: ModelNode & { kind: 'file' },
  ): Promise<void> {
    const raw = textOf(node.bytes) as string;
    const mark = raw.startsWith('\ufeff') ? '\ufeff' : '';
    const isCrlf = raw.includes('\r\n');
    const wanted = raw.slice(mark.length).replaceAll('\r\n', '\n');
    // To tell how two texts of a hundred thousand lines differ takes longer than they may.
    const begin = (whole: string): string => JSON.stringify(whole.slice(0, 200));
    await eventually(() => assert.ok(text.toString() === wanted, `${begin(text.toString())}…, not ${begin(wanted)}…`), 5000);
    const word = `typed${this.#number++} `;
    const at = this.#host.random.below(3) === 0 ? text.length : 0;
    text.insert(at, word);
    const bytes = Buffer.from(mark + (isCrlf ? text.toString().replaceAll('\n', '\r\n') : text.toString()));
    this.#host.say(`  types ${word}at ${at}`);
    this.#host.folder.nodes.set(name, { ...node, bytes, disk: node.disk ?? node.bytes });
    await eventually(async () => assert.ok((await this.#host.client.call('files.read', { path: name })).text.includes(word)), 5000);
    this.#host.unquiet.add(name);
  }

  /** Whether it is saved by now. */
  async #askSaved(name: string): Promise<void> {
    const node = this.#host.folder.nodes.get(name);
    if (node?.kind !== 'file' || node.disk === undefined) return;
    const read = await this.#host.client.call('files.read', { path: name });
    if (read.unsaved !== true) this.#host.folder.nodes.set(name, { kind: 'file', bytes: node.bytes, mode: node.mode });
  }
}

/** A batch may put another file where it moved one away, with its document. */
function movesAway(folder: ModelFolder, call: ModelCall, name: string): boolean {
  if (call.name !== 'files.batch') return false;
  return call.input.changes.some((change) => {
    const from = change.op === 'move' ? realIn(folder, change.from, false) : undefined;
    return from !== undefined && (from === name || name.startsWith(`${from}/`));
  });
}

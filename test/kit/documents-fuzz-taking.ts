// Steps of the random test of documents that take files away, bring them back, and put others in their place.
import fs from 'node:fs';
import path from 'node:path';
import { type FuzzFile, wordsOf } from './documents-fuzz-file.ts';
import { type FuzzWorld, sleep } from './documents-fuzz-world.ts';

export interface TakingCounts {
  taken: number;
  back: number;
  replaced: number;
  blocked: number;
}

export class Taking {
  readonly counts: TakingCounts = { taken: 0, back: 0, replaced: 0, blocked: 0 };
  readonly #world: FuzzWorld;
  #made = 0;

  constructor(world: FuzzWorld) {
    this.#world = world;
  }

  /** Whatever may happen to a file while the sidecar runs. */
  async step(file: FuzzFile): Promise<void> {
    if (file.isBlocked) return;
    const dice = this.#world.random();
    if (file.place === 'nothing') await this.#bringBack(file);
    else if (file.place !== 'file' || !file.isThere) return;
    else if (dice < 0.55) await this.#takeAway(file);
    else if (dice < 0.62) this.#block(file);
    else if (dice < 0.7) this.#link(file);
    else await this.#replace(file);
    // The next save must not come before the sidecar has seen what a program did: that program would be the one that lost.
    if (this.#world.dirtySince !== 0) await sleep(5);
  }

  /** The same by a program alone, while no sidecar runs or just before it is killed. */
  byProgram(file: FuzzFile): void {
    if (file.isBlocked) return;
    if (file.place === 'nothing') return this.#world.chance(0.5) ? this.#restoreByProgram(file) : this.#makeByProgram(file);
    if (file.place !== 'file' || !file.isThere) return;
    if (this.#world.chance(0.7)) this.#takeAwayByProgram(file);
    else this.#makeByProgram(file);
  }

  /** Takes folders out of the way of files; what was typed meanwhile makes these anew. */
  unblock(): void {
    for (const file of this.#world.files) {
      if (!file.isBlocked) continue;
      fs.rmSync(file.full, { recursive: true });
      file.isBlocked = false;
      this.#world.say(`the folder at ${file.path} goes`);
    }
  }

  // ── away ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #takeAway(file: FuzzFile): Promise<void> {
    if (this.#world.chance(0.5)) return this.#takeAwayByProgram(file);
    const { wirePath, gone } = this.#entryOf(file);
    const removal = { path: wirePath, recursive: true };
    if (this.#world.chance(0.5)) await this.#world.ask('files.remove', removal);
    else {
      const beside = { op: 'write', path: `beside${++this.#made}.txt`, text: 'written with a removal\n' };
      await this.#world.ask('files.batch', { changes: [beside, { op: 'remove', ...removal }] });
    }
    this.#areGone(gone, `a call removes ${wirePath}`);
  }

  #takeAwayByProgram(file: FuzzFile): void {
    const { wirePath, gone } = this.#entryOf(file);
    fs.rmSync(this.#world.at(wirePath), { recursive: true });
    this.#areGone(gone, `a program removes ${wirePath}`);
  }

  /** The file, or its folder with all that are in it. */
  #entryOf(file: FuzzFile): { wirePath: string; gone: FuzzFile[] } {
    const folder = path.dirname(file.path);
    const inside = this.#world.files.filter((one) => path.dirname(one.path) === folder);
    const isFolder = folder !== '.' && !inside.some((one) => one.isBlocked) && this.#world.chance(0.5);
    // Also what was typed in a file that is taken away already may be saved there just now.
    const gone = isFolder ? inside.filter((one) => one.place !== 'nothing') : [file];
    for (const one of gone) if (one.isLink) one.unlinked();
    return { wirePath: isFolder ? folder : file.path, gone };
  }

  #areGone(gone: readonly FuzzFile[], how: string): void {
    for (const file of gone) {
      file.takenAway();
      file.isLeft ||= this.#world.chance(0.7);
    }
    this.counts.taken += gone.length;
    this.#world.say(`${how}:${gone.map(({ path: one, place }) => ` ${one} ${place}`).join()}`);
  }

  // ── back ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #bringBack(file: FuzzFile): Promise<void> {
    const dice = this.#world.random();
    if (dice < 0.25) return this.#restoreByProgram(file);
    if (dice < 0.4) return this.#typeAgain(file);
    if (dice < 0.6) return this.#restore(file);
    return this.#replace(file);
  }

  /** With what those have who had it open when it was taken away. */
  #restoreByProgram(file: FuzzFile): void {
    const has = file.clients.find(({ isOld }) => isOld);
    if (has === undefined) return this.#makeByProgram(file);
    file.make(file.raw(has.text.toString()));
    file.madeAnew();
    this.counts.back++;
    this.#world.say(`a program brings back ${file.path}`);
  }

  #typeAgain(file: FuzzFile): void {
    const client = this.#world.client(file);
    file.typed(client);
    const word = this.#world.newWord(file);
    client.text.insert(0, `W${word}w\n`);
    this.#world.edited();
    this.counts.back++;
    this.#world.say(`W${word} is typed into ${file.path}, which is gone`);
  }

  async #restore(file: FuzzFile): Promise<void> {
    const { versions } = await this.#world.get<{ versions: { revision: number; what: string; keptBefore: boolean }[] }>('history.list', {
      path: file.path,
    });
    const [last] = versions;
    // It was taken away unseen, or the state was lost since.
    if (last?.what !== 'removed' || !last.keptBefore) return this.#restoreByProgram(file);
    await this.#world.ask('history.restore', { path: file.path, revision: last.revision, side: 'before' });
    // Also what nobody had seen of it when it was taken away.
    file.replacedBy(wordsOf(file.read()));
    this.counts.back++;
    this.#world.say(`a call restores ${file.path}`);
  }

  // ── another in its place ─────────────────────────────────────────────────────────────────────────────────────────────

  async #replace(file: FuzzFile): Promise<void> {
    // What is typed for the file behind a link goes there.
    if (file.isLink && file.isTouched) return;
    const others = this.#world.files.filter((other) => other !== file && other.place === 'file' && other.isThere && !other.isLink);
    const dice = this.#world.random();
    if (others.length > 0 && dice < 0.2) return this.#copyOnto(file, this.#world.pick(others));
    if (others.length > 0 && dice < 0.4 && !file.isTouched) return this.#moveOnto(file, this.#world.pick(others));
    if (dice < 0.6) return this.#makeByProgram(file);
    const { text, word } = this.#newText(file);
    if (dice < 0.7) {
      const changes = [
        ...(file.isThere ? [{ op: 'remove', path: file.path }] : []),
        { op: 'write', path: file.path, text: file.raw(text) },
      ];
      await this.#world.ask('files.batch', { changes });
    } else if (dice < 0.8) await this.#world.ask('files.write', { path: file.path, text: file.raw(text) });
    else {
      const from = this.#spare(file.raw(text));
      await this.#world.ask(dice < 0.9 ? 'files.move' : 'files.copy', { from, to: file.path, overwrite: true });
    }
    this.#isReplaced(file, [word], `a call puts W${word}`);
  }

  #makeByProgram(file: FuzzFile): void {
    const { text, word } = this.#newText(file);
    fs.mkdirSync(path.dirname(file.full), { recursive: true });
    fs.renameSync(this.#world.at(this.#spare(file.raw(text))), file.full);
    this.#isReplaced(file, [word], `a program puts W${word}`);
  }

  /** A file that nobody has open. */
  #spare(raw: string): string {
    const wirePath = `spare${++this.#made}.txt`;
    fs.writeFileSync(this.#world.at(wirePath), raw);
    return wirePath;
  }

  #newText(file: FuzzFile): { text: string; word: number } {
    const word = this.#world.newWord(file);
    file.present.delete(word);
    return { word, text: `made anew\nW${word}w\nand to be typed in\n` };
  }

  #isReplaced(file: FuzzFile, words: readonly number[], how: string): void {
    file.replacedBy(words);
    this.counts.replaced++;
    this.#world.say(`${how} in the place of ${file.path}`);
  }

  /** Both hold the same then. */
  async #copyOnto(file: FuzzFile, other: FuzzFile): Promise<void> {
    await this.#world.ask('files.copy', { from: other.path, to: file.path, overwrite: true });
    file.takesFormatOf(other);
    // What was removed just now may not be heard of yet.
    file.replacedBy([...other.present, ...other.unsure, ...other.removedLately], { isCertain: !other.isTouched });
    this.counts.replaced++;
    this.#world.say(`${other.path} is copied onto ${file.path}`);
  }

  /** Who has the one open that goes has the other one then. Of the two models one is about that, and the other about a new file. */
  async #moveOnto(file: FuzzFile, other: FuzzFile): Promise<void> {
    const [to, from, clients] = [file.path, other.path, file.clients];
    await this.#world.ask('files.move', { from, to, overwrite: true });
    other.movedTo(to);
    // Who had the one that goes may come back with it where nobody is left who has the other, or where it was saved since they went.
    for (const word of file.present) if (!other.present.has(word) && !other.unsure.has(word)) other.removed(word, !file.isAdrift);
    // What is typed before they have heard of it would bring along what they have.
    other.isLeft = true;
    other.isTouched = true;
    other.clients.push(...clients);
    for (const client of clients) client.isOld = false;
    const { text, word } = this.#newText(file);
    file.begin(`new${++this.#made}.txt`, [word]);
    file.make(file.raw(text));
    for (let i = 0; i < 2; i++) this.#world.join(file);
    this.counts.replaced++;
    this.#world.say(`${from} is moved onto ${to}; ${file.path} is new`);
  }

  /** Puts a link to another file there. */
  #link(file: FuzzFile): void {
    if (file.isLink || file.isTouched) return;
    const { text, word } = this.#newText(file);
    const behind = this.#world.at(this.#spare(file.raw(text)));
    fs.symlinkSync(behind, `${file.full}.new`);
    fs.renameSync(`${file.full}.new`, file.full);
    file.putAway();
    this.#isReplaced(file, [word], `a program puts a link to W${word}`);
  }

  /** Puts a folder there. */
  #block(file: FuzzFile): void {
    fs.rmSync(file.full);
    fs.mkdirSync(path.join(file.full, 'in the way'), { recursive: true });
    file.takenAway();
    file.isBlocked = true;
    this.counts.blocked++;
    this.#world.say(`a folder is put at ${file.path}`);
  }
}

// One file of the random test of documents: who has it open, and what must stand in it.
import fs from 'node:fs';
import path from 'node:path';
import * as Y from 'yjs';
import { hashText, savedMark } from '../../src/services/documents/lineage.ts';
import type { Link, Links, Wire } from './documents-fuzz-link.ts';

export interface Client {
  ydoc: Y.Doc;
  text: Y.Text;
  link: Link;
  /** It had all of the file at the last rest. */
  isOld: boolean;
}

export interface FileKind {
  eol: '\n' | '\r\n';
  bom: boolean;
}

const wordPattern = /W(\d+)w/g;

export class FuzzFile {
  readonly #root: string;
  path: string;
  eol: FileKind['eol'];
  bom: boolean;
  clients: Client[] = [];
  /** Words that must stand in it once: while there is no file, in the copies of those who have it open. */
  readonly present = new Set<number>();
  /** Words that must not. */
  readonly absent = new Set<number>();
  /** Words that may stand in it once or not at all. */
  readonly unsure = new Set<number>();
  /** Words removed since the last rest: should the state be lost now, they may come back. */
  readonly removedLately = new Set<number>();
  /**
   * What stands at its path at rest. `nothing`: it was taken away, and nobody typed since; `unsure`: it was taken away while something may have been unsaved, so
   * that it may be made anew.
   */
  place: 'file' | 'nothing' | 'unsure' = 'file';
  /** A folder stands there, until the next rest. */
  isBlocked = false;
  /** Somebody may have something of it that is not saved. */
  isTouched = false;
  /** Nobody types in it until the next rest. */
  isLeft = false;
  /** Since the last rest a sidecar began, or nobody had it open. */
  #wasPutAway = false;
  /** There was no file at some time since the last rest. */
  #wasGone = false;
  /** A link to it was taken away since the last rest: what is typed before the sidecar has heard of that goes to the file behind it. */
  #wasLink = false;
  /** Somebody typed who may have had nothing of it. */
  #isBegun = false;
  /**
   * The state was lost since it was last seen at rest, or it never was. Where the file was gone, too, nobody knows its line ends and byte order mark (any more).
   */
  #wasLost = false;
  /** They may be others since the last rest. */
  #isFormatInDoubt = false;

  constructor(root: string, filePath: string, kind: FileKind) {
    this.#root = root;
    this.path = filePath;
    this.eol = kind.eol;
    this.bom = kind.bom;
  }

  get full(): string {
    return path.join(this.#root, this.path);
  }

  /** A file stands there, be it by a link. */
  get isThere(): boolean {
    return fs.statSync(this.full, { throwIfNoEntry: false })?.isFile() === true;
  }

  get isLink(): boolean {
    return fs.lstatSync(this.full, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  }

  read(): string {
    return fs
      .readFileSync(this.full, 'utf8')
      .replace(/^\uFEFF/, '')
      .replaceAll('\r\n', '\n');
  }

  /** As it stands on the disk. */
  raw(text: string): string {
    return (this.bom ? '\uFEFF' : '') + text.replaceAll('\n', this.eol);
  }

  /** Makes it on the disk, as a program does. */
  make(raw: string): void {
    fs.mkdirSync(path.dirname(this.full), { recursive: true });
    fs.writeFileSync(this.full, raw);
  }

  /** What everybody has at rest. */
  get text(): string {
    return this.clients[0]?.text.toString() ?? '';
  }

  movedTo(to: string): void {
    this.path = to;
    for (const { link } of this.clients) link.movedTo(to);
  }

  // ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The sidecar may have forgotten it: what people have is merged without a text that all know, and what was saved already counts less than what was not. */
  get isAdrift(): boolean {
    return this.#wasPutAway && this.#wasGone;
  }

  /** `client` typed, or removed something. */
  typed(client: Client): void {
    this.isTouched = true;
    this.#isBegun ||= !client.isOld;
    if (this.isAdrift) this.#doubtBegun();
    this.place = this.#wasLink && !this.isThere ? 'unsure' : 'file';
  }

  /** `isCertain`: on which text it was removed is known. */
  removed(word: number, isCertain: boolean): void {
    this.present.delete(word);
    this.unsure.delete(word);
    (isCertain && !this.isAdrift ? this.absent : this.unsure).add(word);
    this.removedLately.add(word);
  }

  /** Who removed a word without being heard, and who never had it, can't be told apart any more. */
  doubtRemoved(): void {
    for (const word of this.removedLately) if (this.absent.delete(word)) this.unsure.add(word);
  }

  /** Another sidecar began, or nobody has it open. */
  putAway(): void {
    this.#wasPutAway = true;
    if (this.isAdrift) this.#doubtAll();
  }

  /**
   * The sidecar was killed. Who had just come may have what stood there a while ago and not what came since, as that is sent in two parts: to those who have
   * forgotten it they are one with unsaved edits, who never had what was taken out since.
   */
  cutShort(): void {
    for (const { ydoc, text, isOld } of this.clients) {
      if (isOld || text.length === 0 || savedMark(ydoc) === hashText(text.toString())) continue;
      for (const word of wordsOf(text.toString())) if (this.absent.delete(word)) this.unsure.add(word);
      if (this.place === 'nothing') this.place = 'unsure';
      this.isTouched = true;
    }
  }

  /** The link at its path is about to be taken away. What goes with that is not the same document any more. */
  unlinked(): void {
    this.#wasLink = true;
    this.putAway();
  }

  /** Nothing is remembered any more. */
  stateLost(): void {
    this.#wasLost = true;
    this.#doubtFormat();
  }

  /** A call edits lines of it: of which kind these are is not known where there are none. */
  edited(): void {
    this.#doubtFormat();
  }

  /** It holds what `other` does, with its line ends and byte order mark; a copy that has no line end says nothing of them. */
  takesFormatOf(other: FuzzFile): void {
    this.eol = other.eol;
    this.bom = other.bom;
    this.#isFormatInDoubt ||= other.#isFormatInDoubt || (other.#wasLost && other.#wasGone) || other.#hasNoLineEnd;
    this.#doubtFormat();
  }

  #doubtFormat(): void {
    if (this.#hasNoLineEnd) this.#isFormatInDoubt = true;
  }

  /** In the file, or in what is not saved yet, or not made yet. */
  get #hasNoLineEnd(): boolean {
    const texts = this.clients.map(({ text }) => text.toString());
    if (this.isThere) texts.push(this.read());
    return texts.some((text) => !text.includes('\n'));
  }

  /** Its file is not there any more. */
  takenAway(): void {
    this.place = this.isTouched ? 'unsure' : 'nothing';
    this.#wasGone = true;
    // Who has it open may not have seen what programs did to it last.
    this.doubtRemoved();
    this.#doubt([...this.present].filter((word) => !this.clients.some(({ text }) => wordsOf(text.toString()).includes(word))));
    if (this.isAdrift) this.#doubtAll();
  }

  /** Another text took the place of its own, which goes, but for what was unsaved. */
  replacedBy(words: Iterable<number>, { isCertain = true } = {}): void {
    this.doubtRemoved();
    if (this.isTouched) this.#doubt(this.present);
    else for (const word of [...this.present]) this.removed(word, true);
    for (const word of words) {
      // Of both texts, and removed from this one before that was saved: it goes from the other as well, and stays where it was saved.
      const isSure = isCertain && !(this.isTouched && this.removedLately.has(word));
      for (const set of [this.absent, this.removedLately, this.unsure]) set.delete(word);
      (isSure ? this.present : this.unsure).add(word);
    }
    this.madeAnew();
  }

  /** A file is there again. Where it was forgotten, who typed before they have heard of it would bring along what they had before. */
  madeAnew(): void {
    if (this.#wasPutAway) this.isLeft = true;
    this.place = 'file';
    this.isTouched = true;
  }

  #doubt(words: Iterable<number>): void {
    for (const word of [...words]) if (this.present.delete(word)) this.unsure.add(word);
  }

  /** Those who have all of it come back to what was typed by one who has nothing of it. */
  #doubtBegun(): void {
    if (this.#isBegun) this.#doubt(this.present);
  }

  #doubtAll(): void {
    this.doubtRemoved();
    this.#doubtBegun();
    const copies = this.clients.filter(({ isOld }) => isOld).map(({ text }) => new Set(wordsOf(text.toString())));
    this.#doubt([...this.present].filter((word) => copies.length === 0 || copies.some((copy) => !copy.has(word))));
  }

  /** What `text`, of people or of the file, holds too much or too little. */
  problemOf(text: string): string | undefined {
    const words = wordsOf(text);
    const lines = [...text.matchAll(/line \d+ of \w+/g)].map(([line]) => line);
    const twice = words.find((word, index) => words.indexOf(word) < index);
    const doubled = twice === undefined ? lines.find((line, index) => lines.indexOf(line) < index) : `W${twice}`;
    if (doubled !== undefined) return `${doubled} stands there twice`;
    for (const word of words) {
      if (this.absent.has(word)) return `W${word} came back`;
      if (!this.present.has(word) && !this.unsure.has(word)) return `W${word} is of another file`;
    }
    const lost = [...this.present].find((word) => !words.includes(word));
    return lost === undefined ? undefined : `W${lost} is lost`;
  }

  /** Where people and file have not the same: who of them is wrong, and why. */
  problems(): string[] {
    const texts = new Map(this.clients.map(({ ydoc, text }) => [`client ${ydoc.clientID}`, text.toString()]));
    if (this.isThere) texts.set('disk', this.read());
    return [...texts].flatMap(([name, text]) => {
      const problem = this.problemOf(text);
      return problem === undefined ? [] : [`${name}: ${problem}`];
    });
  }

  /** All that was in doubt is known by what everybody has. */
  settled(): void {
    const words = new Set(wordsOf(this.text));
    for (const word of this.unsure) (words.has(word) ? this.present : this.absent).add(word);
    this.unsure.clear();
    this.removedLately.clear();
    this.place = this.isThere ? 'file' : 'nothing';
    if (this.isThere) {
      if (this.#isFormatInDoubt || (this.#wasLost && this.#wasGone)) this.#takeFormat();
      this.#wasLost = false;
      this.#isFormatInDoubt = false;
    }
    this.isTouched = false;
    this.#wasPutAway = false;
    this.#isBegun = false;
    this.#wasLink = false;
    this.#wasGone = this.place === 'nothing';
    for (const client of this.clients) client.isOld = true;
  }

  #takeFormat(): void {
    const raw = fs.readFileSync(this.full, 'utf8');
    this.bom &&= raw.startsWith('\uFEFF');
    if (!raw.includes('\r')) this.eol = '\n';
  }

  /** It went elsewhere with all who had it open: from here on this is about another file. */
  begin(filePath: string, words: Iterable<number>): void {
    this.path = filePath;
    this.clients = [];
    for (const set of [this.present, this.absent, this.unsure, this.removedLately]) set.clear();
    for (const word of words) this.present.add(word);
    this.place = 'file';
    this.isTouched = true;
    this.#wasLost = true;
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  join(links: Links, wire: Wire, port: number): void {
    const ydoc = new Y.Doc();
    this.clients.push({ ydoc, text: ydoc.getText('content'), link: links.open(wire, port, this.path, ydoc), isOld: false });
  }

  /** Somebody goes; what they have not sent is lost with them. */
  leave(gone: Client): void {
    this.clients.splice(this.clients.indexOf(gone), 1);
    const kept = new Set(this.clients.flatMap(({ text }) => wordsOf(text.toString())));
    this.#doubt(wordsOf(gone.text.toString()).filter((word) => !kept.has(word)));
    this.doubtRemoved();
    if (this.isAdrift) this.#doubtAll();
    if (this.place === 'file' && !this.isThere) this.place = 'unsure';
    destroy(gone);
  }

  /** Nobody who had it open is left, nor the file: the sidecar that begins next has nothing of it to give to others. */
  forgotten(): void {
    for (const client of this.clients.splice(0)) destroy(client);
    for (const word of [...this.present]) this.removed(word, true);
    for (const word of this.removedLately) this.absent.add(word);
    this.removedLately.clear();
    this.unsure.clear();
  }

  /** They close the lid; `comeBack` opens it. */
  goIdle(): void {
    for (const { link } of this.clients) link.goAway();
    this.putAway();
  }

  get isAway(): boolean {
    return this.clients.every(({ link }) => link.isAway);
  }

  comeBack(): void {
    for (const { link } of this.clients) link.comeBack();
  }

  /** All who have it open have the same, which they know to be saved; undefined where they do not. */
  get shared(): string | undefined {
    const [first] = this.clients;
    const text = first?.text.toString();
    const isShared = this.clients.every(
      ({ ydoc, link, text: own }) => link.isSynced && own.toString() === text && savedMark(ydoc) === hashText(text ?? ''),
    );
    return isShared ? text : undefined;
  }
}

export function destroy(client: Client): void {
  client.link.destroy();
  client.ydoc.destroy();
}

export function wordsOf(text: string): number[] {
  return [...text.matchAll(wordPattern)].map((match) => Number(match[1]));
}

/** Words as they stand in a text. */
export function placesOfWords(text: string): RegExpExecArray[] {
  return [...text.matchAll(wordPattern)];
}

// Reports that are told late: by then the folder is further on than they say.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import type { Change } from '../../contract/events.ts';
import { parentPath } from '../../contract/paths.ts';
import { movedPath } from '../../core/moved-path.ts';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { cause, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { hashBytes } from './content.ts';
import type { Noticed } from './echoes.ts';

const seed = testSeed();
const HISTORIES = 30;
const STEPS = 30;
/** At what the reports left open. */
const LOOKS = 3;
const FOLDERS = ['d', 'e', 'd/f', 'e/f', 'g'] as const;
const FIRST = ['d/a', 'd/b', 'e/a', 'd/f/c', 'g/a'] as const;
const NAMES = ['a', 'b', 'c'] as const;

/** What somebody follows: which file, by the number that it got when it was made, is where. */
type Followed = Map<string, number | null>;

function move(files: Followed, from: string, to: string): void {
  for (const path of [...files.keys()]) if (movedPath(path, to, '') !== undefined) files.delete(path);
  for (const [path, file] of [...files]) {
    const now = movedPath(path, from, to);
    if (now === undefined) continue;
    files.delete(path);
    files.set(now, file);
  }
}

function remove(files: Followed, at: string): void {
  for (const path of [...files.keys()]) if (movedPath(path, at, '') !== undefined) files.delete(path);
}

/** Another program in the folder, and a watch that sees each of its steps at once. */
class Program {
  readonly files: Followed = new Map();
  readonly reports: Noticed[] = [];
  readonly #harness: Harness;
  readonly #random: Random;
  #made = 0;
  #written = 0;

  constructor(harness: Harness, random: Random) {
    this.#harness = harness;
    this.#random = random;
  }

  step(): void {
    const files = [...this.files].filter(([, file]) => file !== null).map(([path]) => path);
    const folders = [...this.files].filter(([, file]) => file === null).map(([path]) => path);
    const file = this.#random.of(files);
    const folder = this.#random.of(folders);
    const way = this.#random.below(20);
    if (file === undefined || way < 3) this.make(this.#somewhere());
    else if (way < 12) this.#rename(file, this.#somewhere());
    else if (way < 16 && folder !== undefined) this.#rename(folder, this.#random.of([...FOLDERS, 'h', 'd/h']));
    else if (way < 18) this.#write(file);
    else if (way < 19 || folder === undefined) this.#remove(file);
    else this.#remove(folder);
  }

  make(path: string): void {
    if (this.files.get(path) === null) return;
    this.#makeFolder(parentPath(path));
    if (this.files.has(path)) return;
    this.files.set(path, this.#made++);
    this.#write(path);
  }

  /** Somebody who follows a file saves it, where it is told to be and no other is there: a save says what it goes out from. */
  async saved(followed: Followed, log: string[]): Promise<void> {
    const places = [...followed]
      .filter(([path, file]) => file !== null && file >= 0 && this.files.get(path) === file)
      .map(([path]) => path);
    const path = this.#random.of(places);
    if (path === undefined) return;
    await this.#harness.workspace.write(path, Buffer.from(`saved ${this.#written++}`), { cause });
    log.push(`saved ${path}`);
    this.#see(path, 'changed');
  }

  #somewhere(): string {
    return `${this.#random.of(FOLDERS)}/${this.#random.of(NAMES)}`;
  }

  #makeFolder(path: string): void {
    if (path === '' || this.files.get(path) === null) return;
    this.#makeFolder(parentPath(path));
    fs.mkdirSync(this.#harness.at(path));
    this.files.set(path, null);
    this.#see(path, 'created');
  }

  #write(path: string): void {
    fs.writeFileSync(this.#harness.at(path), `${this.#written++} ${path}`);
    this.#see(path, 'changed');
  }

  #rename(from: string, to: string): void {
    const kind = this.files.get(from) === null;
    if (movedPath(to, from, '') !== undefined || movedPath(from, to, '') !== undefined) return;
    if (this.files.has(to) && (kind || this.files.get(to) === null)) return;
    this.#makeFolder(parentPath(to));
    fs.renameSync(this.#harness.at(from), this.#harness.at(to));
    const what = this.files.has(to) ? 'changed' : 'created';
    move(this.files, from, to);
    this.#see(to, what, from);
  }

  #remove(path: string): void {
    const gone = [...this.files.keys()].filter((one) => movedPath(one, path, '') !== undefined).sort();
    for (const one of gone.reverse()) {
      const kind = this.files.get(one) === null ? 'directory' : 'file';
      this.reports.push({ path: one, kind, what: 'removed', size: 0, mtimeMs: 0, ino: 0, hash: null });
    }
    fs.rmSync(this.#harness.at(path), { recursive: true });
    remove(this.files, path);
  }

  #see(path: string, what: Noticed['what'], from?: string): void {
    this.reports.push(seen(this.#harness, path, what, from));
  }
}

/** What the watch says of what stands there now. */
function seen({ at }: Harness, path: string, what: Noticed['what'], from?: string): Noticed {
  const stat = fs.lstatSync(at(path), { throwIfNoEntry: false });
  if (stat === undefined) return { path, kind: 'file', what: 'removed', size: 0, mtimeMs: 0, ino: 0, hash: null };
  const kind = stat.isDirectory() ? 'directory' : 'file';
  const hash = kind === 'file' ? hashBytes(fs.readFileSync(at(path))) : null;
  return { path, kind, what, size: stat.size, mtimeMs: stat.mtimeMs, ino: stat.ino, hash, ...(from === undefined ? {} : { from }) };
}

/** As somebody who hears of the changes has it, whom the content does not matter but which file it is. */
function follow(files: Followed, changes: readonly Change[]): void {
  for (const { what, path, from, kind } of changes) {
    if (what === 'removed') remove(files, path);
    else if (what === 'moved' && from !== undefined) {
      move(files, from, path);
      if (!files.has(path)) files.set(path, kind === 'directory' ? null : -1);
    } else if (!files.has(path)) files.set(path, kind === 'directory' ? null : -1);
  }
}

function history(number: number, saves = false): Promise<void> {
  return withWorkspace(async (harness) => {
    const { workspace, changes } = harness;
    const random = new Random(number);
    const program = new Program(harness, random);
    for (const path of FIRST) program.make(path);
    workspace.noticed(program.reports.splice(0));
    const followed = new Map(program.files);
    changes.length = 0;
    const log: string[] = [];
    const tell = (reports: readonly Noticed[]): void => {
      for (const { what, path, from } of reports) log.push(`report ${what} ${from ?? ''} → ${path}`);
      const told = workspace.noticed(reports);
      for (const { what, path, from } of told) log.push(`    told ${what} ${from ?? ''} → ${path}`);
      follow(followed, told);
    };
    for (let step = 0; step < STEPS; step++) {
      program.step();
      if (saves && random.below(5) === 0) await program.saved(followed, log);
      if (random.below(4) === 0) tell(program.reports.splice(0, 1 + random.below(program.reports.length + 1)));
    }
    tell(program.reports.splice(0));
    for (let round = 0; round < LOOKS; round++)
      tell([...workspace.takeDoubtful(), ...workspace.takeDifferences()].map((path) => seen(harness, path, 'changed')));
    const kinds = (files: Followed): string[] => [...files].map(([path, file]) => (file === null ? `${path}/` : path)).sort();
    const hint = `SEED=${number}\n${log.join('\n')}`;
    assert.deepEqual(kinds(followed), kinds(program.files), hint);
    const contents = [...program.files]
      .filter(([, file]) => file !== null)
      .map(([path]) => [path, hashBytes(fs.readFileSync(harness.at(path)))]);
    assert.deepEqual(
      contents.map(([path = '']) => [path, workspace.journal.known(path)]),
      contents,
      hint,
    );
    // Which of two it is, where one was put over the other while that was saved, is for those who met there.
    if (saves) return;
    for (const [path, file] of program.files)
      if (file !== null && file < FIRST.length) assert.equal(followed.get(path), file, `${path} ${hint}`);
  });
}

test(`however late it is told what a program renames, it is told where each file went (SEED=${seed})`, async () => {
  for (let round = 0; round < HISTORIES; round++) await history(seed + round);
});

test(`the same while somebody saves what is renamed: what is told adds up to what is there (SEED=${seed})`, async () => {
  for (let round = 0; round < HISTORIES; round++) await history(seed + round, true);
});

test(`ten times as many renames that are told late (SEED=${seed}) (long form)`, async () => {
  for (let round = HISTORIES; round < 10 * HISTORIES; round++) for (const saves of [false, true]) await history(seed + round, saves);
});

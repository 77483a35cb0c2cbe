import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { threadMs } from '../../test/kit/loop-hold.ts';
import { Random } from '../../test/kit/random.ts';
import { State } from '../services/state/state.ts';
import { type ChangeDraft, Journal } from '../services/workspace/journal.ts';
import { editHistory } from './edit-history.ts';

/** Of processor time: far below what it took, and far above what it takes. */
const SOON_MS = 2500;

function assertSoon(tookMs: number): void {
  console.log(`found after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < SOON_MS, `${tookMs} ms`);
}

function withJournal(run: (journal: Journal) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-edits-'));
  fs.mkdirSync(path.join(folder, 'root'));
  const state = new State({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder });
  const journal = new Journal({ state, now: () => 1, onProblem: () => {} }, { keep: 100_000 });
  try {
    run(journal);
  } finally {
    journal.close();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function edited(file: string, name: string): ChangeDraft {
  return {
    path: file,
    kind: 'file',
    what: 'changed',
    before: 'a'.repeat(64),
    after: 'b'.repeat(64),
    cause: { kind: 'document', who: [{ kind: 'person', name }] },
  };
}

function moved(kind: 'file' | 'directory', from: string, to: string): ChangeDraft {
  return { path: to, from, kind, what: 'moved', before: null, after: null, cause: { kind: 'connection' } };
}

/** Who edited them, by their names now. */
function editorsOf(journal: Journal, files: readonly string[]): Record<string, string[]> {
  const found = editHistory(journal).authorsSince(new Map(files.map((file) => [file, { time: 0 }])), () => true);
  return Object.fromEntries([...found].map(([file, people]) => [file, people.map(({ name }) => name).toSorted()]));
}

describe('who edited a file', () => {
  test('counts under all names that it had, and not of what had the name of its folder before', () => {
    withJournal((journal) => {
      journal.record([edited('new/f', 'Stranger')]);
      journal.record([moved('directory', 'new', 'elsewhere')]);
      journal.record([edited('old/e', 'Ada')]);
      journal.record([moved('file', 'old/e', 'old/f')]);
      journal.record([edited('old/f', 'Bob')]);
      journal.record([moved('directory', 'old', 'new')]);
      journal.record([edited('new/f', 'Eve')]);
      assert.deepEqual(editorsOf(journal, ['new/f', 'elsewhere/f']), {
        'new/f': ['Ada', 'Bob', 'Eve'],
        'elsewhere/f': ['Stranger'],
      });
    });
  });

  test('is found soon also where each of twenty folders around it was renamed', () => {
    withJournal((journal) => {
      const names = Array.from({ length: 20 }, (_, index) => `a${index}`);
      journal.record([edited(`${names.join('/')}/f`, 'Ada')]);
      for (const index of names.keys()) {
        const from = names.slice(0, index + 1).join('/');
        names[index] = `b${index}`;
        journal.record([moved('directory', from, names.slice(0, index + 1).join('/'))]);
      }
      const file = `${names.join('/')}/f`;
      const begunMs = threadMs();
      assert.deepEqual(editorsOf(journal, [file]), { [file]: ['Ada'] });
      assertSoon(threadMs() - begunMs);
    });
  });

  test('is found soon also where hundreds of files changed their names with one another again and again', () => {
    withJournal((journal) => {
      const random = new Random(1);
      const name = (): string => `f${random.below(500)}`;
      journal.record([edited('f0', 'Ada')]);
      journal.record(Array.from({ length: 9990 }, () => moved('file', name(), name())));
      const begunMs = threadMs();
      assert.ok(
        Object.keys(
          editorsOf(
            journal,
            Array.from({ length: 500 }, (_, index) => `f${index}`),
          ),
        ).length > 0,
      );
      assertSoon(threadMs() - begunMs);
    });
  });
});

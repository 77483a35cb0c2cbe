import assert from 'node:assert/strict';
import type fs from 'node:fs';
import { test } from 'node:test';
import type { Change } from '../../contract/events.ts';
import { FOLDER, REMOVED } from './journal.ts';
import { Meetings, MOST_COMPARED } from './meetings.ts';

const LONG_AGO = Date.now() - 3_600_000;

interface Stands {
  folder?: boolean;
  changedMs?: number;
  bornMs?: number;
}

/** `told`: what the journal knows; `there`: what stands on the disk. */
function meetingsOf(told: Record<string, string>, there: Record<string, Stands>, ignored: string[] = []): Meetings {
  const disk = new Map(Object.entries(there));
  return new Meetings({
    journal: {
      known: (path) => told[path],
      knownBelow: (folder, limit) =>
        Object.entries(told)
          .filter(([path]) => path.startsWith(`${folder}/`))
          .slice(0, (limit ?? Number.POSITIVE_INFINITY) + 1)
          .map(([path, content]) => ({ path, content })),
    },
    disk: {
      lstat: (path) => {
        const stands = disk.get(path);
        if (stands === undefined) return undefined;
        const { folder = false, changedMs = LONG_AGO, bornMs = LONG_AGO } = stands;
        return { isDirectory: () => folder, isFile: () => !folder, ctimeMs: changedMs, birthtimeMs: bornMs } as fs.Stats;
      },
      names: (folder) =>
        [...disk.keys()].filter((path) => path.slice(0, path.lastIndexOf('/')) === folder).map((path) => path.slice(folder.length + 1)),
      ignored: (path) => ignored.includes(path),
    },
  });
}

function made(path: string, from?: string): Change[] {
  return [
    {
      kind: 'directory',
      cause: { kind: 'connection' },
      path,
      what: from === undefined ? 'created' : 'moved',
      ...(from === undefined ? {} : { from }),
    } as Change,
  ];
}

const seen = (path: string, kind: 'file' | 'directory' = 'file') => ({ path, kind, what: 'created', from: undefined }) as const;

test('where a call and another hand met, what is not as it was told is named, what is in a folder before it', () => {
  const told = { dir: FOLDER, 'dir/gone': 'hash', 'dir/sub': REMOVED, 'dir/sub/file': REMOVED, 'dir/same': 'hash', 'dir/kind': FOLDER };
  const there = {
    dir: { folder: true },
    'dir/sub': { folder: true },
    'dir/sub/file': {},
    'dir/same': {},
    'dir/kind': {},
    'dir/fresh': { bornMs: Date.now() },
    'dir/before all': {},
    'dir/out of sight': { bornMs: Date.now() },
  };
  const meetings = meetingsOf(told, there, ['dir/out of sight']);
  meetings.ours(made('dir'));
  assert.deepEqual(meetings.differences(), [], 'nobody else was there');
  meetings.theirs(seen('elsewhere'));
  assert.deepEqual(meetings.differences(), []);
  meetings.theirs(seen('dir/sub/file'));
  assert.deepEqual(meetings.differences(), ['dir/sub/file', 'dir/sub', 'dir/kind', 'dir/gone', 'dir/fresh']);
  assert.deepEqual(meetings.differences(), [], 'each is named once');
});

test('a file that was written a moment ago is looked at again, whatever was told of it', () => {
  const meetings = meetingsOf({ to: FOLDER, 'to/file': 'hash' }, { to: { folder: true }, 'to/file': { changedMs: Date.now() } });
  meetings.ours(made('to', 'from'));
  meetings.theirs(seen('from/file'));
  assert.deepEqual(meetings.differences(), ['to/file']);
});

test('of a folder that came from where it was told to be gone, all is named', () => {
  const meetings = meetingsOf({ back: FOLDER }, { back: { folder: true }, 'back/old': { folder: true }, 'back/old/file': {} });
  meetings.arrived('back');
  assert.deepEqual(meetings.differences(), ['back/old/file', 'back/old']);
});

test('a place that holds too much is left to the watch, but not one in it', () => {
  const there: Record<string, Stands> = { dir: { folder: true }, 'dir/in': { folder: true }, 'dir/in/fresh': { bornMs: Date.now() } };
  const most = MOST_COMPARED - 4;
  for (let index = 0; index < most; index++) there[`dir/${index}`] = { bornMs: Date.now() };
  const met = (): string[] => {
    const meetings = meetingsOf({ dir: FOLDER, 'dir/in': FOLDER }, there);
    meetings.ours([...made('dir'), ...made('dir/in')]);
    meetings.theirs(seen('dir/in/fresh'));
    return meetings.differences();
  };
  assert.equal(met().length, most + 1);
  there['dir/one more'] = { bornMs: Date.now() };
  assert.deepEqual(met(), ['dir/in/fresh']);
});

test('where a folder went that both were at is compared, too', () => {
  const meetings = meetingsOf({ to: FOLDER, 'to/told': 'hash' }, { to: { folder: true } });
  meetings.ours(made('from'));
  meetings.theirs({ path: 'to', kind: 'directory', what: 'created', from: 'from' });
  assert.deepEqual(meetings.differences(), ['to/told']);
});

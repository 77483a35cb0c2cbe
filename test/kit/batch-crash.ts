// For tests: a batch on a folder, made by a child process that is killed at a given point of it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asked } from '../../src/contract/operation.ts';
import type { files } from '../../src/contract/files.ts';
import type { Change } from '../../src/contract/events.ts';
import { openWorkspace } from './workspace-harness.ts';

type Changes = Asked<(typeof files)['files.batch']>['changes'];

/** Folders that move with what was changed in them, two files that swap their names, one written twice, and one that takes another's place. */
const richBatch: Changes = [
  { op: 'write', path: 'a', text: 'a2' },
  { op: 'write', path: 'n/ew/file', text: 'n' },
  { op: 'edit', path: 'd/x', edits: [{ find: 'x1', replace: 'x2' }] },
  { op: 'move', from: 'd', to: 'e' },
  { op: 'write', path: 'e/x', text: 'x3' },
  { op: 'remove', path: 'old', recursive: true },
  { op: 'move', from: 'a', to: 't' },
  { op: 'move', from: 'b', to: 'a' },
  { op: 'move', from: 't', to: 'b' },
  { op: 'move', from: 'e/y', to: 'over', overwrite: true },
  { op: 'mkdir', path: 'd' },
];
const before: Record<string, string> = { a: 'a1', b: 'b1', 'd/x': 'x1', 'd/y': 'y1', 'old/deep/f': 'f', over: 'o' };
const after: Record<string, string> = { a: 'b1', b: 'a2', 'e/x': 'x3', 'n/ew/file': 'n', over: 'y1' };

export interface Crash {
  /** The child is killed at this point, counted from 0; none: it is not. */
  kill?: number;
  /** At this point something fails. */
  fail?: number;
  /** Only the recovery is run. */
  recover?: boolean;
  /** No record is made. */
  forget?: boolean;
}

export interface CrashPlace {
  /** Runs the child; the points that it came to, and whether it was killed. */
  run(crash: Crash): { points: string[]; killed: boolean };
  /** What the folder holds after a recovery: all of the batch, nothing of it, or how it is torn. The journal must tell the same. */
  settled(): string;
  remove(): void;
}

const child = `
  const [folder, crash, kit] = process.argv.slice(1);
  const { call, openWorkspace } = await import(kit + '/workspace-harness.ts');
  const { files } = await import(kit + '/../../src/contract/files.ts');
  const { fileOperations } = await import(kit + '/../../src/services/workspace/operations.ts');
  const { writeSync } = await import('node:fs');
  const { kill, fail, loop, recover, forget, changes } = JSON.parse(crash);
  let n = 0;
  const beforeStep = (point) => {
    if (loop === undefined) writeSync(1, point + '\\n');
    if (n === kill) process.kill(process.pid, 'SIGKILL');
    if (n++ === fail) throw Object.assign(new Error('refused'), { code: 'EACCES' });
  };
  const { workspace, state } = openWorkspace(folder, { beforeStep, forgetBatches: forget === true });
  if (loop !== undefined) {
    workspace.recover();
    const batch = (changes) => fileOperations(workspace, { maxTextBytes: 1e6, maxUploadBytes: 1e6 })['files.batch'](files['files.batch'].input.parse({ changes }), call());
    const parent = process.ppid;
    for (let n = loop; process.ppid === parent; n++) {
      const names = ['even', 'odd'];
      await batch([
        { op: 'move', from: names[(n + 1) % 2], to: names[n % 2] },
        ...Array.from({ length: 6 }, (_, index) => ({ op: 'write', path: index < 3 ? names[n % 2] + '/f' + index : 'f' + index, text: String(n) })),
      ]);
      if (n === loop) writeSync(1, 'ready\\n');
    }
  } else if (recover === true) workspace.recover();
  else await fileOperations(workspace, { maxTextBytes: 1e6, maxUploadBytes: 1e6 })['files.batch'](files['files.batch'].input.parse({ changes }), call()).catch(() => {});
  workspace.close();
  state.close();
`;

export function crashPlace(): CrashPlace {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-batch-')));
  const root = path.join(folder, 'root');
  for (const [name, text] of Object.entries(before)) {
    fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
  return {
    run(crash) {
      const parameters = [
        '--input-type=module',
        '-e',
        child,
        folder,
        JSON.stringify({ ...crash, changes: richBatch }),
        import.meta.dirname,
      ];
      const { signal, status, stdout, stderr } = spawnSync(process.execPath, parameters, { encoding: 'utf8' });
      assert.ok(signal === 'SIGKILL' || status === 0, stderr);
      return { points: stdout.trim().split('\n'), killed: signal === 'SIGKILL' };
    },
    settled() {
      const { workspace, state } = openWorkspace(folder);
      let told: Change[];
      try {
        workspace.recover();
        told = workspace.journal.since(undefined, 1000).changes;
        assert.deepEqual(state.statement('SELECT * FROM batches').all(), [], 'the record is left');
      } finally {
        workspace.close();
        state.close();
      }
      const found = Object.fromEntries(
        (fs.readdirSync(root, { recursive: true }) as string[])
          .sort()
          .filter((name) => fs.statSync(path.join(root, name)).isFile())
          .map((name) => [name, fs.readFileSync(path.join(root, name), 'utf8')]),
      );
      const text = JSON.stringify(found);
      const outcome = text === JSON.stringify(before) ? 'nothing' : text === JSON.stringify(after) ? 'all' : `torn: ${text}`;
      if (outcome.startsWith('torn')) return outcome;
      assert.equal(fs.existsSync(path.join(root, 'd')), true);
      if (outcome === 'nothing') assert.deepEqual([told.length, fs.existsSync(path.join(root, 'n'))], [0, false]);
      if (outcome === 'all') assert.deepEqual([told.length, told.at(-1)?.path, told.at(-1)?.what], [16, 'd', 'created']);
      return outcome;
    },
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * A child that makes one batch after the other, killed after so many ms, `rounds` times on one folder. Throws when, after a recovery, files
 * are of different batches. Gives how many batches were made.
 */
export async function killedAtRandom(rounds: number, delayMs: () => number): Promise<number> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-batches-')));
  const root = path.join(folder, 'root');
  fs.mkdirSync(path.join(root, 'even'), { recursive: true });
  let last = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const parameters = ['--input-type=module', '-e', child, folder, JSON.stringify({ loop: last + 1 }), import.meta.dirname];
      const looping = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(looping, 'exit');
      await Promise.race([once(looping.stdout, 'data'), ended.then(([code]) => assert.fail(`the child ended with ${code}`))]);
      await sleep(delayMs());
      looping.kill('SIGKILL');
      await ended;
      const { workspace, state } = openWorkspace(folder);
      workspace.recover();
      workspace.close();
      state.close();
      const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
      const home = names.find((name) => name === 'even' || name === 'odd') ?? '';
      assert.deepEqual(names, ['f3', 'f4', 'f5', home, `${home}/f0`, `${home}/f1`, `${home}/f2`].sort());
      const contents = new Set(names.filter((name) => name !== home).map((name) => fs.readFileSync(path.join(root, name), 'utf8')));
      assert.equal(contents.size, 1, `round ${round}: ${[...contents].join(' and ')}`);
      last = Number([...contents][0]);
      assert.equal(home, ['even', 'odd'][last % 2]);
    }
    return last;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs one crash after the other on a fresh place, then says how it ended. `undefined`: the last was not killed. */
export function endOf(...crashes: Crash[]): { outcome: string; points: string[] } | undefined {
  const place = crashPlace();
  try {
    let points: string[] = [];
    let killed = false;
    for (const crash of crashes) ({ points, killed } = place.run(crash));
    return killed ? { outcome: place.settled(), points } : undefined;
  } finally {
    place.remove();
  }
}

// Days of use in minutes: after many visits of every kind, a sidecar that everybody has left holds no more than after a few.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../kit/random.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';
import { type Held, Soak } from '../kit/soak.ts';

const seed = testSeed();
const turns = Number(process.env['TURNS'] ?? 20);
const VISITS = 300;
const FIRST_TURNS = 4;
const MORE_DESCRIPTORS = 20;
/** Of 16 turns with 4,800 visits: what V8 compiles meanwhile is some 2 MB, what is known of files that are gone 2 more. */
const MORE_HEAP_MB = 8;
const MORE_RESIDENT_MB = 60;
const MORE_STATE_MB = 8;
const MORE_STATE_FILES = 10;

test(`${turns} turns of ${VISITS} visits leave nothing behind (SEED=${seed})`, () =>
  withScratchFolder('soak', async (folder) => {
    const soak = new Soak(new Random(seed), folder);
    await soak.start();
    try {
      const seen: Held[] = [];
      for (let turn = 0; turn < turns; turn++) {
        const beganMs = Date.now();
        await soak.turn(VISITS);
        const held = await soak.held();
        seen.push(held);
        console.log(
          `turn ${turn}: ${Math.round((Date.now() - beganMs) / 1000)} s, heap ${held.heapMb.toFixed(1)} MB, resident ${held.residentMb.toFixed()} MB, ${count(held)} descriptors, ${held.threads} threads, state ${held.stateMb.toFixed(1)} MB in ${held.stateFiles} files`,
        );
      }
      console.log(`visits: ${[...soak.visited].map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
      console.log(`refused: ${[...soak.refused].map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
      const first = seen.slice(0, FIRST_TURNS);
      const last = seen.slice(-FIRST_TURNS);
      const grown = (of: (held: Held) => number): number => Math.min(...last.map(of)) - Math.max(...first.map(of));
      assert.ok(grown(count) <= MORE_DESCRIPTORS, `descriptors: ${JSON.stringify([first.at(-1), last.at(-1)], null, 1)}`);
      assert.ok(grown(({ threads }) => threads) <= 0, 'threads');
      assert.ok(grown(({ heapMb }) => heapMb) <= MORE_HEAP_MB, 'heap');
      assert.ok(grown(({ residentMb }) => residentMb) <= MORE_RESIDENT_MB, 'resident');
      assert.ok(grown(({ stateMb }) => stateMb) <= MORE_STATE_MB, 'state');
      assert.ok(grown(({ stateFiles }) => stateFiles) <= MORE_STATE_FILES, 'files of the state');
      assert.ok(grown(({ children }) => children.length) <= 0, `children: ${last.at(-1)?.children}`);
      await soak.stop();
      soak.assertTidy();
    } finally {
      await soak.kill();
    }
  }));

function count({ descriptors }: Held): number {
  return Object.values(descriptors).reduce((sum, some) => sum + some, 0);
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../test/kit/random.ts';
import { testSeed } from '../../test/kit/seed.ts';
import { type Head, isBefore, OpenLanes } from './open-lanes.ts';
import type { Lane } from './task-schema.ts';

const CAN = ['a', 'b', 'c'];

test('who may have what, and what comes first of it, is the same as where all lanes are gone through', () => {
  const random = new Random(testSeed());
  const lanes: Lane[] = Array.from({ length: 40 }, () => ({
    needs: CAN.filter(() => random.below(3) === 0),
    agent: random.below(2) === 0 ? null : `agent-${random.below(3)}`,
    group: random.below(2) === 0 ? null : `group-${random.below(5)}`,
    atOnce: 1,
  }));
  const open = new OpenLanes();
  const heads = new Map<number, Head>();
  const full = new Set<string>();
  for (let step = 0; step < 5000; step++) {
    const number = random.below(lanes.length);
    const { group } = lanes[number] as Lane;
    const what = random.below(4);
    if (what < 2) {
      const head = { priority: random.below(4), seq: step };
      heads.set(number, head);
      open.put(number, lanes[number] as Lane, head);
    } else if (what === 2) {
      heads.delete(number);
      open.remove(number);
    } else if (group !== null && full.delete(group)) open.hasRoom(group);
    else if (group !== null) full.add(group);
    const agent = `agent-${random.below(4)}`;
    const capabilities = CAN.filter(() => random.below(2) === 0);
    const found = open.kindsFor(agent, capabilities).flatMap((kind) => {
      while (kind.first !== undefined && full.has(kind.first.group ?? '')) open.wait(kind.first);
      return kind.first ?? [];
    });
    const fits = [...heads].filter(([one]) => {
      const lane = lanes[one] as Lane;
      return (lane.agent ?? agent) === agent && lane.needs.every((need) => capabilities.includes(need)) && !full.has(lane.group ?? '');
    });
    const first = found.sort((one, other) => (isBefore(one, other) ? -1 : 1))[0];
    const [expected] = fits.sort(([, one], [, other]) => (isBefore(one, other) ? -1 : 1))[0] ?? [];
    assert.equal(first?.number, expected, `after ${step} steps`);
  }
  for (const number of heads.keys()) open.remove(number);
  assert.deepEqual(open.kindsFor('agent-0', CAN), []);
});

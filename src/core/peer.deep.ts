import { test } from 'node:test';
import { anyFrames, mixedCalls } from '../../test/kit/peer-properties.ts';
import { testSeed } from '../../test/kit/seed.ts';

const seed = testSeed();

test('many mixes of calls in both directions: one end each, nothing left', () => mixedCalls(seed, 600));

test('a great many strange frames: the peer stands', () => anyFrames(seed, 10_000));

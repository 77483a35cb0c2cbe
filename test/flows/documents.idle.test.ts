import { test } from 'node:test';
import { staysConnected } from '../kit/idle-provider.ts';

test('an idle provider is kept for longer than its own 30 s of patience', () => staysConnected(35_000));

import { test } from 'node:test';
import { staysConnected } from '../kit/idle-provider.ts';

test('an idle provider is still connected after five minutes', () => staysConnected(300_000));

import { testBus } from '../../test/kit/bus-suite.ts';
import { nodeTimers } from '../net/timers.ts';
import { InProcessBus } from './bus.ts';

testBus('a bus in one process', () => {
  const bus = new InProcessBus(nodeTimers);
  return Promise.resolve({ one: bus, other: bus, end: () => Promise.resolve() });
});

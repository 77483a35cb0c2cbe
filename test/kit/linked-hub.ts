import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Dispatch } from '../../src/contract/dispatch.ts';
import type { WireError } from '../../src/contract/errors.ts';
import type { Peer } from '../../src/core/peer.ts';
import { hubDefaults, startHub } from '../../src/hub/hub.ts';
import { nodeTimers } from '../../src/net/timers.ts';
import { WebSockets } from '../../src/net/websocket.ts';
import { Link } from '../../src/transports/hub-link/link.ts';
import { eventually } from './eventually.ts';
import { FakeTasks, linkOptions } from './link-harness.ts';

/** A hub of its own, to which `dispatch` is linked without a bound: what is called here goes the whole way. */
export async function linkToHub(dispatch: Dispatch): Promise<{ peer: Pick<Peer<WireError>, 'call'>; close: () => Promise<void> }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-linked-'));
  const hub = await startHub({ log: () => {}, version: '0.0.0-test' }, { ...hubDefaults, port: 0, folder });
  const signal = new AbortController().signal;
  const { output } = await hub.dispatch({
    name: 'agents.register',
    input: { agent: 'probe' },
    caller: hub.owner,
    transport: 'test',
    requestId: 'r',
    signal,
  });
  const sockets = new WebSockets();
  const tasks = new FakeTasks();
  tasks.free = 0;
  const link = new Link(
    {
      sockets,
      dispatch,
      tasks,
      timers: nodeTimers,
      now: Date.now,
      monotonic: () => performance.now(),
      random: Math.random,
      log: () => {},
    },
    { ...linkOptions, url: `${hub.url.replace('http', 'ws')}/ws`, token: (output as { token: string }).token, allow: 'admin' },
  );
  link.start();
  await eventually(() => link.status().state === 'online');
  return {
    peer: { call: (method, params, options = {}) => hub.call('probe', method, params, options) },
    close: async () => {
      await link.stop();
      await sockets.close(1000, '');
      await hub.stop();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

// For tests: a process table with twenty programs, in a process of its own that can be killed. Arguments: its folder, a script that is run to its end
// or nothing, and the launcher where that starts them.
import { LocalHost } from '../../src/services/processes/local-host.ts';
import { ProcessStore } from '../../src/services/processes/process-store.ts';
import { ProcessTable } from '../../src/services/processes/process-table.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import { eventually } from './eventually.ts';
import { openWorkspace } from './workspace-harness.ts';

const { state, workspace } = openWorkspace(process.argv[2] as string);
const table = new ProcessTable(
  {
    state,
    store: new ProcessStore({ state, onProblem: console.error }),
    workspace,
    hosts: new Map([['local', { host: new LocalHost(new Processes({ env: process.env, launcher: process.argv[4] })), root: undefined }]]),
    hooks: undefined,
    now: Date.now,
    log: () => {},
  },
  { hookMs: 60_000, maxRunning: 100, keepEnded: 100, output: { headBytes: 1000, tailBytes: 1000 } },
);
const ids: string[] = [];
for (let number = 0; number < 20; number++) {
  // Half of them leave their group.
  const script = `echo said before; ${number % 2 === 0 ? 'exec sleep 300' : "trap '' TERM HUP PIPE; setsid sleep 300 & wait"}`;
  const { process: started } = await table.start({
    argv: ['sh', '-c', script],
    path: '',
    env: {},
    checkpoint: false,
    startedBy: { name: 'Ada', kind: 'person' },
  });
  ids.push(started.id);
}
// What else is to be run, to its end.
const script = process.argv[3] ?? '';
if (script !== '') {
  const { process: once } = await table.start({
    argv: ['sh', '-c', script],
    path: '',
    env: {},
    checkpoint: false,
    startedBy: { name: 'Ada', kind: 'person' },
  });
  await table.process(once.id).ended;
}
await eventually(() => ids.every((id) => table.process(id).log.end.stdout === 'said before\n'.length));
console.log(JSON.stringify({ ids, pids: ids.map((id) => table.process(id).facts.pid) }));

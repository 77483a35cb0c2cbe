// For tests: a process table with twenty programs, in a process of its own that can be killed. Arguments: its folder, and as JSON a script that is run to
// its end, one that goes on when it has said something, and the launcher where that starts them.
import { LocalHost } from '../../src/services/processes/local-host.ts';
import { ProcessStore } from '../../src/services/processes/process-store.ts';
import { ProcessTable } from '../../src/services/processes/process-table.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import { eventually } from './eventually.ts';
import { openWorkspace } from './workspace-harness.ts';

const { run, leave, launcher } = JSON.parse(process.argv[3] ?? '{}') as { run?: string; leave?: string; launcher?: string };
const { state, workspace } = openWorkspace(process.argv[2] as string);
const table = new ProcessTable(
  {
    state,
    store: new ProcessStore({ state, onProblem: console.error }),
    workspace,
    hosts: new Map([['local', { host: new LocalHost(new Processes({ env: process.env, launcher })), root: undefined }]]),
    hooks: undefined,
    now: Date.now,
    log: () => {},
  },
  { hookMs: 60_000, maxRunning: 100, keepEnded: 100, output: { headBytes: 1000, tailBytes: 1000 } },
);
const start = (script: string): ReturnType<ProcessTable['start']> =>
  table.start({ argv: ['sh', '-c', script], path: '', env: {}, checkpoint: false, startedBy: { name: 'Ada', kind: 'person' } });
const ids: string[] = [];
for (let number = 0; number < 20; number++) {
  // Half of them leave their group.
  const script = `echo said before; ${number % 2 === 0 ? 'exec sleep 300' : "trap '' TERM HUP PIPE; setsid sleep 300 & wait"}`;
  const { process: started } = await start(script);
  ids.push(started.id);
}
if (run !== undefined) await table.process((await start(run)).process.id).ended;
if (leave !== undefined) {
  const { process: left } = await start(leave);
  await eventually(() => table.process(left.id).log.end.stdout > 0);
}
await eventually(() => ids.every((id) => table.process(id).log.end.stdout === 'said before\n'.length));
console.log(JSON.stringify({ ids, pids: ids.map((id) => table.process(id).facts.pid) }));

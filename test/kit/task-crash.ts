// For tests: one task from its assignment to its end, in a process of its own that is killed at its n-th step. The hub's truth is a file.
import fs from 'node:fs';
import path from 'node:path';
import { type HubFeature, hubFeatures } from '../../src/contract/hub.ts';
import { LocalHost } from '../../src/services/processes/local-host.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import { State } from '../../src/services/state/state.ts';
import { Tasks } from '../../src/services/tasks/tasks.ts';
import { type Frame, realTimers } from './task-harness.ts';

const [folder = '', dieAt = '0', kind = 'ours'] = process.argv.slice(2);
const features = new Set<HubFeature>(kind === 'ours' ? hubFeatures : []);

/** What the hub knows of the task. */
interface Truth {
  generation: number;
  accepted: number;
  refused: number;
  /** It was told that the agent holds it. */
  taken: boolean;
  /** It was told so, and then the agent did not hold it. */
  lost: number;
}
const truthFile = path.join(folder, 'hub.json');
const truth: Truth = fs.existsSync(truthFile)
  ? (JSON.parse(fs.readFileSync(truthFile, 'utf8')) as Truth)
  : { generation: 1, accepted: 0, refused: 0, taken: false, lost: 0 };
const remember = (): void => fs.writeFileSync(truthFile, JSON.stringify(truth));

let points = 0;
function point(): void {
  if (++points === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
}

const root = path.join(folder, 'root');
fs.mkdirSync(root, { recursive: true });
const state = new State({ root, folder: path.join(folder, 'state'), temporary: folder });
const processes = new Processes({ env: process.env });
const tasks = new Tasks(
  {
    state: {
      folder: state.folder,
      writeFile: (name, content) => {
        state.writeFile(name, content);
        point();
      },
      removeFile: (name) => {
        point();
        state.removeFile(name);
      },
      openDurable: (name) => {
        const database = state.openDurable(name);
        const exec = database.exec.bind(database);
        database.exec = (sql) => {
          if (sql === 'COMMIT') point();
          exec(sql);
          if (sql === 'COMMIT') point();
        };
        return database;
      },
    },
    host: new LocalHost(processes),
    processes,
    timers: realTimers,
    now: Date.now,
    monotonic: () => performance.now(),
    log: point,
  },
  {
    agentId: 'a',
    folder: root,
    resultsFolder: path.join(folder, 'results'),
    wake: [
      'sh',
      '-c',
      `echo $$ >> pids; touch "$OUTRIGGER_RESULTS/t.started"; sleep 0.03; echo '{"status":"success","output":"done"}' > "$OUTRIGGER_RESULT_FILE.new"; mv "$OUTRIGGER_RESULT_FILE.new" "$OUTRIGGER_RESULT_FILE"`,
    ],
  },
);

function send(frame: Frame): boolean {
  point();
  const named = { task_id: 't', generation: frame['generation'] as number };
  if (frame.type === 'task_accepted') {
    truth.taken = true;
    remember();
    if (kind === 'ours') queueMicrotask(() => tasks.receive({ type: 'task_ack', status: 'accepted', ...named }));
  }
  if (frame.type === 'task_complete') {
    const fresh = truth.accepted === 0;
    if (fresh && named.generation === truth.generation) truth.accepted++;
    else if (named.generation !== truth.generation) truth.refused++;
    remember();
    queueMicrotask(() => {
      if (named.generation === truth.generation) tasks.receive({ type: 'task_ack', status: 'complete', ...named });
      else
        tasks.receive({
          type: 'error',
          error: 'task_complete_failed: stale_generation',
          message_type: undefined,
          errors: undefined,
          retry_after_ms: undefined,
          ...named,
        });
    });
  }
  if (frame.type === 'task_recovering')
    queueMicrotask(() => tasks.receive({ type: 'task_continue', task_id: 't', generation: truth.generation }));
  point();
  return true;
}

await tasks.start();
point();
const isHeld = tasks.held().some(({ generation }) => generation === truth.generation);
tasks.connected({ features, send, ping: () => {} });
if (truth.accepted === 0 && !isHeld) {
  if (truth.taken) truth.lost++;
  // Nobody has it: it is granted, anew where it was before.
  if (fs.existsSync(truthFile)) truth.generation++;
  remember();
  tasks.receive({
    type: 'task_assign',
    description: 'd',
    generation: truth.generation,
    verification_steps: [{ type: 'command_succeeds', target: 'true', description: undefined }],
    ...({ task_id: 't' } as { task_id: string }),
  } as Parameters<Tasks['receive']>[0]);
}
const until = performance.now() + 15_000;
while ((truth.accepted === 0 || tasks.held().length > 0) && performance.now() < until)
  await new Promise((resolve) => setTimeout(resolve, 10));
await tasks.stop();
state.close();
process.stdout.write(JSON.stringify({ ...truth, points }));

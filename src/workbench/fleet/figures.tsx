import { shortAge } from '../words.ts';
import { isConnected } from './agent-words.ts';
import { useFleet } from './use-fleet.ts';

const HOUR_MS = 3_600_000;

/** Five numbers that say how the fleet is. */
export function Figures() {
  const fleet = useFleet();
  const agents = fleet.agents.value;
  const isKnown = agents !== undefined && fleet.tasks.value !== undefined;
  const { allTasks } = fleet;
  const { value: now } = fleet.now;
  let running = 0;
  let queued = 0;
  let oldest = now;
  let done = 0;
  let failed = 0;
  for (const { state, createdAt, updatedAt } of allTasks) {
    if (state === 'running' || state === 'offered') running += 1;
    else if (state === 'ready' || state === 'scheduled') {
      queued += 1;
      oldest = Math.min(oldest, createdAt);
    } else if (state === 'succeeded' && updatedAt > now - HOUR_MS) done += 1;
    else if (state === 'failed' || state === 'dead') failed += 1;
  }
  const connected = [...(agents?.values() ?? [])].filter(isConnected).length;
  const say = (value: number): string => (isKnown ? value.toLocaleString('en') : '–');
  return (
    <dl class="kpi" data-testid="figures">
      <div>
        <dt>agents connected</dt>
        <dd>
          {say(connected)} {isKnown && <span class="of faint">of {agents.size.toLocaleString('en')}</span>}
        </dd>
      </div>
      <div>
        <dt>{running === 1 ? 'task running' : 'tasks running'}</dt>
        <dd>{say(running)}</dd>
      </div>
      <div>
        <dt>{queued > 0 ? `queued, oldest ${shortAge(oldest, now)}` : 'queued'}</dt>
        <dd>{say(queued)}</dd>
      </div>
      <div>
        <dt>done in the last hour</dt>
        <dd>{say(done)}</dd>
      </div>
      <div>
        <dt>failed, to look at</dt>
        <dd class={failed > 0 ? 'warn' : undefined}>{say(failed)}</dd>
      </div>
    </dl>
  );
}

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useWorkbench } from '../use-workbench.ts';
import { clockTime, count, spentTime } from '../words.ts';
import { IsolationBadge } from './isolation-badge.tsx';
import { RunDisplays } from './run-displays.tsx';
import { RunFiles } from './run-files.tsx';
import { RunOutput } from './run-output.tsx';
import type { RunRecord } from './run-record.ts';
import { type EndWords, endWords, figures } from './run-words.ts';

const tickMs = 100;

/** One run: how it stands or ended, what it wrote, and what it made. */
export function RunResult({ record }: { record: RunRecord }) {
  const outcome = record.outcome.value;
  const notes = [...record.notes.value, ...(outcome?.notes ?? [])];
  const made = record.displays.value.length > 0 || (outcome?.files.length ?? 0) > 0;
  return (
    <div class="bot-pane">
      <Head record={record} />
      {notes.length > 0 && (
        <ul class="run-notes sm" aria-label="Notes">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      <Problem record={record} />
      <div class={`run-body${made ? ' made' : ''}`}>
        <RunOutput key={record.startedAt} record={record} />
        {made && (
          <section class="run-made scroll" aria-label="What it made" tabIndex={0}>
            <RunDisplays record={record} />
            {outcome !== undefined && <RunFiles outcome={outcome} />}
          </section>
        )}
      </div>
    </div>
  );
}

function Head({ record }: { record: RunRecord }) {
  const workbench = useWorkbench();
  const tick = useSignal(0);
  const over = record.phase.value === 'over';
  const stopping = record.stopping.value;
  useEffect(() => {
    if (over) return;
    const timer = setInterval(() => (tick.value += 1), tickMs);
    return () => clearInterval(timer);
  }, [over]);
  void tick.value;
  const outcome = record.outcome.value;
  const { tone, text } = stateOf(record);
  return (
    <div class="log-head run-head">
      <span role="status" class="row" data-testid="run-state">
        <span class={`stt ${tone}`}>
          <i />
          <b>{text}</b>
        </span>
      </span>
      <span class="faint sm num ell grow" data-testid="run-figures">
        {outcome === undefined
          ? over
            ? record.title
            : `${record.title} · ${stopping ? 'stopping' : spentTime(workbench.now() - record.startedAt)}`
          : [...figures(outcome), record.title].join(' · ')}
      </span>
      <EarlierRuns shown={record} />
      <IsolationBadge run={record.isolation.value} />
    </div>
  );
}

/** The way to what ran before. */
function EarlierRuns({ shown }: { shown: RunRecord }) {
  const { run } = useWorkbench();
  const { value: all } = run.all;
  if (all.length < 2) return null;
  return (
    <select
      class="inp runs"
      aria-label="Which run is shown"
      value={String(all.indexOf(shown))}
      onChange={({ currentTarget }) => (run.shown.value = all[Number(currentTarget.value)])}
    >
      {all.map((record, at) => (
        <option key={at} value={String(at)}>
          {clockTime(record.startedAt)} {record.title}: {stateOf(record).text}
        </option>
      ))}
    </select>
  );
}

function stateOf(record: RunRecord): EndWords {
  const { value: phase } = record.phase;
  const { value: ahead } = record.ahead;
  if (phase === 'asking') return { tone: 'running', text: 'Starting' };
  if (phase === 'queued') return { tone: 'waiting', text: ahead === 0 ? 'Next in the queue' : `Waiting: ${count(ahead, 'run')} before it` };
  if (phase === 'running') return { tone: 'running', text: record.stage.value === 'compile' ? 'Compiling' : 'Running' };
  const { value: outcome } = record.outcome;
  if (outcome !== undefined) return endWords(outcome, record.stopping.value);
  const { value: problem } = record.problem;
  if (problem?.reason === 'CONNECTION_LOST') return { tone: 'failed', text: 'The link was lost' };
  if (problem?.reason === 'CANCELED') return { tone: 'stopped', text: 'Stopped by you' };
  return { tone: 'failed', text: 'Not run' };
}

/** Why there is no outcome. */
function Problem({ record }: { record: RunRecord }) {
  const { value: problem } = record.problem;
  if (problem === undefined || problem.reason === 'CANCELED') return null;
  const lost = problem.reason === 'CONNECTION_LOST';
  return (
    <p class="run-problem sm" role="alert">
      {lost ? (
        'A run ends with its link: what it wrote until then is below. Run it again when the link is back.'
      ) : (
        <>
          {problem.message} {problem.hint !== undefined && <span class="dim">{problem.hint}</span>}
        </>
      )}
    </p>
  );
}

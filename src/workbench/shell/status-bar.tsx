import { fileKind } from '../documents/file-kinds.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Wake } from '../feed/wake.tsx';
import { isolationWords } from '../run/run-words.ts';
import type { IndexState } from '../search/index-watch.ts';
import { count } from '../words.ts';
import { Avatar } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { Revision } from './revision.tsx';

const eols = { lf: 'LF', crlf: 'CRLF', cr: 'CR' } as const;

export function StatusBar() {
  const workbench = useWorkbench();
  const { feed, facts, tabs, info, processes, drawn } = workbench;
  const { value: tab } = tabs.active;
  const session = tab?.kind === 'document' && !drawn.value.has(tab.path) ? workbench.documents.get(tab.path) : undefined;
  const editing = session?.state.value.name === 'open' && facts.value !== undefined;
  const { value: known } = facts;
  return (
    <footer class="status">
      {info.value !== undefined && (
        <>
          <button type="button" title="What was changed last: open Activity" onClick={() => workbench.openActivity()}>
            <Wake />
          </button>
          <Revision number={feed.revision.value} />
        </>
      )}
      {info.value !== undefined && processes.running.value > 0 && (
        <button type="button" title="What runs: open Processes" data-testid="running" onClick={() => workbench.bottom.showTable()}>
          <Icon name="run" small />
          {processes.running.value} running
        </button>
      )}
      <Uploading />
      <Problems />
      <Freshness />
      <Following />
      <span class="grow" />
      {editing && known !== undefined && tab?.kind === 'document' && (
        <span class="stf row" data-testid="position">
          <button type="button" class="num" title="Go to line" onClick={() => (workbench.overlay.value = { name: 'find', text: ':' })}>
            Ln {known.line}, Col {known.column}
            {known.selected > 0 && ` (${known.selected} selected)`}
          </button>
          <span>{known.indent}</span>
          <span>{eols[session.info.value?.eol ?? 'lf']}</span>
          <span>{session.info.value?.bom === true ? 'UTF-8 BOM' : 'UTF-8'}</span>
          <span>{fileKind(tab.path).language}</span>
        </span>
      )}
      <Isolation />
    </footer>
  );
}

/** Over a slow link it takes long until the end is told. */
function Uploading() {
  const { value: now } = useWorkbench().files.uploading;
  if (now === undefined) return null;
  return (
    <span class="num" data-testid="uploading">
      Uploading {now.over + 1} of {now.of}
    </span>
  );
}

function Problems() {
  const { info, problems, bottom } = useWorkbench();
  const errors = problems.errors.value;
  const warnings = problems.warnings.value;
  if (info.value === undefined || !bottom.fixed.value.includes('problems')) return null;
  return (
    <button
      type="button"
      class="num"
      title="What is wrong: open Problems"
      data-testid="problem-counts"
      onClick={() => bottom.show('problems')}
    >
      <span class={errors > 0 ? 'bad' : undefined}>
        <Icon name="err" small />
      </span>
      {errors}
      <span class="unseen">{errors === 1 ? ' error' : ' errors'}, </span>
      <span class={warnings > 0 ? 'warn' : undefined}>
        <Icon name="warn" small />
      </span>
      {warnings}
      <span class="unseen">{warnings === 1 ? ' warning' : ' warnings'}: open Problems</span>
    </button>
  );
}

/** What answers of search reflect. */
function Freshness() {
  const { index } = useWorkbench();
  const { value: state } = index.state;
  if (state === undefined) return null;
  const { text, title } = indexWords(state);
  return (
    <span class={`fresh num${state.name === 'failed' ? ' warn' : ' faint'}`} title={title} data-testid="index">
      {text}
    </span>
  );
}

function indexWords(state: IndexState): { text: string; title: string | undefined } {
  switch (state.name) {
    case 'fresh':
      return { text: `Search fresh at r${state.revision}`, title: `The index holds ${count(state.files, 'file')}` };
    case 'behind':
      return { text: `Search at r${state.revision}`, title: 'What was changed since is being read' };
    case 'building':
      return { text: 'Search reads the files', title: 'Answers come without the index, and slower, until it is there' };
    case 'failed':
      return { text: 'Search without an index', title: state.problem };
  }
}

/** What keeps runs apart, once it was asked. */
function Isolation() {
  const { run, canExecute, overlay } = useWorkbench();
  const isolation = run.isolation.value?.isolation;
  if (isolation === undefined || !canExecute.value) return null;
  const { text, warn } = isolationWords(isolation);
  return (
    <button
      type="button"
      class={warn ? 'warn' : undefined}
      aria-haspopup="dialog"
      title="What keeps a run apart: what was tried out"
      data-testid="status-isolation"
      onClick={() => (overlay.value = { name: 'isolation' })}
    >
      <Icon name={isolation.rung === 0 ? 'warn' : 'shield'} small />
      {text}, rung {isolation.rung}
    </button>
  );
}

/** Whom the page follows, and the way to end it. */
function Following() {
  const { follow, presence } = useWorkbench();
  const { value: who } = follow.who;
  if (who === undefined) return null;
  const isHere = presence.others.value.some(({ actor }) => actor.key === who.key);
  return (
    <button type="button" title="Stop following (Esc)" data-testid="following" onClick={() => follow.stop()}>
      <Avatar actor={who} small />
      Following {who.name}
      {!isHere && ', who is in no document now'}
    </button>
  );
}

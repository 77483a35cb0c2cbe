import { fileKind } from '../documents/file-kinds.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Wake } from '../feed/wake.tsx';
import { Avatar } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { Revision } from './revision.tsx';

const eols = { lf: 'LF', crlf: 'CRLF', cr: 'CR' } as const;

export function StatusBar() {
  const workbench = useWorkbench();
  const { feed, facts, tabs, info, processes } = workbench;
  const { value: tab } = tabs.active;
  const session = tab?.kind === 'document' ? workbench.documents.get(tab.path) : undefined;
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
    </footer>
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

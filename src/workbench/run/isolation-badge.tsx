import type { IsolationInfo } from '../../contract/code.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { isolationWords } from './run-words.ts';

/** How far a run was, or would be, kept apart; opens what was tried out. */
export function IsolationBadge({ run: ofRun }: { run: IsolationInfo | undefined }) {
  const { run, overlay } = useWorkbench();
  const isolation = ofRun ?? run.isolation.value?.isolation;
  if (isolation === undefined) return null;
  const { text, warn } = isolationWords(isolation);
  return (
    <button
      type="button"
      class={`chip iso${warn ? ' warn' : ' held'}`}
      aria-haspopup="dialog"
      title="What keeps a run apart: what was tried out"
      data-testid="isolation"
      onClick={() => (overlay.value = { name: 'isolation' })}
    >
      <Icon name={isolation.rung === 0 ? 'warn' : 'shield'} small />
      {text}
      <span class="hide-m">
        · {isolation.name === 'none' ? '' : `${isolation.name} · `}rung {isolation.rung}
      </span>
    </button>
  );
}

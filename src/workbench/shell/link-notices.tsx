import { useSignal } from '@preact/signals';
import { useWorkbench } from '../use-workbench.ts';
import { Icon } from './icon.tsx';

/** Word of the link, floating over the foot of the centre: nothing moves for it. */
export function LinkNotices() {
  const workbench = useWorkbench();
  const { notice } = workbench.link.words.value;
  const dismissed = useSignal(false);
  if (notice !== undefined) {
    return (
      <div class={`banner ${notice.tone === 'offline' ? 'bad' : ''}`} role="status" data-testid="link-notice">
        <Icon name={notice.tone === 'offline' ? 'off' : 'refresh'} />
        <span class="grow">
          <b>{notice.title}</b> {withCode(notice.text)}
        </span>
        {notice.actions.includes('try') && (
          <button type="button" class="btn sm" onClick={() => workbench.tryNow()}>
            Try now
          </button>
        )}
        {notice.actions.includes('copy') && (
          <button type="button" class="btn sm quiet" onClick={() => void workbench.copyUnsent()}>
            Copy my edits
          </button>
        )}
      </div>
    );
  }
  if (workbench.outdated.value) {
    return (
      <div class="banner info" role="status" data-testid="outdated-notice">
        <Icon name="refresh" />
        <span class="grow">
          <b>Outrigger was updated.</b> Views that were not opened yet need a reload of this page.
        </span>
        <button type="button" class="btn sm" onClick={() => location.reload()}>
          Reload
        </button>
        <Dismiss run={() => (workbench.outdated.value = false)} />
      </div>
    );
  }
  if (!workbench.readOnly.value || dismissed.value || workbench.layout.recall('read-only-seen') === 'yes') return null;
  const why = workbench.info.value?.readOnly;
  return (
    <div class="banner info" role="status" data-testid="read-only-notice">
      <Icon name="lock" />
      <span class="grow">
        <b>You can read, not write.</b> {why ?? 'This link was made with read access. Ask for one with write access to edit or run.'}
      </span>
      <Dismiss
        run={() => {
          dismissed.value = true;
          workbench.layout.remember('read-only-seen', 'yes');
        }}
      />
    </div>
  );
}

function Dismiss({ run }: { run: () => void }) {
  return (
    <button type="button" class="ib" aria-label="Dismiss" onClick={run}>
      <Icon name="x" />
    </button>
  );
}

/** `like this` in code. */
function withCode(text: string) {
  return text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}

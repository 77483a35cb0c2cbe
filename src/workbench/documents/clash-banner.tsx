import { useSignal } from '@preact/signals';
import { nameOf } from '../file-paths.ts';
import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { type Clash, clashWords } from './clash.ts';
import { saveOver, takeFromDisk } from './clash-actions.ts';
import type { DocumentSession } from './document-session.ts';

/** Why an open file is not saved where what is on disk is no text any more, and what can be done about it. */
export function ClashBanner({ session }: { session: DocumentSession }) {
  const { value: info } = session.info;
  // While the link is away nobody knows.
  if (session.state.value.name !== 'open' || !session.online.value || info?.state !== 'conflict') return null;
  return <Banner key={info.path} session={session} problem={info.problem ?? ''} />;
}

function Banner({ session, problem }: { session: DocumentSession; problem: string }) {
  const workbench = useWorkbench();
  const { value: path } = session.path;
  const entry = useSignal<Clash['entry']>(undefined);
  const known = useSignal(false);
  const load = async (signal: AbortSignal): Promise<void> => {
    try {
      const found = await workbench.client.call('files.stat', { path }, { signal });
      entry.value = found.entry;
    } finally {
      if (!signal.aborted) known.value = true;
    }
  };
  useLoaded(load, { change: (change) => change.path === path }, [path, problem]);
  if (!known.value) return null;
  const clash: Clash = { path, problem, entry: entry.value, maxBytes: workbench.info.value?.limits['documents.maxBytes'] };
  const { readOnly } = session;
  const isFile = entry.value?.kind === 'file';
  return (
    <div class="clash" data-testid="clash" role="region" aria-label="Not saved">
      <Icon name="warn" />
      <p role="status">
        <b>{clashWords(clash)}</b>{' '}
        {readOnly.value
          ? 'This is its text of before.'
          : 'This text is kept and not saved. It is joined with the file when that is text again.'}
      </p>
      <span class="btns">
        {!readOnly.value && (
          <button type="button" class="btn sm" onClick={() => void saveOver(workbench, session)}>
            Save this text over it
          </button>
        )}
        {!readOnly.value && (
          <button type="button" class="btn sm" onClick={() => void takeFromDisk(workbench, session, clash)}>
            Take what is on disk
          </button>
        )}
        {isFile && (
          <a class="btn sm quiet" href={workbench.fileUrl(path)} download={nameOf(path)}>
            <Icon name="dl" />
            Download it
          </a>
        )}
        <button
          type="button"
          class="btn sm quiet"
          onClick={() => void copyText(workbench.toasts, session.text.toString(), 'Copied your text')}
        >
          <Icon name="copy" />
          Copy this text
        </button>
      </span>
    </div>
  );
}

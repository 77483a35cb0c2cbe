import { useSignal } from '@preact/signals';
import type { Entry } from '../../contract/files.ts';
import { nameOf } from '../file-paths.ts';
import { Icon } from '../shell/icon.tsx';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { type Clash, clashWords } from './clash.ts';
import { saveOver, takeFromDisk } from './clash-actions.ts';
import type { DocumentSession } from './document-session.ts';
import { NotSaved } from './not-saved.tsx';

/** Why an open file is not saved where what is on disk is no text any more, and what can be done about it. */
export function ClashBanner({ session }: { session: DocumentSession }) {
  const { value: info } = session.info;
  // While the link is away nobody knows.
  if (session.state.value.name !== 'open' || !session.online.value || info?.state !== 'conflict') return null;
  return <Clashed key={info.path} session={session} problem={info.problem ?? ''} />;
}

function Clashed({ session, problem }: { session: DocumentSession; problem: string }) {
  const workbench = useWorkbench();
  const { value: path } = session.path;
  const entry = useSignal<Entry | undefined>(undefined);
  const known = useSignal(false);
  /** How often it was looked at since what was seen was acted on: nobody hears of changes of an ignored file. */
  const looks = useSignal(0);
  const load = async (signal: AbortSignal): Promise<void> => {
    try {
      const found = await workbench.client.call('files.stat', { path }, { signal });
      entry.value = found.entry;
    } finally {
      if (!signal.aborted) known.value = true;
    }
  };
  useLoaded(load, { change: (change) => change.path === path }, [path, problem, looks.value]);
  if (!known.value) return null;
  const clash: Clash = { path, problem, entry: entry.value, maxBytes: workbench.info.value?.limits['documents.maxBytes'] };
  const { readOnly } = session;
  const isFile = entry.value?.kind === 'file';
  const save = async (): Promise<void> => {
    await saveOver(workbench, session, entry.value);
    looks.value += 1;
  };
  return (
    <NotSaved
      session={session}
      testId="clash"
      what={clashWords(clash)}
      then={
        readOnly.value
          ? 'This is its text of before.'
          : 'This text is kept and not saved. It is joined with the file when that is text again.'
      }
    >
      {!readOnly.value && (
        <button type="button" class="btn sm" onClick={() => void save()}>
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
    </NotSaved>
  );
}

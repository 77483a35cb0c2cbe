import { nameOf } from '../file-paths.ts';
import { useWorkbench } from '../use-workbench.ts';
import type { DocumentSession } from './document-session.ts';
import { NotSaved } from './not-saved.tsx';

/** Why an open file could not be written, and what can be done about it. */
export function FailedBanner({ session }: { session: DocumentSession }) {
  const workbench = useWorkbench();
  const { value: info } = session.info;
  // While the link is away nobody knows.
  if (session.state.value.name !== 'open' || !session.online.value || info?.state !== 'failed') return null;
  const readOnly = session.readOnly.value;
  return (
    <NotSaved
      session={session}
      testId="failed"
      what={info.problem ?? `${nameOf(info.path)} could not be written.`}
      then={
        readOnly
          ? 'This text is not in the file yet.'
          : 'This text is kept and not saved. It is tried again by itself, and saved when what is in the way is gone.'
      }
    >
      {!readOnly && (
        <button type="button" class="btn sm" onClick={() => void workbench.save()}>
          Try now
        </button>
      )}
    </NotSaved>
  );
}

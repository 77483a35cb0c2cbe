import { useWorkbench } from '../use-workbench.ts';

/** A revision, always written `r1284`, always a way to that point of Activity. */
export function Revision({ number, text }: { number: number; text?: string }) {
  const workbench = useWorkbench();
  if (number <= 0) return <span class="rev">r0</span>;
  return (
    <button type="button" class="rev" title={`See ${text ?? `r${number}`} in Activity`} onClick={() => workbench.goToRevision(number)}>
      {text ?? `r${number}`}
    </button>
  );
}

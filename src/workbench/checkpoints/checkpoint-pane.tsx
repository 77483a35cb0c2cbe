import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { type PatchFile, patchFiles } from '../changes/patch-lines.ts';
import { PatchList } from '../changes/patch-list.tsx';
import { errorFacts } from '../client-port.ts';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';

const mostLines = 3_000;
type Files = Output<Operations['checkpoints.diff']>['files'];

/** What led to a checkpoint, or what changed since it. */
export function CheckpointPane({ checkpoint, title }: { checkpoint: number; title: string }) {
  const workbench = useWorkbench();
  const { checkpoints, checkpointActions, readOnly } = workbench;
  const found = useSignal<{ files: Files; fileCount: number; patch: PatchFile[]; cut: boolean } | undefined>(undefined);
  const row = checkpoints.rows.value.find((one) =>
    one.kind === 'made' ? one.id === checkpoint : one.after === checkpoint || one.before === checkpoint,
  );
  const chosen = useSignal<'previous' | 'now' | undefined>(undefined);
  // Of the one before a run, what was done since: the one before that says nothing of it, also where the run has ended by now.
  const against = chosen.value ?? (row?.kind === 'run' && row.after !== checkpoint ? 'now' : 'previous');
  const noneBefore = checkpoints.first.value === checkpoint;
  const isRun = row?.kind === 'run' && row.after === checkpoint;
  useEffect(() => checkpoints.want(), [checkpoints]);
  const load = async (signal: AbortSignal): Promise<void> => {
    const { files, fileCount, patch, truncated } = await workbench.client.call('checkpoints.diff', { id: checkpoint, against }, { signal });
    const { files: read, cut } = patchFiles(
      patch,
      files.map(({ path }) => path),
      mostLines,
    );
    if (!signal.aborted) found.value = { files, fileCount, patch: read, cut: cut || truncated };
  };
  const problem = useLoaded(load, { change: () => against === 'now', afterMs: 500 }, [checkpoint, against]);
  const { value: shown } = found;
  return (
    <div class="pane" data-testid="checkpoint-view">
      <div class="dfh">
        <h2 class="ell" dir="auto">
          {title}
        </h2>
        {shown !== undefined && <span class="chip hide-m num">{count(shown.fileCount, 'file')}</span>}
        <span class="grow" />
        <div class="seg" role="group" aria-label="What is compared">
          <button type="button" aria-pressed={against === 'previous'} onClick={() => (chosen.value = 'previous')}>
            {isRun ? 'During the run' : 'Until then'}
          </button>
          <button type="button" aria-pressed={against === 'now'} onClick={() => (chosen.value = 'now')}>
            Since then
          </button>
        </div>
        {!readOnly.value && (
          <button type="button" class="btn sm" onClick={() => void checkpointActions.restore(checkpoint, title)}>
            Restore
          </button>
        )}
      </div>
      <div class="scroll commit-view" tabIndex={0} data-focus role="region" aria-label={title}>
        {problem.value !== undefined && <p class="hint">{errorFacts(problem.value).message}</p>}
        {shown !== undefined && shown.fileCount === 0 && (
          <p class="hint">
            {against === 'now'
              ? 'Nothing has changed since.'
              : noneBefore
                ? 'There is no checkpoint before this one.'
                : 'Nothing differs from the checkpoint before.'}
          </p>
        )}
        {isRun && against === 'previous' && shown !== undefined && shown.fileCount > 0 && (
          <p class="hint">What others typed while it ran is in here too. A revert of the run leaves that alone.</p>
        )}
        {shown !== undefined && (
          <PatchList
            files={shown.patch}
            compare={against === 'now' ? (path) => workbench.openDiff(path, undefined, `checkpoint:${checkpoint}`) : undefined}
          />
        )}
        {shown?.cut === true && <p class="hint">There is more than is shown here.</p>}
      </div>
    </div>
  );
}

import { Dialog } from '../shell/dialog.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import type { Clash, ClashHunk } from './clash.ts';

/** A revert met lines that others changed after the run: each place with both, and what may become of them. Nothing was changed yet. */
export function ClashDialog({ clash }: { clash: Clash }) {
  const { checkpointActions, overlay } = useWorkbench();
  const { run, title, hunks, total, files, digest } = clash;
  const go = (shared: 'keep' | 'remove') => (): void => {
    overlay.value = undefined;
    void checkpointActions.revert(run, title, shared, digest);
  };
  const label = `Not reverted: ${title}`;
  return (
    <Dialog label={label} class="pop clash">
      <div class="rh">
        <h2 class="ell">{label}</h2>
        <button type="button" class="ib" aria-label="Close (Esc)" onClick={() => (overlay.value = undefined)}>
          <Icon name="x" />
        </button>
      </div>
      <p class="hint">
        Nothing was written. {count(total, 'place was', 'places were')} changed by the run and edited since, in {count(files, 'file')}.
        {total > hunks.length && ` The first ${hunks.length} are shown.`} Everything else can go back without a question.
      </p>
      <div class="scroll clashes">
        {hunks.map((hunk, index) => (
          <ClashPlace key={index} hunk={hunk} />
        ))}
      </div>
      <div class="ft clash-acts">
        <button type="button" class="btn pri" data-first onClick={go('keep')}>
          Keep newer edits
        </button>
        <button type="button" class="btn lose" onClick={go('remove')}>
          Remove run’s lines
        </button>
        <span class="grow" />
        <button type="button" class="btn" onClick={() => (overlay.value = undefined)}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}

function ClashPlace({ hunk }: { hunk: ClashHunk }) {
  const { path, line, kind, run, now } = hunk;
  return (
    <section class="place" data-testid="clash" aria-label={line === undefined ? path : `${path}, line ${line}`}>
      <h3 class="row place-h">
        <span class="path ell">{path}</span>
        {line !== undefined && <span class="faint sm num">line {line}</span>}
      </h3>
      {kind === 'file' && run === null && now === null ? (
        <p class="hint">All of the file was changed by both, and it can’t be shown as text.</p>
      ) : (
        <div class="two">
          {[
            { name: 'The run', side: 'theirs', text: run },
            { name: 'Now', side: 'ours', text: now },
          ].map(({ name, side, text }) => (
            <div key={name} class={`side-${side}`}>
              <h4>{name}</h4>
              <pre tabIndex={0} aria-label={`${name}, ${path}`}>
                {text === null ? <i class="faint">Not there</i> : text === '' ? <i class="faint">No lines here</i> : text}
              </pre>
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

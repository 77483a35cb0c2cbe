import { Dialog } from '../shell/dialog.tsx';
import { shownName, shownText } from '../shown-name.ts';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import type { Clash, ClashHunk } from './clash.ts';

/** What is to be taken back met lines that were changed again since: each place with both, and what may become of them. Nothing was changed yet. */
export function ClashDialog({ clash }: { clash: Clash }) {
  const { overlay } = useWorkbench();
  const { label, of, hunks, total, files } = clash;
  const go = (shared: 'keep' | 'remove') => (): void => {
    overlay.value = undefined;
    clash.go(shared);
  };
  return (
    <Dialog label={label} class="pop clash" titled>
      <p class="hint">
        Nothing was written. {count(total, 'place was', 'places were')} changed by the {of} and edited since, in {count(files, 'file')}.
        {total > hunks.length && ` The first ${hunks.length} are shown.`} Everything else can go back without a question.
      </p>
      <div class="scroll clashes">
        {hunks.map((hunk, index) => (
          <ClashPlace key={index} hunk={hunk} of={of} />
        ))}
      </div>
      <div class="ft clash-acts">
        <button type="button" class="btn pri" data-first onClick={go('keep')}>
          Keep newer edits
        </button>
        <button type="button" class="btn lose" onClick={go('remove')}>
          Remove {of}’s lines
        </button>
        <span class="grow" />
        <button type="button" class="btn" onClick={() => (overlay.value = undefined)}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}

function ClashPlace({ hunk, of }: { hunk: ClashHunk; of: Clash['of'] }) {
  const { path, line, kind, run, now } = hunk;
  return (
    <section class="place" data-testid="clash" aria-label={line === undefined ? path : `${path}, line ${line}`}>
      <h3 class="row place-h">
        <span class="path ell">{shownName(path)}</span>
        {line !== undefined && <span class="faint sm num">line {line}</span>}
      </h3>
      {kind === 'file' && run === null && now === null ? (
        <p class="hint">All of the file was changed by both, and it can’t be shown as text.</p>
      ) : (
        <div class="two">
          {[
            { name: `The ${of}`, side: 'theirs', text: run },
            { name: 'Now', side: 'ours', text: now },
          ].map(({ name, side, text }) => (
            <div key={name} class={`side-${side}`}>
              <h4>{name}</h4>
              <pre tabIndex={0} aria-label={`${name}, ${path}`}>
                {text === null ? <i class="faint">Not there</i> : text === '' ? <i class="faint">No lines here</i> : shownText(text)}
              </pre>
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

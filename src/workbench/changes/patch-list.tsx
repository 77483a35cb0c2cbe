import { shownText, shownName } from '../shown-name.ts';
import { useWorkbench } from '../use-workbench.ts';
import type { PatchFile } from './patch-lines.ts';

/** The files of a patch with their lines; `compare` shows one as a whole. */
export function PatchList({ files, compare }: { files: readonly PatchFile[]; compare?: ((path: string) => void) | undefined }) {
  const workbench = useWorkbench();
  return (
    <>
      {files.map(({ title, lines }, place) => (
        <section key={place} class="patch">
          <h3 class="row">
            <button type="button" class="path ell" onClick={() => workbench.openFile(title)}>
              {shownName(title)}
            </button>
            <span class="grow" />
            {compare !== undefined && (
              <button type="button" class="btn sm quiet" aria-label={`Compare ${title}`} onClick={() => compare(title)}>
                Compare
              </button>
            )}
          </h3>
          {lines.length === 0 ? (
            <p class="hint">No lines to show: it is empty or binary, or only its name or mode changed.</p>
          ) : (
            <pre tabIndex={0} aria-label={title}>
              {lines.map(({ kind, text }, index) => (
                <div key={index} class={`dl ${kind}`}>
                  {text === '' ? ' ' : shownText(text)}
                </div>
              ))}
            </pre>
          )}
        </section>
      ))}
    </>
  );
}

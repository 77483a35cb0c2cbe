import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { actorNamed } from '../actor.ts';
import { errorFacts } from '../client-port.ts';
import { Avatar } from '../shell/avatar.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { longTime } from '../words.ts';
import { type PatchFile, patchFiles } from './patch-lines.ts';

const mostLines = 3_000;
/** What a first commit is compared with: git's name of the empty tree. */
const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** One commit: who, when, why, and what it changed. */
export function CommitPane({ hash, subject }: { hash: string; subject: string }) {
  const workbench = useWorkbench();
  const commit = workbench.git.log.value.find((one) => one.hash === hash);
  const patch = useSignal<{ files: PatchFile[]; cut: boolean } | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const parent = commit === undefined ? `${hash}^` : (commit.parents[0] ?? emptyTree);
  useEffect(() => {
    const canceled = new AbortController();
    workbench.client
      .call('git.diff', { from: parent, to: hash }, { signal: canceled.signal })
      .then(({ diff, truncated }) => {
        const found = patchFiles(diff, mostLines);
        patch.value = { files: found.files, cut: found.cut || truncated };
      })
      .catch((error: unknown) => {
        if (!canceled.signal.aborted) problem.value = errorFacts(error).message;
      });
    return () => canceled.abort();
  }, [hash, parent]);
  return (
    <div class="pane">
      <div class="dfh">
        <h2 class="ell" dir="auto">
          {subject}
        </h2>
        <span class="grow" />
        <span class="rev">{hash.slice(0, 7)}</span>
      </div>
      <div class="scroll commit-view" tabIndex={0} data-focus>
        {commit !== undefined && (
          <div class="about">
            <div class="row">
              <Avatar actor={actorNamed(commit.author.name, 'person')} />
              <b>{commit.author.name}</b>
              <span class="faint sm">{longTime(commit.at, workbench.now())}</span>
            </div>
            {commit.body.trim() !== '' && <p class="body">{commit.body.trim()}</p>}
          </div>
        )}
        {problem.value !== undefined && <p class="hint">{problem.value}</p>}
        {patch.value?.files.map(({ title, lines }) => (
          <section key={title} class="patch">
            <h3>
              <button type="button" class="path" onClick={() => workbench.openFile(title)}>
                {title}
              </button>
            </h3>
            {lines.length === 0 ? (
              <p class="hint">No lines to show: it is binary, or only its name or mode changed.</p>
            ) : (
              <pre>
                {lines.map(({ kind, text }, index) => (
                  <div key={index} class={`dl ${kind}`}>
                    {text === '' ? ' ' : text}
                  </div>
                ))}
              </pre>
            )}
          </section>
        ))}
        {patch.value?.cut === true && <p class="hint">There is more than is shown here.</p>}
      </div>
    </div>
  );
}

import { useSignal } from '@preact/signals';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { actorNamed } from '../actor.ts';
import { errorFacts } from '../client-port.ts';
import { Avatar } from '../shell/avatar.tsx';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { count, longTime } from '../words.ts';
import { Menu } from './menu.tsx';
import { type PatchFile, patchFileOf } from './patch-lines.ts';
import { PatchList } from './patch-list.tsx';

const mostLines = 3_000;

type CommitInfo = Output<Operations['git.commitInfo']>;

/** One commit: who, when, why, and what it changed. */
export function CommitPane({ hash, subject }: { hash: string; subject: string }) {
  const workbench = useWorkbench();
  const { branches, readOnly } = workbench;
  const info = useSignal<CommitInfo | undefined>(undefined);
  const patch = useSignal<{ files: PatchFile[]; cut: boolean } | undefined>(undefined);
  const load = async (signal: AbortSignal): Promise<void> => {
    const [about, { files: changed, truncated }] = await Promise.all([
      workbench.client.call('git.commitInfo', { revision: hash }, { signal }),
      workbench.client.call('git.hunks', { commit: hash, maxLines: mostLines }, { signal }),
    ]);
    info.value = about;
    patch.value = { files: changed.map(patchFileOf), cut: truncated };
  };
  const problem = useLoaded(load, {}, [hash]);
  const { commit, files = [] } = info.value ?? {};
  const added = files.reduce((sum, file) => sum + (file.added ?? 0), 0);
  const removed = files.reduce((sum, file) => sum + (file.removed ?? 0), 0);
  return (
    <div class="pane" data-testid="commit-view">
      <div class="dfh">
        <h2 class="ell" dir="auto">
          {subject}
        </h2>
        {commit !== undefined && (
          <span class="sm num">
            <span class="pl">+{added}</span> <span class="mi">−{removed}</span>
          </span>
        )}
        <span class="grow" />
        <span class="rev">{hash.slice(0, 7)}</span>
        {!readOnly.value && (
          <Menu
            label="With this commit"
            icon="more"
            items={[
              { label: 'New branch here…', icon: 'branch', run: () => branches.create(hash.slice(0, 12)) },
              { label: 'Tag it…', icon: 'edit', run: () => branches.tag(hash) },
              { label: 'Take it back with a new commit', icon: 'undo', run: () => void branches.revertCommit(hash) },
              { label: 'Make its change here too', icon: 'plus', run: () => void branches.cherryPick(hash) },
            ]}
          />
        )}
      </div>
      <div class="scroll commit-view" tabIndex={0} data-focus aria-label={`Commit ${hash.slice(0, 7)}`} role="region">
        {commit !== undefined && (
          <div class="about">
            <div class="row">
              <Avatar actor={actorNamed(commit.author.name, 'person')} />
              <b>{commit.author.name}</b>
              <span class="faint sm">{longTime(commit.at, workbench.now())}</span>
              <span class="faint sm">{count(files.length, 'file')}</span>
            </div>
            {commit.body.trim() !== '' && <p class="body">{commit.body.trim()}</p>}
          </div>
        )}
        {problem.value !== undefined && <p class="hint">{errorFacts(problem.value).message}</p>}
        {patch.value !== undefined && (
          <PatchList
            files={patch.value.files}
            compare={(path) => workbench.openDiff(path, files.find((file) => file.path === path)?.from, `commit:${hash}`)}
          />
        )}
        {patch.value?.files.length === 0 && <p class="hint">It changed no file.</p>}
        {patch.value?.cut === true && <p class="hint">There is more than is shown here.</p>}
      </div>
    </div>
  );
}

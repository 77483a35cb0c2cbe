import { useEffect } from 'preact/hooks';
import { CheckpointsSection } from '../checkpoints/checkpoints-section.tsx';
import { Icon } from '../shell/icon.tsx';
import { useKeptFocus } from '../use-kept-focus.ts';
import { useRowFocus } from '../use-row-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import { count } from '../words.ts';
import { ChangeList } from './change-list.tsx';
import { CommitForm } from './commit-form.tsx';
import { HistorySection } from './history-section.tsx';
import { Menu, type MenuItem } from './menu.tsx';
import { RemoteProgress } from './remote-progress.tsx';
import { UnderWay } from './under-way.tsx';

export function ChangesPanel() {
  const workbench = useWorkbench();
  const { git, checkpoints } = workbench;
  useEffect(() => {
    git.wantDetails();
    checkpoints.want();
  }, [git, checkpoints]);
  const { value: status } = git.status;
  const list = useRowFocus([git.sections.value, git.log.value, checkpoints.rows.value]);
  const kept = useKeptFocus(workbench.gitActions.busy.value, [status]);
  const isRepository = status?.repository === true;
  const hasGit = workbench.has('git');
  return (
    <div class="pane" role="tabpanel" aria-labelledby="rail-changes" {...kept}>
      <div class="sp-h">
        <h2>Source control</h2>
        <button
          type="button"
          class="ib"
          aria-label={hasGit ? 'Ask git again' : 'Ask again'}
          title={hasGit ? 'Ask git again' : 'Ask again'}
          data-focus={workbench.readOnly.value || workbench.isLimited.value || status === undefined ? true : undefined}
          onClick={() => void (hasGit ? git : checkpoints).refresh()}
        >
          <Icon name="refresh" />
        </button>
        {isRepository && <Menu label="More of source control" icon="more" items={menuItems(workbench)} />}
      </div>
      <div class="scroll scm" {...list}>
        {hasGit && git.problem.value !== undefined && (
          <p class="hint" data-testid="no-git">
            {git.problem.value}
          </p>
        )}
        {!hasGit || git.missing.value ? null : status === undefined ? (
          git.problem.value === undefined && <p class="hint">Asking git…</p>
        ) : isRepository ? (
          <Repository />
        ) : (
          <NoRepository />
        )}
        <CheckpointsSection />
        {isRepository && <HistorySection />}
      </div>
    </div>
  );
}

function NoRepository() {
  const { gitActions, readOnly } = useWorkbench();
  return (
    <div class="none" data-testid="no-repository">
      <p class="hint">No repository here. Start one to keep commits; checkpoints work without.</p>
      {!readOnly.value && (
        <button type="button" class="btn" data-focus disabled={gitActions.busy.value} onClick={() => void gitActions.init()}>
          Start one
        </button>
      )}
    </div>
  );
}

function Repository() {
  const workbench = useWorkbench();
  const { git, readOnly, isLimited, draft } = workbench;
  const { conflicts, staged, changes } = git.sections.value;
  const { value: status } = git.status;
  const stopped = status?.doing !== undefined && status.doing !== 'bisect';
  const { value: byFolder } = draft.byFolder;
  return (
    <>
      <RemoteProgress />
      <UnderWay />
      {!readOnly.value && !isLimited.value && !stopped && <CommitForm />}
      {conflicts.length > 0 && <ChangeList name="conflicts" byFolder={byFolder} />}
      {staged.length > 0 && <ChangeList name="staged" byFolder={byFolder} />}
      {changes.length > 0 && <ChangeList name="changes" byFolder={byFolder} />}
      {conflicts.length + staged.length + changes.length === 0 && (
        <p class="hint" data-testid="clean">
          {status?.head === null ? 'Nothing to commit yet: the folder is empty.' : 'Everything is committed.'}
        </p>
      )}
      {status?.truncated === true && <p class="hint">There are more changes than are listed here.</p>}
    </>
  );
}

function menuItems(workbench: Workbench): MenuItem[] {
  const { git, draft, branches, remotes, readOnly, canExecute, checkpointActions, overlay } = workbench;
  const { value: status } = git.status;
  const folders: MenuItem = {
    label: 'List by folder',
    icon: 'folder',
    checked: draft.byFolder.value,
    run: () => draft.setByFolder(!draft.byFolder.value),
  };
  const showBranches: MenuItem = {
    label: 'Branches…',
    icon: 'branch',
    run: () => (overlay.value = { name: 'git', dialog: { kind: 'branches' } }),
  };
  if (readOnly.value) return [showBranches, folders];
  const stashes = status?.stashes ?? 0;
  return [
    showBranches,
    ...(canExecute.value
      ? [
          { label: 'Fetch', icon: 'refresh', run: () => void remotes.run('fetch') },
          { label: 'Pull', icon: 'dl', run: () => void remotes.run('pull') },
          { label: 'Push', icon: 'up', run: () => void remotes.run('push') },
        ]
      : []),
    { label: 'Put changes aside…', icon: 'down', run: () => branches.askToStash() },
    ...(stashes > 0
      ? [
          {
            label: `Put aside: ${count(stashes, 'set')}…`,
            icon: 'files',
            run: () => (overlay.value = { name: 'git', dialog: { kind: 'stashes' } }),
          },
        ]
      : []),
    ...(status?.head === null
      ? []
      : [
          { label: 'Amend the last commit', icon: 'edit', checked: draft.amend.value, run: () => (draft.amend.value = !draft.amend.value) },
        ]),
    { label: 'Keep a checkpoint now…', icon: 'clock', run: () => checkpointActions.askToKeep() },
    folders,
  ];
}

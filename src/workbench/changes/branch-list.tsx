import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { errorFacts } from '../client-port.ts';
import { Dialog } from '../shell/dialog.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count, shortAge } from '../words.ts';
import type { Branch } from './branch-actions.ts';
import { type BranchChoice, branchChoices, localName, sayApart } from './branch-choices.ts';
import { isForInputMethod } from '../shell/keys.ts';

const most = 200;

/** All branches: one field finds or names one, Enter switches, other keys and buttons do the rest. */
export function BranchList() {
  const workbench = useWorkbench();
  const { git, branches, remotes, readOnly, canExecute, overlay } = workbench;
  const found = useSignal<readonly Branch[] | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const text = useSignal('');
  const at = useSignal(0);
  const list = useRef<HTMLDivElement>(null);
  /** Enter was pressed before there was anything to choose. */
  const awaited = useRef(false);
  const { value: status } = git.status;
  const canWrite = !readOnly.value;
  useEffect(() => {
    const canceled = new AbortController();
    workbench.client.call('git.branches', {}, { signal: canceled.signal }).then(
      (answer) => (found.value = answer.branches),
      (error: unknown) => {
        if (!canceled.signal.aborted) problem.value = errorFacts(error).message;
      },
    );
    return () => canceled.abort();
  }, [status]);
  // Before the branches are known nobody knows which name is a new one.
  const isComing = found.value === undefined && problem.value === undefined;
  const choices = isComing ? [] : branchChoices(found.value ?? [], text.value, canWrite).slice(0, most);
  const chosen = Math.min(at.value, Math.max(choices.length - 1, 0));
  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const close = (): void => {
    overlay.value = undefined;
  };

  const take = (choice: BranchChoice | undefined): void => {
    if (choice === undefined || !canWrite) return;
    close();
    if (choice.kind === 'create') void branches.checkout(choice.name, { create: true });
    else if (!choice.branch.current) void branches.checkout(localName(choice.branch));
  };
  useEffect(() => {
    if (!awaited.current || isComing) return;
    awaited.current = false;
    take(choices[0]);
  }, [isComing]);
  const choice = choices[chosen];
  const branch = choice?.kind === 'branch' ? choice.branch : undefined;
  const actions = branch === undefined || !canWrite ? [] : actionsOf(branch, status?.branch ?? null, { branches, close });
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isForInputMethod(event)) return;
    const field = event.currentTarget as HTMLInputElement;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const action = actions.find(({ key }) => key === event.key);
    // Del is the field's own while something stands behind the caret.
    const isField = event.key === 'Delete' && field.selectionStart !== field.value.length;
    if (step !== 0 && choices.length > 0) at.value = (chosen + step + choices.length) % choices.length;
    else if (event.key === 'Enter' && isComing) awaited.current = true;
    else if (event.key === 'Enter') take(choices[chosen]);
    else if (action !== undefined && !isField) action.run();
    else return;
    event.preventDefault();
  };
  const jobs = [
    { action: 'fetch' as const, label: 'Fetch', icon: 'refresh' },
    { action: 'pull' as const, label: sayMany('Pull', status?.behind), icon: 'dl' },
    { action: 'push' as const, label: sayMany('Push', status?.ahead), icon: 'up' },
  ];
  return (
    <Dialog label="Branches" class="pop branches">
      <div class="q">
        <Icon name="branch" />
        <input
          data-first
          role="combobox"
          aria-label={canWrite ? 'Find or name a branch' : 'Find a branch'}
          aria-expanded="true"
          aria-controls="branches-found"
          aria-autocomplete="list"
          aria-activedescendant={choices.length === 0 ? undefined : `branch-${chosen}`}
          placeholder={canWrite ? 'Find a branch, or name a new one' : 'Find a branch'}
          autocomplete="off"
          spellcheck={false}
          maxLength={250}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            at.value = 0;
            awaited.current = false;
          }}
          onKeyDown={onKeyDown}
        />
        {found.value !== undefined && <span class="xs faint num">{count(found.value.length, 'branch', 'branches')}</span>}
      </div>
      <div class="lst" role="listbox" aria-label="Branches" id="branches-found" ref={list} hidden={choices.length === 0}>
        {choices.map((one, index) => (
          <div
            key={one.kind === 'create' ? '+' : one.branch.name}
            id={`branch-${index}`}
            class={`opt${index === chosen ? ' on' : ''}`}
            role="option"
            aria-selected={index === chosen}
            data-testid="branch-row"
            onMouseMove={() => (at.value = index)}
            onClick={() => take(one)}
          >
            {one.kind === 'create' ? (
              <>
                <Icon name="plus" />
                <span class="ell grow">
                  Create <b dir="auto">{one.name}</b> from {status?.branch ?? status?.head?.slice(0, 7) ?? 'here'}
                </span>
              </>
            ) : (
              <BranchRow branch={one.branch} now={workbench.now()} />
            )}
          </div>
        ))}
      </div>
      {choices.length === 0 && (
        <p class="hint" role="status">
          {problem.value ??
            (isComing ? 'Asking git…' : status?.head === null ? 'No branch yet: the first commit makes it.' : 'No branch is called so.')}
        </p>
      )}
      <div class="ft branch-acts">
        {canWrite && canExecute.value && (
          <>
            {jobs.map(({ action, label, icon }) => (
              <button
                key={action}
                type="button"
                class="btn sm"
                disabled={remotes.job.value !== undefined}
                onClick={() => {
                  close();
                  workbench.layout.show('changes');
                  void remotes.run(action);
                }}
              >
                <Icon name={icon} small />
                {label}
              </button>
            ))}
          </>
        )}
        <span class="grow" />
        {actions.map(({ label, icon, say, run }) => (
          <button
            key={label}
            type="button"
            class="btn sm quiet"
            aria-label={`${label} ${branch?.name ?? ''}`}
            title={`${label} (${say})`}
            onClick={run}
          >
            <Icon name={icon} small />
            {label}
          </button>
        ))}
      </div>
    </Dialog>
  );
}

function BranchRow({ branch, now }: { branch: Branch; now: number }) {
  const { name, remote, current, subject, at, author, upstream, gone } = branch;
  const apart = sayApart(branch);
  return (
    <>
      <Icon name={current ? 'check' : remote ? 'jump' : 'branch'} />
      <span class="ell" dir="auto" title={upstream === undefined ? name : `${name}, follows ${upstream}`}>
        {name}
      </span>
      {current && <span class="chip">you are here</span>}
      {gone === true && <span class="chip warn">gone there</span>}
      {apart !== '' && <span class="num xs">{apart}</span>}
      <span class="faint sm grow ell" dir="auto">
        {subject}
      </span>
      <span class="xs faint num hide-m" title={author}>
        {shortAge(at, now)}
      </span>
    </>
  );
}

interface BranchAction {
  label: string;
  icon: string;
  key: string;
  say: string;
  run: () => void;
}

function actionsOf(
  branch: Branch,
  here: string | null,
  { branches, close }: { branches: ReturnType<typeof useWorkbench>['branches']; close: () => void },
): BranchAction[] {
  const after = (run: () => void) => (): void => {
    close();
    run();
  };
  const { name, remote, current } = branch;
  const actions: BranchAction[] = [];
  if (!current && here !== null) {
    actions.push({ label: 'Merge', icon: 'branch', key: 'F3', say: `into ${here}, F3`, run: after(() => void branches.merge(name)) });
    actions.push({ label: 'Rebase onto', icon: 'up', key: 'F4', say: `${here} onto it, F4`, run: after(() => void branches.rebase(name)) });
  }
  if (!remote) actions.push({ label: 'Rename', icon: 'edit', key: 'F2', say: 'F2', run: after(() => branches.rename(name)) });
  if (!remote && !current)
    actions.push({ label: 'Delete', icon: 'bin', key: 'Delete', say: 'Del', run: after(() => void branches.remove(name)) });
  return actions;
}

function sayMany(word: string, number: number | undefined): string {
  return number === undefined || number === 0 ? word : `${word} ${number}`;
}

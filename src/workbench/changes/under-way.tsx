import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import type { GitStatus } from './git-store.ts';

/** A merge, rebase, git am, cherry-pick or revert that stopped: what, how far, and the ways out of it. */
export function UnderWay() {
  const workbench = useWorkbench();
  const { git, gitActions, readOnly } = workbench;
  const { value: status } = git.status;
  if (status?.doing === undefined) return null;
  const left = git.sections.value.conflicts.length;
  const { step, steps } = status.underWay ?? {};
  return (
    <div class="under-way" role="status" data-testid="under-way">
      <div class="row">
        <Icon name="warn" />
        <b class="grow ell" dir="auto">
          {sayDoing(status)}
        </b>
      </div>
      <p class="sub">
        {step !== undefined && steps !== undefined && `Step ${step} of ${steps}. `}
        {left > 0
          ? `${count(left, 'file is', 'files are')} in conflict. Choose what stays, then go on.`
          : status.doing === 'bisect'
            ? 'Mark commits with git bisect until it is found.'
            : status.doing === 'am'
              ? 'Stage what the patch was to change, then go on.'
              : 'Nothing is in conflict any more.'}
      </p>
      {!readOnly.value && status.doing !== 'bisect' && (
        <div class="row">
          <button
            type="button"
            class={left === 0 ? 'btn sm pri' : 'btn sm'}
            disabled={gitActions.busy.value}
            onClick={() => void gitActions.goOn()}
          >
            Continue
          </button>
          {status.doing !== 'merge' && (
            <button type="button" class="btn sm" disabled={gitActions.busy.value} onClick={() => void gitActions.goOn(true)}>
              {status.doing === 'am' ? 'Skip this patch' : 'Skip this commit'}
            </button>
          )}
          <button type="button" class="btn sm quiet" disabled={gitActions.busy.value} onClick={() => gitActions.abort()}>
            Abort…
          </button>
        </div>
      )}
    </div>
  );
}

/** `Merging feature into main` */
function sayDoing({ doing, underWay, branch }: GitStatus): string {
  const { message = '', heads = [], onto, branch: rebased } = underWay ?? {};
  const other =
    /^Merge (?:remote-tracking )?(?:branch|commit|tag) '([^']+)'/.exec(message)?.[1] ?? heads[0]?.slice(0, 7) ?? 'another branch';
  const here = branch ?? 'HEAD';
  const commit = heads[0]?.slice(0, 7) ?? 'a commit';
  if (doing === 'merge') return `Merging ${other} into ${here}`;
  if (doing === 'rebase') return `Rebasing ${rebased ?? 'HEAD'} onto ${onto?.slice(0, 7) ?? 'another commit'}`;
  if (doing === 'am') return `Applying patches to ${here}`;
  if (doing === 'cherry-pick') return `Picking ${commit} into ${here}`;
  return doing === 'revert' ? `Taking ${commit} back in ${here}` : 'Looking for a commit by bisection';
}

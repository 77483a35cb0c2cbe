import { useLayoutEffect, useRef } from 'preact/hooks';
import { useWorkbench } from '../use-workbench.ts';
import type { RemoteJob } from './remote-jobs.ts';

const words = { fetch: 'Fetching', pull: 'Pulling', push: 'Pushing' };

/** How far a fetch, pull or push is, and the way to stop it. */
export function RemoteProgress() {
  const { remotes } = useWorkbench();
  const { value: job } = remotes.job;
  return job === undefined ? null : <Job job={job} />;
}

function Job({ job }: { job: RemoteJob }) {
  const { remotes } = useWorkbench();
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const { current } = box;
    return () => {
      // Its button goes: who used it goes on in the panel.
      if (current?.contains(document.activeElement) === true) current.closest('.pane')?.querySelector<HTMLElement>('[data-focus]')?.focus();
    };
  }, []);
  return (
    <div class="remote-job row" role="status" data-testid="remote-job" ref={box}>
      <i class="spin" aria-hidden="true" />
      <span class="grow ell sm">
        {words[job.action]}
        {job.phase === '' ? '…' : `: ${job.phase.toLowerCase()}`}
        {job.percent !== null && <span class="num"> {job.percent} %</span>}
      </span>
      <button type="button" class="btn sm quiet" onClick={() => remotes.cancel()}>
        Stop
      </button>
    </div>
  );
}

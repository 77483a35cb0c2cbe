import type { HubTaskDetail } from '../../contract/hub-operations.ts';
import { MAX_SHOWN, Report, Shown } from '../tasks/task-report.tsx';

/** What a task came to: why it ended, its result and what proves it, and reports that came too late. */
export function TaskOutcome({ task: { result, reason, report, late, state } }: { task: HubTaskDetail }) {
  const failed = state === 'failed' || state === 'dead';
  const why = failed ? 'Why it failed' : state === 'cancelled' ? 'Why it was cancelled' : 'Why the last attempt ended';
  return (
    <>
      {reason !== null && reason !== '' && (
        <div class="blk">
          <h3 class="lab">{why}</h3>
          <pre class="out" tabIndex={0} role="group" aria-label={why}>
            {reason.slice(0, MAX_SHOWN)}
            {reason.length > MAX_SHOWN && '…'}
          </pre>
        </div>
      )}
      {result !== null && <Shown title="Result" value={result} testId="result" />}
      {report !== null && <Report title="Verification" report={report} />}
      {late.map((one) => (
        <Shown
          key={`${one.agent} ${one.fence}`}
          title={`Late report of ${one.agent}, fence ${one.fence}, not counted`}
          value={one.result ?? one.reason}
          testId="late"
        />
      ))}
    </>
  );
}

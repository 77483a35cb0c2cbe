import type { HubTaskDetail } from '../../contract/hub-operations.ts';

/** Of a result, drawn at once, characters. */
const MAX_SHOWN = 20_000;
/** What a task came to: why it ended, its result and what proves it, and reports that came too late. */
export function TaskOutcome({ task: { result, reason, report, late, state } }: { task: HubTaskDetail }) {
  const failed = state === 'failed' || state === 'dead';
  return (
    <>
      {reason !== null && reason !== '' && (
        <div class="blk">
          <h3 class="lab">{failed ? 'Why it failed' : state === 'cancelled' ? 'Why it was cancelled' : 'Why the last attempt ended'}</h3>
          <pre class="out">{reason.slice(0, MAX_SHOWN)}</pre>
        </div>
      )}
      {result !== null && <Shown title="Result" value={result} testId="result" />}
      {report !== null && <Report report={report} />}
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

function Shown({ title, value, testId }: { title: string; value: unknown; testId: string }) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return (
    <div class="blk" data-testid={testId}>
      <h3 class="lab">{title}</h3>
      <pre class="out">
        {text.slice(0, MAX_SHOWN)}
        {text.length > MAX_SHOWN && '…'}
      </pre>
    </div>
  );
}

/** Of what agents send nothing is certain. */
function Report({ report }: { report: Record<string, unknown> }) {
  const checks = Array.isArray(report['checks']) ? (report['checks'] as Record<string, unknown>[]) : [];
  const status = String(report['status'] ?? 'unknown');
  const good = ['pass', 'skip', 'auto_pass'];
  return (
    <div class="blk">
      <h3 class="lab">Verification</h3>
      <p>
        <span class={`stt ${good.includes(status) ? 'done' : 'failed'}`}>
          <i />
          {status}
        </span>
      </p>
      <ul class="checks">
        {checks.map((check, index) => (
          <li key={index} class="row sm">
            <span class={`stt ${good.includes(String(check['status'])) ? 'done' : 'failed'}`}>
              <i />
              {String(check['status'])}
            </span>
            <span class="ell mono grow">{String(check['description'] ?? check['target'] ?? check['type'] ?? '')}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

import './tasks.css';

/** Of a result, drawn at once, characters. */
export const MAX_SHOWN = 20_000;

/** A text, or anything else as JSON. */
export function Shown({ title, value, testId }: { title: string; value: unknown; testId: string }) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return (
    <div class="blk" data-testid={testId}>
      <h3 class="lab">{title}</h3>
      <pre class="out" tabIndex={0} role="group" aria-label={title}>
        {text.slice(0, MAX_SHOWN)}
        {text.length > MAX_SHOWN && '…'}
      </pre>
    </div>
  );
}

/** Of what agents send nothing is certain. */
export function Report({ title, report }: { title: string; report: Readonly<Record<string, unknown>> }) {
  const checks = Array.isArray(report['checks']) ? (report['checks'] as Record<string, unknown>[]) : [];
  const status = String(report['status'] ?? 'unknown');
  const good = ['pass', 'skip', 'auto_pass'];
  return (
    <div class="blk">
      <h3 class="lab">{title}</h3>
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

import { residentBytes } from '../services/processes/resident-bytes.ts';

/** Counters of this process in Prometheus' text format. */
export class Metrics {
  readonly #calls = new Map<string, { count: number; seconds: number }>();

  called(operation: string, outcome: string, durationMs: number): void {
    // Names come from peers: those that are no operation are one row.
    const key = outcome === 'NO_OPERATION' ? 'operation="unknown",outcome="NO_OPERATION"' : `operation="${operation}",outcome="${outcome}"`;
    const row = this.#calls.get(key) ?? { count: 0, seconds: 0 };
    row.count++;
    row.seconds += durationMs / 1000;
    this.#calls.set(key, row);
  }

  text(gauges: Readonly<Record<string, number>>): string {
    const lines: string[] = [];
    const metric = (name: string, kind: 'counter' | 'gauge', help: string, rows: [labels: string, value: number][]): void => {
      lines.push(`# HELP outrigger_${name} ${help}`, `# TYPE outrigger_${name} ${kind}`);
      for (const [labels, value] of rows) lines.push(`outrigger_${name}${labels === '' ? '' : `{${labels}}`} ${value}`);
    };
    const calls = [...this.#calls];
    metric(
      'calls_total',
      'counter',
      'Calls of operations.',
      calls.map(([labels, row]) => [labels, row.count]),
    );
    metric(
      'call_seconds_total',
      'counter',
      'Time spent in calls.',
      calls.map(([labels, row]) => [labels, Number(row.seconds.toFixed(6))]),
    );
    for (const [name, value] of Object.entries(gauges)) metric(name, 'gauge', `Current ${name}.`, [['', value]]);
    const memory = residentBytes();
    if (memory !== undefined) metric('memory_bytes', 'gauge', 'Resident memory.', [['', memory]]);
    const cpu = process.cpuUsage();
    metric('cpu_seconds_total', 'counter', 'CPU time of this process.', [['', (cpu.user + cpu.system) / 1e6]]);
    return `${lines.join('\n')}\n`;
  }
}

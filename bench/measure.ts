// What all parts share: CPU time of a process, medians, and the rows that the summary is made of.

import fs from 'node:fs';
import os from 'node:os';

/** One line of the summary. `ratio` is how much better ours is than the peer, unless `what` says otherwise. */
export interface Row {
  what: string;
  unit: string;
  ours: number;
  peer?: { name: string; value: number };
  ratio?: number;
  goal: string;
  ok: boolean;
}

/** CPU time of all threads of a process so far, ms: to the nanosecond where the kernel counts so, else in ticks of 10 ms. */
export function cpuMs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const thread of fs.readdirSync(folder)) {
    try {
      nanoseconds += Number(fs.readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // No such count in this kernel, or a thread that has just ended.
    }
  }
  if (nanoseconds > 0) return nanoseconds / 1e6;
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** What the figures are of. */
export function machine(): string {
  const cpus = os.cpus();
  const load = os
    .loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
  return `${cpus[0]?.model ?? 'unknown processor'}, ${cpus.length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GB, ${os.type()} ${os.release()}, Node ${process.version}, ${new Date().toISOString()}, load ${load}`;
}

/** Of what is mounted where `folder` lies, such as ext4; measured times of an fsync are of this. */
export function fileSystemOf(folder: string): string {
  const mounts = fs.readFileSync('/proc/mounts', 'utf8').trim().split('\n');
  const own = mounts
    .map((line) => line.split(' '))
    .filter(([, at = '']) => `${folder}/`.startsWith(at === '/' ? at : `${at}/`))
    // The longest path is the nearest; of two at the same place the later one hides the other.
    .reduce<string[]>((best, mount) => ((mount[1]?.length ?? 0) >= (best[1]?.length ?? 0) ? mount : best), []);
  return `${own[2] ?? 'unknown'} on ${own[0] ?? 'unknown'}`;
}

/** For a part: shows its rows, and hands them to the run of all parts where there is one. */
export function report(rows: readonly Row[]): void {
  if (process.send === undefined) printRows(rows);
  else process.send({ rows });
}

export function printRows(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ what }) => what.length));
  console.log(
    `${''.padEnd(width)}  ${'ours'.padStart(10)}  ${'peer'.padStart(10)}  ${'unit'.padEnd(6)}  ${'ratio'.padStart(7)}  ${'goal'.padEnd(10)}`,
  );
  for (const { what, unit, ours, peer, ratio, goal, ok } of rows) {
    const theirs = peer === undefined ? '' : shown(peer.value);
    console.log(
      `${what.padEnd(width)}  ${shown(ours).padStart(10)}  ${theirs.padStart(10)}  ${unit.padEnd(6)}  ${(ratio === undefined ? '' : ratio.toFixed(2)).padStart(7)}  ${goal.padEnd(10)}  ${ok ? 'ok' : 'MISS'}${peer === undefined ? '' : `  (${peer.name})`}`,
    );
  }
}

function shown(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

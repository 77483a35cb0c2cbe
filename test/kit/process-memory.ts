import fs from 'node:fs';

/** For a test's `skip` option: memory of another process is read where there is /proc. */
export const noProc: string | false = fs.existsSync('/proc/self/status') ? false : 'needs /proc';

/** Megabytes that a process holds in memory now, and the most that it held since `forgetPeak`. */
export function memoryOf(pid: number): { residentMb: number; peakMb: number } {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { residentMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

/** From now on the peak is counted anew. */
export function forgetPeak(pid: number): void {
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Processes that were started by this one and run still, with their names. */
export function childrenOf(pid: number): { pid: number; name: string; cpuTicks: number }[] {
  const found: { pid: number; name: string; cpuTicks: number }[] = [];
  for (const entry of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = fs.readFileSync(`/proc/${entry}/stat`, 'utf8');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[1]) === pid && fields[0] !== 'Z')
        found.push({ pid: Number(entry), name, cpuTicks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

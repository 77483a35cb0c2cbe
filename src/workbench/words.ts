const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** How long ago, short: `12 s`, `4 min`, `2 h` within the day, then `yest.`, `Mon`, `3 Nov`. Times in ms since 1970, days as the reader's clock has them. */
export function shortAge(at: number, now: number): string {
  const age = now - at;
  if (age < minute) return `${Math.max(0, Math.floor(age / 1000))} s`;
  if (age < hour) return `${Math.floor(age / minute)} min`;
  const days = daysBetween(at, now);
  if (days === 0) return `${Math.floor(age / hour)} h`;
  if (days === 1) return 'yest.';
  if (days < 7) return new Date(at).toLocaleDateString('en', { weekday: 'short' });
  return new Date(at).toLocaleDateString(
    'en',
    sameYear(at, now) ? { day: 'numeric', month: 'short' } : { day: 'numeric', month: 'short', year: 'numeric' },
  );
}

/** `10:38` */
export function clockTime(at: number): string {
  const date = new Date(at);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

/** `today at 10:38`, `yesterday at 18:40`, `3 Nov at 09:00` */
export function longTime(at: number, now: number): string {
  const days = daysBetween(at, now);
  const date = days === 0 ? 'today' : days === 1 ? 'yesterday' : new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'short' });
  return `${date} at ${clockTime(at)}`;
}

/** Midnights between the two. */
export function daysBetween(at: number, now: number): number {
  const midnight = (time: number): number => new Date(time).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / day);
}

function sameYear(a: number, b: number): boolean {
  return new Date(a).getFullYear() === new Date(b).getFullYear();
}

/** `18.4 kB`, `48 MiB`: what files have in kB below one MiB, larger things in MiB. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${trim(bytes / 1000)} kB`;
  if (bytes < 1024 ** 3) return `${trim(bytes / 1024 ** 2)} MiB`;
  return `${trim(bytes / 1024 ** 3)} GiB`;
}

function trim(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toFixed(1)));
}

/** `1 edit`, `27 edits`; `plural` where an s is not enough. */
export function count(number: number, one: string, plural = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : plural}`;
}

/** `a`, `a and b`, `a, b and 2 more` */
export function list(names: readonly string[], most = 3): string {
  if (names.length <= 1) return names[0] ?? '';
  if (names.length <= most) return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
}

/** How long something took: `420 ms`, `3.2 s`, `2 min 5 s`, `1 h 4 min`. */
export function spentTime(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < minute) return `${trim(Math.floor(ms / 100) / 10)} s`;
  const [whole, rest, unit, small] = ms < hour ? [minute, 1000, 'min', 's'] : ([hour, minute, 'h', 'min'] as const);
  const left = Math.floor((ms % whole) / rest);
  return `${Math.floor(ms / whole)} ${unit}${left === 0 ? '' : ` ${left} ${small}`}`;
}

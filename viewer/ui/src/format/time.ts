/** Moments for people: a clock's time in rows, how long ago in words, ISO to copy. */

/** Nanoseconds since 1970 as JavaScript's milliseconds. */
export function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1000n) / 1000;
}

const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const clockFormat = new Intl.DateTimeFormat('en-GB', CLOCK);
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', ...CLOCK });

/** Beyond it a `Date` is none, and what formats it throws. */
const LAST = 8.64e15;

function isTime(moment: number): boolean {
  return Math.abs(moment) <= LAST;
}

/** `12:31:07.482`, local time. */
export function clock(moment: number): string {
  if (!isTime(moment)) return '–';
  return `${clockFormat.format(moment)}.${String(Math.floor(moment) % 1000).padStart(3, '0')}`;
}

/** `2 Mar, 12:31:07`, local time. */
export function day(moment: number): string {
  return isTime(moment) ? dayFormat.format(moment) : '–';
}

/** `2026-03-02T12:31:07.482193004Z`: nothing of the nanoseconds is lost. */
export function iso(nanoseconds: bigint): string {
  if (!isTime(Number(nanoseconds / 1_000_000n))) return '–';
  const head = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19);
  return `${head}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}Z`;
}

/** `8 s ago`, `3 min ago`. */
export function ago(moment: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 1) return 'just now';
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

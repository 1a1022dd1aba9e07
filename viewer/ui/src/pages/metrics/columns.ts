/** Series with times of their own, brought to common ones. */

import type { MetricSeries } from '../../api/types';
import { plain } from '../../trace/value';

export interface Timed {
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

export interface Aligned {
  readonly times: readonly number[];
  readonly columns: readonly (readonly (number | null)[])[];
}

/** Points within this time were read together: µs. */
const TOGETHER = 500_000;

/** A gap where a series has no point at a time of another. */
export function aligned(series: readonly Timed[]): Aligned {
  const moments = [...new Set(series.flatMap(({ times }) => times))].sort((one, other) => one - other);
  const times: number[] = [];
  const slots = new Map<number, number>();
  for (const moment of moments) {
    const last = times.at(-1);
    if (last === undefined || moment - last >= TOGETHER) times.push(moment);
    slots.set(moment, times.length - 1);
  }
  const columns = series.map((each) => {
    const column: (number | null)[] = new Array<number | null>(times.length).fill(null);
    for (const [at, time] of each.times.entries()) column[slots.get(time) ?? 0] = each.values[at] ?? null;
    return column;
  });
  return { times, columns };
}

/** How many values of a histogram came each second since the point before; a running count that went down began anew. */
export function perSecond({ times, count, temporality }: Pick<MetricSeries, 'times' | 'count' | 'temporality'>): (number | null)[] {
  return times.map((time, at) => {
    const [now, before, earlier] = [count?.[at], count?.[at - 1], times[at - 1]];
    const more = temporality === 'delta' ? now : now == null || before == null || now < before ? null : now - before;
    return more == null || earlier === undefined || time <= earlier ? null : more / ((time - earlier) / 1e6);
  });
}

type Named = Pick<MetricSeries, 'service' | 'scope' | 'temporality' | 'attributes'>;

/** What tells a series from the others. */
export function nameOf(one: Named, all: readonly Named[]): string {
  const keys = (['service', 'scope', 'temporality'] as const).filter((key) => all.some((other) => other[key] !== one[key]));
  const senders = keys.map((key) => one[key] ?? '').filter((word) => word !== '');
  const parts = one.attributes.filter(([key, value]) => !all.every((other) => other.attributes.some(([name, same]) => name === key && plain(same) === plain(value))));
  const own = (parts.length > 0 || senders.length > 0 ? parts : one.attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [...senders, ...own.map(([key, value]) => wordOf(key, plain(value).slice(0, 60)))].join(' ') || one.service;
}

/** A number says nothing without its name. */
function wordOf(key: string, value: string): string {
  return /^[\d.+-]*$|^(true|false)$/.test(value) ? `${key.slice(key.lastIndexOf('.') + 1)}=${value}` : value;
}

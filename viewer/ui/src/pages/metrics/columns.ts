/** Series with times of their own, brought to common ones. */

import type { MetricSeries } from '../../api/types';

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

/** Numbers for people: three significant digits, and always a unit. */

const NARROW = '\u202f';

/** A number and the unit it is told in, apart, so that columns can be aligned. */
export interface Quantity {
  readonly number: string;
  readonly unit: string;
}

export function text({ number, unit }: Quantity): string {
  return unit === '' ? number : `${number}${NARROW}${unit}`;
}

/** Three significant digits, without an exponent. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const [mantissa = '0', exponent = '0'] = value.toExponential(2).split('e');
  const decimals = Math.min(6, Math.max(0, 2 - Number(exponent)));
  return grouped(Number(`${mantissa}e${exponent}`).toFixed(decimals));
}

/** `18204` as `18,204`. */
export function grouped(value: number | string): string {
  const [whole = '', fraction] = String(value).split('.');
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}

type Unit = readonly [size: number, name: string];

/** In the largest unit that leaves at least one whole: after rounding, so that 999.9 µs are 1.00 ms. */
function scaled(value: number, units: readonly Unit[]): Quantity {
  const rounded = Math.abs(Number(value.toPrecision(3)));
  const [size, unit] = units.findLast(([size]) => rounded >= size) ?? units[0] ?? [1, ''];
  return { number: significant(value / size), unit };
}

const DURATIONS: readonly Unit[] = [[1, 'ns'], [1e3, 'µs'], [1e6, 'ms'], [1e9, 's'], [6e10, 'min'], [3.6e12, 'h'], [8.64e13, 'd']];
const SIZES: readonly Unit[] = [[1, 'B'], [2 ** 10, 'KiB'], [2 ** 20, 'MiB'], [2 ** 30, 'GiB'], [2 ** 40, 'TiB']];
const THOUSANDS: readonly Unit[] = [[1, ''], [1e3, 'k'], [1e6, 'M'], [1e9, 'G']];

/** A duration in nanoseconds. */
export function durationOf(nanoseconds: number): Quantity {
  if (nanoseconds === 0) return { number: '0', unit: 'ms' };
  return scaled(nanoseconds, DURATIONS);
}

export function duration(nanoseconds: number | null): string {
  return nanoseconds === null ? '–' : text(durationOf(nanoseconds));
}

/** A size in bytes. */
export function bytes(size: number): string {
  return text(scaled(size, SIZES));
}

/** A count: exact up to a million, so that what is shown can be compared. */
export function count(value: number): string {
  return Math.abs(value) < 1e6 && Number.isInteger(value) ? grouped(value) : compact(value);
}

/** So many of something. */
export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}

/** A number of any kind in little room. */
export function compact(value: number): string {
  const { number, unit } = scaled(value, THOUSANDS);
  return `${number}${unit}`;
}

/** Events per second, told per minute or hour where they are rare. */
export function rate(perSecond: number): string {
  const [unit, factor] = perSecond >= 0.01 || perSecond === 0 ? (['/s', 1] as const) : perSecond * 60 >= 0.1 ? (['/min', 60] as const) : (['/h', 3600] as const);
  return text({ number: compact(perSecond * factor), unit });
}

/** A round number, as axes have them: `50 ms` and not `50.0 ms`. */
export function round(told: string): string {
  return told.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

/** A share between 0 and 1. */
export function percent(share: number): string {
  return text({ number: significant(share * 100), unit: '%' });
}

/** Values of metrics in the units that instruments have, which are those of UCUM. */

import { bytes, compact, duration, percent, significant } from './number';

const NANOSECONDS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 6e10, h: 3.6e12 };

export function inUnit(value: number, unit: string): string {
  const factor = NANOSECONDS[unit];
  if (factor !== undefined) return duration(value * factor);
  if (unit === 'By') return bytes(value);
  if (unit === '1') return value >= 0 && value <= 1 ? percent(value) : significant(value);
  const words = unitWords(unit);
  return words === '' ? compact(value) : `${compact(value)} ${words}`;
}

/** `{request}` as `request`. */
export function unitWords(unit: string): string {
  return unit.replace(/^\{(.*)\}$/, '$1');
}

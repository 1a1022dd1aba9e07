/** From time and duration to places on the scatter, and back. */

import type { Points } from '../../api/types';
import type { Size } from '../../parts/size';

export const LEFT = 52;
export const BOTTOM = 16;
const TOP = 6;
const RIGHT = 8;

export interface Scales {
  readonly x: (start: number) => number;
  readonly y: (duration: number) => number;
  readonly start: (x: number) => number;
  readonly duration: (y: number) => number;
  /** µs since 1970. */
  readonly from: number;
  readonly to: number;
  /** ns. */
  readonly least: number;
  readonly most: number;
}

export interface Window {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Time is even; durations have a step for each power of ten, in whole powers. */
export function scalesOf({ start, duration }: Points, window: Window, { width, height }: Size): Scales {
  const from = window.from ?? extreme(start, Math.min, 0);
  const to = Math.max(window.to ?? extreme(start, Math.max, from), from + 1e6);
  const low = Math.floor(Math.log10(Math.max(1e3, extreme(duration, Math.min, 1e6))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1e3, extreme(duration, Math.max, 1e9)))));
  const [wide, tall] = [Math.max(1, width - LEFT - RIGHT), Math.max(1, height - TOP - BOTTOM)];
  return {
    from, to, least: 10 ** low, most: 10 ** high,
    x: (at) => LEFT + ((at - from) / (to - from)) * wide,
    y: (ns) => TOP + (1 - (Math.log10(Math.max(ns, 10 ** low)) - low) / (high - low)) * tall,
    start: (x) => from + ((x - LEFT) / wide) * (to - from),
    duration: (y) => 10 ** (low + (1 - (y - TOP) / tall) * (high - low)),
  };
}

function extreme(values: readonly number[], choose: (one: number, other: number) => number, none: number): number {
  return values.length === 0 ? none : values.reduce((one, other) => choose(one, other));
}

const REACH = 8;

/** The point nearest to a place, if there is one near. */
export function nearest({ start, duration }: Points, scales: Scales, x: number, y: number): number | undefined {
  let found: number | undefined;
  let least = REACH ** 2;
  for (let at = 0; at < start.length; at++) {
    const distance = (scales.x(start[at] ?? 0) - x) ** 2 + (scales.y(duration[at] ?? 0) - y) ** 2;
    if (distance < least) [found, least] = [at, distance];
  }
  return found;
}

/** Where an axis has its marks. */

/** About `wanted` round moments between two, in the unit of the two. */
export function linear(from: number, to: number, wanted: number): number[] {
  const span = to - from;
  if (!(span > 0)) return [];
  const step = roundStep(span / Math.max(1, wanted));
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) {
    ticks.push(tick);
    // Far from zero a double may not tell the next mark from this one.
    if (tick + step === tick) break;
  }
  return ticks;
}

function roundStep(rough: number): number {
  const size = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((factor) => factor * size >= rough) ?? 10) * size;
}

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800];

/** Round times of the clock, in milliseconds. */
export function moments(from: number, to: number, wanted: number): number[] {
  const rough = (to - from) / 1000 / Math.max(1, wanted);
  if (rough < 1) return linear(from, to, wanted);
  const step = (SECONDS.find((seconds) => seconds >= rough) ?? Math.ceil(rough / 604_800) * 604_800) * 1000;
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const ticks: number[] = [];
  for (let tick = Math.ceil((from - zone) / step) * step + zone; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

/** 1, 2 and 5 of each power of ten between two positive values. */
export function rounds(from: number, to: number): number[] {
  return decades(from / 10, to).flatMap((power) => [power, 2 * power, 5 * power]).filter((tick) => tick >= from && tick <= to);
}

/** Powers of ten between two positive values. */
export function decades(from: number, to: number): number[] {
  const ticks: number[] = [];
  if (!(from > 0)) return ticks;
  for (let power = Math.ceil(Math.log10(from) - 1e-9); power <= Math.log10(to) + 1e-9; power++) ticks.push(10 ** power);
  return ticks;
}

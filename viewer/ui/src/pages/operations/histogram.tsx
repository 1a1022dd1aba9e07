/** How durations are spread, on a logarithmic axis. What is chosen on it leads to the traces behind. */

import { useMemo, useRef, useState } from 'preact/hooks';
import type { Histogram as Data } from '../../api/types';
import { go, to } from '../../app/address';
import { count, duration, plural, round } from '../../format/number';
import { rounds } from '../../format/ticks';

export interface HistogramProps {
  readonly histogram: Data;
  /** The search for the spans that are counted here. */
  readonly search: string;
}

/** By bars: while it is kept, by how many bars they are from one nanosecond, since others may come before the first. */
interface Range {
  readonly anchor: number;
  readonly head: number;
}

const HEIGHT = 110;
const STEP = 10 ** 0.1;

export function Histogram({ histogram, search }: HistogramProps) {
  const data = useMemo(() => padded(histogram), [histogram]);
  const { bounds, counts } = data;
  const [kept, setKept] = useState<Range>();
  const offset = placeOf(bounds[0] ?? 1);
  const range = moved(kept, -offset);
  const setRange = (next: Range | undefined): void => setKept(moved(next, offset));
  if (histogram.counts.length === 0) return <p class="muted">nothing has ended yet</p>;
  const within = (bin: number): number => Math.max(0, Math.min(counts.length - 1, bin));
  const [first, last] = range ? [within(Math.min(range.anchor, range.head)), within(Math.max(range.anchor, range.head))] : [0, counts.length - 1];
  const [least, most] = [bounds[first] ?? 0, upper(bounds, last)];
  const address = to('/traces', { q: `${search} duration>=${least}ns duration<${most}ns` });
  const chosen = counts.slice(first, last + 1).reduce((sum, each) => sum + each, 0);
  return (
    <div class="histogram">
      <Bars data={data} first={first} last={last} range={range} onRange={setRange} onOpen={() => go(address)} />
      <Scale bounds={bounds} />
      <p role="status">
        <span class="number">
          {range ? `${duration(least)} – ${duration(most)}: ` : ''}
          {plural(chosen, 'span')}
        </span>{' '}
        {range ? (
          <>
            <a href={address}>show their traces</a> <button class="link" onClick={() => setRange(undefined)}>choose all</button>
          </>
        ) : (
          <span class="muted">drag over bars to choose</span>
        )}
      </p>
    </div>
  );
}

/** How many bars from one nanosecond a duration is. */
function placeOf(nanoseconds: number): number {
  return Math.round(Math.log10(Math.max(1, nanoseconds)) / Math.log10(STEP));
}

function moved(range: Range | undefined, by: number): Range | undefined {
  return range && { anchor: range.anchor + by, head: range.head + by };
}

interface BarsProps {
  readonly data: Data;
  readonly first: number;
  readonly last: number;
  readonly range: Range | undefined;
  readonly onRange: (range: Range | undefined) => void;
  readonly onOpen: () => void;
}

function Bars({ data: { bounds, counts, errors }, first, last, range, onRange, onOpen }: BarsProps) {
  const dragging = useRef<number>(undefined);
  const most = Math.max(1, ...counts);
  const drag = (event: PointerEvent): void => {
    const head = binAt(event, counts.length);
    dragging.current ??= head;
    onRange({ anchor: dragging.current, head });
  };
  return (
    <svg
      viewBox={`0 0 ${counts.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="group"
      tabindex={0}
      aria-label="Histogram of durations: arrows choose a bar, with shift several, enter shows the traces"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drag(event);
      }}
      onPointerMove={(event) => dragging.current !== undefined && drag(event)}
      onPointerUp={() => (dragging.current = undefined)}
      onPointerCancel={() => (dragging.current = undefined)}
      onKeyDown={(event) => chooseByKey(event, range, counts.length, { onRange, onOpen })}
    >
      {counts.map((value, bin) => (
        <g key={bin} class={bin >= first && bin <= last ? 'bin' : 'bin off'}>
          <rect class="bin-room" x={bin} y={0} width={1} height={HEIGHT}>
            <title>{`${duration(bounds[bin] ?? 0)} – ${duration(upper(bounds, bin))}: ${count(value)}, ${count(errors[bin] ?? 0)} failed`}</title>
          </rect>
          <Column bin={bin} value={value} most={most} kind="bin-all" />
          <Column bin={bin} value={errors[bin] ?? 0} most={most} kind="bin-failed" />
        </g>
      ))}
    </svg>
  );
}

function binAt(event: PointerEvent, bins: number): number {
  const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : new DOMRect();
  return Math.max(0, Math.min(bins - 1, Math.floor(((event.clientX - box.left) / box.width) * bins)));
}

function chooseByKey(event: KeyboardEvent, range: Range | undefined, bins: number, { onRange, onOpen }: Pick<BarsProps, 'onRange' | 'onOpen'>): void {
  const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (by !== 0) {
    const within = (bin: number): number => Math.max(0, Math.min(bins - 1, bin));
    const head = within((range?.head ?? (by > 0 ? -1 : bins)) + by);
    onRange({ anchor: event.shiftKey && range ? range.anchor : head, head });
  } else if (event.key === 'Enter' && range) onOpen();
  else if (event.key === 'Escape' && range) onRange(undefined);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Few bars would be planks. */
const LEAST = 24;

/** With empty bars on both sides, so that there are not too few. */
function padded({ bounds, counts, errors }: Data): Data {
  const missing = Math.max(0, LEAST - counts.length);
  const [least = 1, most = 1] = [bounds[0], bounds.at(-1)];
  // Nothing is faster than a nanosecond, unless it takes no time at all: then there is nothing before it.
  const before = Math.min(Math.floor(missing / 2), placeOf(least));
  const after = missing - before;
  const zeros = (length: number): number[] => new Array<number>(length).fill(0);
  return {
    bounds: [...zeros(before).map((_, at) => least / STEP ** (before - at)), ...bounds, ...zeros(after).map((_, at) => most * STEP ** (at + 1))].map(Math.round),
    counts: [...zeros(before), ...counts, ...zeros(after)],
    errors: [...zeros(before), ...errors, ...zeros(after)],
  };
}

/** At least a sliver for what is not nothing. */
function Column({ bin, value, most, kind }: { readonly bin: number; readonly value: number; readonly most: number; readonly kind: string }) {
  if (value === 0) return null;
  const height = Math.max(2, (value / most) * (HEIGHT - 2));
  return <rect class={kind} x={bin + 0.06} y={HEIGHT - height} width={0.88} height={height} />;
}

function upper(bounds: readonly number[], bin: number): number {
  return bounds[bin + 1] ?? Math.round((bounds[bin] ?? 0) * STEP);
}

/** Round durations, as many as have room. */
function Scale({ bounds }: { readonly bounds: readonly number[] }) {
  const [least, most] = [Math.max(1, bounds[0] ?? 1), upper(bounds, bounds.length - 1)];
  const ticks = rounds(least, most);
  const every = Math.ceil(ticks.length / LABELS);
  const place = (tick: number): string => `${((Math.log10(tick / least) / Math.log10(most / least)) * 100).toFixed(2)}%`;
  return (
    <div class="scale number muted" aria-hidden="true">
      {ticks.filter((_, at) => at % every === 0).map((tick) => (
        <span key={tick} style={{ left: place(tick) }}>
          {round(duration(tick))}
        </span>
      ))}
    </div>
  );
}

const LABELS = 7;

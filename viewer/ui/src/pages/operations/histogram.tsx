/** How durations are spread, on a logarithmic axis. What is chosen on it leads to the traces behind. */

import { useMemo, useRef, useState } from 'preact/hooks';
import type { Histogram as Data } from '../../api/types';
import { go, to } from '../../app/address';
import { count, duration } from '../../format/number';

export interface HistogramProps {
  readonly histogram: Data;
  /** The search for the spans that are counted here. */
  readonly search: string;
}

interface Range {
  readonly anchor: number;
  readonly head: number;
}

const HEIGHT = 110;
const STEP = 10 ** 0.1;

export function Histogram({ histogram, search }: HistogramProps) {
  const { bounds, counts, errors } = useMemo(() => padded(histogram), [histogram]);
  const [range, setRange] = useState<Range>();
  const dragging = useRef(false);
  const most = Math.max(1, ...counts);
  const last = counts.length - 1;
  const [first, end] = range ? [Math.min(range.anchor, range.head), Math.max(range.anchor, range.head)] : [0, last];
  const binAt = (event: PointerEvent): number => {
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : new DOMRect();
    return Math.max(0, Math.min(last, Math.floor(((event.clientX - box.left) / box.width) * counts.length)));
  };
  const address = (): string => to('/traces', { q: `${search} duration>=${bounds[first] ?? 0}ns duration<${upper(bounds, end)}ns` });
  const key = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const from = range ?? { anchor: by > 0 ? -1 : last + 1, head: by > 0 ? -1 : last + 1 };
    const head = Math.max(0, Math.min(last, from.head + by));
    if (by !== 0) setRange(event.shiftKey ? { anchor: Math.max(0, Math.min(last, from.anchor)), head } : { anchor: head, head });
    else if (event.key === 'Enter' && range) go(address());
    else if (event.key === 'Escape' && range) setRange(undefined);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (histogram.counts.length === 0) return <p class="muted">nothing has ended yet</p>;
  const chosen = counts.slice(first, end + 1).reduce((sum, each) => sum + each, 0);
  return (
    <div class="histogram">
      <svg
        viewBox={`0 0 ${counts.length} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="group"
        tabindex={0}
        aria-label="Histogram of durations: arrows choose a bar, with shift several, enter shows the traces"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          dragging.current = true;
          const bin = binAt(event);
          setRange({ anchor: bin, head: bin });
        }}
        onPointerMove={(event) => dragging.current && setRange((before) => before && { ...before, head: binAt(event) })}
        onPointerUp={() => (dragging.current = false)}
        onKeyDown={key}
      >
        {counts.map((value, bin) => (
          <g key={bin} class={bin >= first && bin <= end ? 'bin' : 'bin off'}>
            <rect class="bin-room" x={bin} y={0} width={1} height={HEIGHT}>
              <title>{`${duration(bounds[bin] ?? 0)} – ${duration(upper(bounds, bin))}: ${count(value)}, ${count(errors[bin] ?? 0)} failed`}</title>
            </rect>
            <Column bin={bin} value={value} most={most} kind="bin-all" />
            <Column bin={bin} value={errors[bin] ?? 0} most={most} kind="bin-failed" />
          </g>
        ))}
      </svg>
      <Scale bounds={bounds} />
      <p role="status">
        <span class="number">
          {range ? `${duration(bounds[first] ?? 0)} – ${duration(upper(bounds, end))}: ` : ''}
          {count(chosen)} spans
        </span>{' '}
        {range ? (
          <>
            <a href={address()}>show their traces</a> <button class="link" onClick={() => setRange(undefined)}>choose all</button>
          </>
        ) : (
          <span class="muted">drag over bars to choose</span>
        )}
      </p>
    </div>
  );
}

/** Few bars would be planks. */
const LEAST = 24;

/** With empty bars on both sides, so that there are not too few. */
function padded({ bounds, counts, errors }: Data): Data {
  const missing = Math.max(0, LEAST - counts.length);
  const [before, after] = [Math.floor(missing / 2), Math.ceil(missing / 2)];
  const zeros = (length: number): number[] => new Array<number>(length).fill(0);
  const [least = 1, most = 1] = [bounds[0], bounds.at(-1)];
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

const LABELS = 6;

function Scale({ bounds }: { readonly bounds: readonly number[] }) {
  const every = Math.max(1, Math.ceil(bounds.length / LABELS));
  return (
    <div class="scale number muted" aria-hidden="true">
      {bounds.map((bound, bin) => bin % every === 0 && <span key={bin} style={{ left: `${((bin / bounds.length) * 100).toFixed(2)}%` }}>{duration(bound)}</span>)}
    </div>
  );
}

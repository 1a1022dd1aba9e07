/** Figures over time, drawn by uPlot, which is loaded with the first of them. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type UPlot from 'uplot';
import { useCell } from '../app/cell';
import { colour, colours } from '../app/theme';
import { round } from '../format/number';
import { clock } from '../format/time';
import { Missing } from './missing';
import { useSize } from './size';

export interface Curve {
  readonly name: string;
  /** Name of a colour of the style sheet. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

export interface PlotProps {
  readonly label: string;
  /** µs since 1970, ascending. */
  readonly times: readonly number[];
  readonly curves: readonly Curve[];
  readonly format: (value: number) => string;
}

const HEIGHT = 150;

export function Plot({ label, times, curves, format }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const { width } = useSize(box);
  const painted = useCell(colours);
  const [at, setAt] = useState<number | null>(null);
  const [missing, setMissing] = useState(false);
  const shape = curves.map((curve) => `${curve.name}\n${curve.colour}`).join('\n\n');
  const data = (): UPlot.AlignedData => [times.map((time) => time / 1e6), ...curves.map(({ values }) => [...values])];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    if (width === 0) return;
    let gone = false;
    import('uplot').then(
      ({ default: Plot }) => {
        if (gone || !box.current) return;
        plot.current = new Plot(options(width, curves, format, setAt), latest.current(), box.current);
      },
      () => setMissing(true),
    );
    return () => {
      gone = true;
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [width, painted, shape]);
  useEffect(() => plot.current?.setData(data()), [times, curves]);
  const index = at ?? times.length - 1;
  return (
    <figure class="plot">
      <figcaption>
        {label} <span class="number muted">{times[index] === undefined ? '' : clock(times[index] / 1000).slice(0, 8)}</span>
      </figcaption>
      <div class="plot-box" ref={box} role="img" aria-label={label} />
      {missing && <Missing />}
      <ul class="legend" tabIndex={0} aria-label={`${label} of each series`}>
        {curves.map(({ name, colour, values }, place) => (
          <li key={place} class={`curve-${colour}`}>
            {name} <span class="number">{typeof values[index] === 'number' ? format(values[index]) : '–'}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** Points between gaps, which no line would show. */
function alone(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values, (_, at) => at).filter((at) => values[at] != null && values[at - 1] == null && values[at + 1] == null);
}

function options(width: number, curves: readonly Curve[], format: (value: number) => string, onAt: (at: number | null) => void): UPlot.Options {
  const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, least, most) => [Math.min(0, least ?? 0), most > 0 ? most * 1.08 : 1] } },
    axes: [
      { ...axis, size: 26, gap: 9, values: (_, ticks) => ticks.map((tick) => clock(tick * 1000).slice(0, 8)), space: 80 },
      { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick === 0 ? '0' : round(format(tick)))), space: 28 },
    ],
    series: [{}, ...curves.map((curve) => ({ label: curve.name, stroke: colour(curve.colour), width: 1.5, spanGaps: false, points: { size: 4, filter: (plot: UPlot, at: number) => alone(plot.data[at] ?? []) } }))],
    hooks: { setCursor: [({ cursor }) => onAt(cursor.idx ?? null)] },
  };
}

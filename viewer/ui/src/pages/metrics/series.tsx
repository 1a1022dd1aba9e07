/** The series of one instrument: plots, the buckets of a histogram, and traces that stand for single values. */

import { useMemo } from 'preact/hooks';
import type { Column, Exemplar, MetricSeries, SeriesList } from '../../api/types';
import { HUES } from '../../app/hue';
import { compact, count, rate } from '../../format/number';
import { clock } from '../../format/time';
import { inUnit, unitWords } from '../../format/unit';
import { type Curve, Plot } from '../../parts/plot';
import { aligned, perSecond } from './columns';
import { namesOf } from './names';

export function SeriesPlots({ list }: { readonly list: SeriesList }) {
  const { unit } = list;
  const inOwnUnit = (value: number): string => inUnit(value, unit);
  if (list.series.some(({ count }) => count != null)) {
    return (
      <>
        <Lines list={list} label="p95 of the time between two points" of={({ p95 }) => p95} format={inOwnUnit} />
        <Lines list={list} label="p50" of={({ p50 }) => p50} format={inOwnUnit} />
        <Lines list={list} label="Rate" of={perSecond} format={rate} />
      </>
    );
  }
  if (!list.series.some(({ monotonic }) => monotonic)) return <Lines list={list} label="Value" of={({ values }) => values} format={inOwnUnit} />;
  const perSecondWords = unit === 'By' || unit === 's' ? (value: number) => `${inUnit(value, unit)}/s` : (value: number) => rate(value);
  return (
    <>
      <Lines list={list} label={`Rate${unitWords(unit) === '' ? '' : `, ${unitWords(unit)}`}`} of={({ rate }) => rate} format={perSecondWords} />
      <Lines list={list} label="Sum" of={({ values }) => values} format={inOwnUnit} />
    </>
  );
}

interface LinesProps {
  readonly list: SeriesList;
  readonly label: string;
  readonly of: (series: MetricSeries) => Column;
  readonly format: (value: number) => string;
}

function Lines({ list, label, of, format }: LinesProps) {
  const { times, columns } = useMemo(() => aligned(list.series.map((series) => ({ times: series.times, values: of(series) ?? [] }))), [list]);
  const curves: Curve[] = useMemo(() => namesOf(list.series).map((name, at) => ({ name, colour: `hue-${at % HUES}`, values: columns[at] ?? [] })), [list, columns]);
  return <Plot label={label} times={times} curves={curves} format={format} />;
}

export function LastBuckets({ list }: { readonly list: SeriesList }) {
  const [first] = list.series.filter(({ bounds, buckets }) => bounds != null && buckets != null);
  const { bounds, buckets } = first ?? {};
  if (!first || !bounds || !buckets) return null;
  const totals = buckets.map((_, at) => list.series.reduce((sum, series) => sum + (isSame(series.bounds, bounds) ? (series.buckets?.[at] ?? 0) : 0), 0));
  const most = Math.max(1, ...totals);
  return (
    <section class="card">
      <h3>Buckets, of all series together</h3>
      <table class="plain">
        <tbody>
          {totals.map((total, at) => (
            <tr key={at} class={total === 0 ? 'muted' : ''}>
              <th scope="row" class="number">{bounds[at] === undefined ? `> ${inUnit(bounds.at(-1) ?? 0, list.unit)}` : `≤ ${inUnit(bounds[at], list.unit)}`}</th>
              <td class="number">{compact(total)}</td>
              <td class="fill">
                <meter min={0} max={most} value={total} aria-hidden="true" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Those of exponential histograms move, and no bucket is that of another. */
function isSame(one: readonly number[] | null, other: readonly number[]): boolean {
  return one?.length === other.length && other.every((bound, at) => one[at] === bound);
}

const EXEMPLARS = 20;

export function Exemplars({ list }: { readonly list: SeriesList }) {
  const exemplars = list.series.flatMap(({ exemplars }) => exemplars ?? []).sort((one: Exemplar, other: Exemplar) => other.time - one.time);
  if (exemplars.length === 0) return null;
  return (
    <section class="card">
      <h3>Traces that stand for values ({count(exemplars.length)})</h3>
      <table class="plain">
        <tbody>
          {exemplars.slice(0, EXEMPLARS).map(({ time, value, trace, span }) => (
            <tr key={`${span} ${time}`}>
              <td class="number muted">{clock(time / 1000)}</td>
              <td class="number">
                <a href={`/trace/${trace}?span=${span}`}>{inUnit(value, list.unit)}</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

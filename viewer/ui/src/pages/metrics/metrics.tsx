/** The metrics that have come, and how they went. */

import { useMemo } from 'preact/hooks';
import { address } from '../../api/client';
import type { Instrument, SeriesList, Stats } from '../../api/types';
import { change } from '../../app/address';
import { useAnswer } from '../../app/ask';
import { scope } from '../../app/scope';
import { count } from '../../format/number';
import { unitWords } from '../../format/unit';
import { Empty } from '../../parts/empty';
import { Problem } from '../../parts/problem';
import { Exemplars, LastBuckets, SeriesPlots } from './series';

export interface MetricsProps {
  readonly params: URLSearchParams;
  readonly stats: Stats | undefined;
}

interface Instruments {
  readonly instruments: readonly Instrument[];
}

/** So many lines can be told apart. */
const SERIES = 12;

export function MetricsPage({ params, stats }: MetricsProps) {
  const service = params.get('service') ?? '';
  const { data, error, pending } = useAnswer<Instruments>(address('/metrics', { service }), { live: true });
  const words = (params.get('match') ?? '').toLowerCase();
  const instruments = data?.instruments.filter(({ name }) => name.toLowerCase().includes(words)) ?? [];
  const isChosen = ({ name, type, unit }: Instrument): boolean => name === params.get('metric') && type === (params.get('type') ?? type) && unit === (params.get('unit') ?? unit);
  const chosen = data?.instruments.find(isChosen) ?? instruments[0];
  if (error) return <Problem error={error} />;
  if (!data || data.instruments.length === 0) {
    return pending ? null : <Empty what="metrics" stats={stats} params={params} some={(stats?.instruments ?? 0) > 0} />;
  }
  return (
    <div class="page metrics">
      <nav class="instruments" aria-label="Instruments">
        <input type="search" value={params.get('match') ?? ''} placeholder="filter by name" aria-label="Filter instruments" onInput={({ currentTarget }) => change({ match: currentTarget.value })} />
        <ul>
          {instruments.map((instrument) => (
            <li key={keyOf(instrument)}>
              <button class="quiet" aria-current={instrument === chosen ? 'true' : undefined} onClick={() => change({ metric: instrument.name, type: instrument.type, unit: instrument.unit }, { entry: true })}>
                <span class="instrument-name">{instrument.name}</span>
                <span class="muted">
                  {instrument.type}
                  {instruments.some((other) => other !== instrument && other.name === instrument.name) && `, ${unitWords(instrument.unit)}`} · {count(instrument.series)} series
                </span>
              </button>
            </li>
          ))}
        </ul>
      </nav>
      {chosen && <Shown key={keyOf(chosen)} instrument={chosen} params={params} />}
    </div>
  );
}

/** Instruments may share their name. */
function keyOf({ name, type, unit }: Instrument): string {
  return `${name}\n${type}\n${unit}`;
}

function Shown({ instrument, params }: { readonly instrument: Instrument; readonly params: URLSearchParams }) {
  const { q: _, ...asked } = scope(params);
  const { name, type, unit } = instrument;
  // An empty unit is one too.
  const series = `${address('/metrics/series', { ...asked, name, type, limit: SERIES })}&unit=${encodeURIComponent(unit)}`;
  const { data, error } = useAnswer<SeriesList>(series, { live: true });
  const drawable = useMemo(() => data && { ...data, series: data.series.filter(({ times }) => times.length > 0) }, [data]);
  const temporalities = [...new Set(drawable?.series.map(({ temporality }) => temporality))].filter((each) => each !== null);
  return (
    <section class="scroll instrument" tabIndex={0} aria-label={name}>
      <h1>{name}</h1>
      <p class="muted">
        {instrument.description} {type}
        {unitWords(unit) !== '' && <>, in <code>{unitWords(unit)}</code></>}
        {temporalities.length > 0 && <>, {temporalities.join(' and ')}</>} · {instrument.services.join(' · ')}
      </p>
      {error && <Problem error={error} />}
      {drawable && drawable.series.length === 0 && <p class="notice">No point of it in this time. <button class="link" onClick={() => change({ last: 'all', from: null, to: null })}>all that is kept</button></p>}
      {drawable && drawable.series.length > 0 && (
        <>
          <SeriesPlots list={drawable} />
          {drawable.truncated && <p class="note">Only {SERIES} of {count(instrument.series)} series are drawn.</p>}
          <LastBuckets list={drawable} />
          <Exemplars list={drawable} />
        </>
      )}
    </section>
  );
}

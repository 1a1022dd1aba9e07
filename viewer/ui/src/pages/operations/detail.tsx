/** One operation: how its durations are spread, how it fails, and spans to look at. */

import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { address } from '../../api/client';
import type { Bucket, Operation, OperationDetail, Sample, Tally } from '../../api/types';
import { toSpan } from '../../app/address';
import { useAnswer } from '../../app/ask';
import { scope } from '../../app/scope';
import { compact, count, duration, rate } from '../../format/number';
import { clock } from '../../format/time';
import { type Curve, Plot } from '../../parts/plot';
import { Problem } from '../../parts/problem';
import { Service } from '../../parts/service';
import { quote } from '../../query/parse';
import type { Kind } from '../../trace/model';
import { Histogram } from './histogram';

export function Detail({ operation, params }: { readonly operation: Operation; readonly params: URLSearchParams }) {
  const { service, name, kind } = operation;
  const { data, error } = useAnswer<OperationDetail>(address('/operations/detail', { ...scope(params), service, name, kind }), { live: true });
  if (error) return <Problem error={error} />;
  if (!data) return null;
  const search = `service=${quote(service)} name=${quote(name)} kind=${kind}`;
  return (
    <section class="detail" aria-label={`Operation ${name}`}>
      <h2>
        <Service name={service} /> {name || '(no name)'} <span class="muted">{kind}</span>
      </h2>
      <div class="cards">
        <Card title="Durations" wide>
          <Histogram histogram={data.histogram} search={search} />
        </Card>
        <Card title="Over time" wide>
          <Series series={data.series} />
        </Card>
        <Card title="Status codes">
          <Tallies tallies={data.statusCodes} kind={kind} none="no status code was seen" />
        </Card>
        <Card title="Error types">
          <Tallies tallies={data.errorTypes} kind={kind} none="no error" failed />
        </Card>
        <Card title="Slowest">
          <Samples samples={data.slowest} kind={kind} none="nothing yet" />
        </Card>
        <Card title="Failed last">
          <Samples samples={data.failed} kind={kind} none="nothing failed" />
        </Card>
        <Card title="Running now">
          <Samples samples={data.runningNow} kind={kind} none="nothing runs" />
        </Card>
        <Card title="A sample of each">
          <Buckets buckets={data.buckets} kind={kind} />
        </Card>
      </div>
    </section>
  );
}

function Card({ title, wide = false, children }: { readonly title: string; readonly wide?: boolean; readonly children: ComponentChildren }) {
  return (
    <section class={wide ? 'card wide-card' : 'card'}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** All spans of an operation are of one kind. */
interface OfKind {
  readonly kind: Kind;
}

function Series({ series: { start, step, count: counts, errors, p50, p95 } }: { readonly series: OperationDetail['series'] }) {
  const times = useMemo(() => counts.map((_, at) => start + at * step), [start, step, counts]);
  const durations: Curve[] = useMemo(() => [{ name: 'p50', colour: 'hue-1', values: p50 }, { name: 'p95', colour: 'hue-2', values: p95 }], [p50, p95]);
  const rates: Curve[] = useMemo(() => {
    const perSecond = (values: readonly number[]): number[] => values.map((value) => value / (step / 1e6));
    return [{ name: 'all', colour: 'hue-6', values: perSecond(counts) }, { name: 'failed', colour: 'failed', values: perSecond(errors) }];
  }, [counts, errors, step]);
  return (
    <div class="two">
      <Plot label="Duration" times={times} curves={durations} format={duration} />
      <Plot label="Rate" times={times} curves={rates} format={rate} />
    </div>
  );
}

interface TalliesProps extends OfKind {
  readonly tallies: readonly Tally[];
  readonly none: string;
  readonly failed?: boolean;
}

function Tallies({ tallies, kind, none, failed = false }: TalliesProps) {
  if (tallies.length === 0) return <p class="muted">{none}</p>;
  const all = tallies.reduce((sum, tally) => sum + tally.count, 0);
  return (
    <table class="plain">
      <tbody>
        {tallies.map(({ value, count: seen, sample }) => (
          <tr key={value}>
            <td class={failed || /^[5]\d\d$/.test(value) ? 'failed long' : 'long'}>{value}</td>
            <td>
              <meter min={0} max={all} value={seen} aria-hidden="true" />
            </td>
            <td class="number">{count(seen)}</td>
            <td>
              <a href={toSpan(sample.trace, sample.span, kind)}>sample</a>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Samples({ samples, kind, none }: OfKind & { readonly samples: readonly Sample[]; readonly none: string }) {
  if (samples.length === 0) return <p class="muted">{none}</p>;
  return (
    <table class="plain">
      <tbody>
        {samples.map((sample) => (
          <tr key={sample.span}>
            <td class="number muted">{clock(sample.start / 1000)}</td>
            <td class="number">
              <a href={toSpan(sample.trace, sample.span, kind)}>{duration(sample.duration)}</a>
            </td>
            <td class="failed long">{sample.error ? `× ${sample.message}` : ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Buckets({ buckets, kind }: OfKind & { readonly buckets: readonly Bucket[] }) {
  return (
    <table class="plain">
      <tbody>
        {buckets.map(({ from, to, count: seen, samples }) => (
          <tr key={from} class={seen === 0 ? 'muted' : ''}>
            <th scope="row" class="number">{from === 0 ? '' : `≥ ${duration(from)}`}{from === 0 && to != null ? `< ${duration(to)}` : ''}</th>
            <td class="number">{compact(seen)}</td>
            <td class="samples">
              {samples.map((sample) => (
                <a key={sample.span} class={sample.error ? 'failed' : ''} href={toSpan(sample.trace, sample.span, kind)} title={`${clock(sample.start / 1000)} ${sample.message}`}>
                  {sample.error ? '× ' : ''}
                  {duration(sample.duration)}
                </a>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

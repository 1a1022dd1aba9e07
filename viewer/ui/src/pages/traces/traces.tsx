/** The traces as they come: a scatter of their durations, and the list. */

import { useEffect, useMemo, useState } from 'preact/hooks';
import { address } from '../../api/client';
import type { Points, Stats, TraceList as Page, TraceSummary } from '../../api/types';
import { change } from '../../app/address';
import { type Answer, useAnswer } from '../../app/ask';
import { useCell } from '../../app/cell';
import { revision } from '../../app/live';
import { type Paged, usePages } from '../../app/paging';
import { scope } from '../../app/scope';
import { plural } from '../../format/number';
import { Empty } from '../../parts/empty';
import { Problem } from '../../parts/problem';
import { TraceList } from './list';
import { type Box, Scatter } from './scatter';
import type { Window } from './scales';

export interface TracesProps {
  readonly params: URLSearchParams;
  readonly stats: Stats | undefined;
}

const ORDERS = ['newest', 'slowest', 'errors', 'spans'] as const;

export function TracesPage({ params, stats }: TracesProps) {
  const asked = scope(params);
  const order = params.get('order') ?? undefined;
  const [top, setTop] = useState(true);
  const pages = usePages<Page, TraceSummary>(address('/traces', { ...asked, order, limit: 200 }), top, ({ traces }) => traces);
  const points = useAnswer<Points>(address('/traces/points', asked), { live: true });
  const error = pages.error ?? points.error;
  return (
    <div class="page traces">
      {error && <Problem error={error} query={params.get('q') ?? ''} />}
      {points.data && points.data.ids.length > 0 && (
        <Scatter points={points.data} window={windowOf(params, stats)} onBox={(box) => searchBox(params, box)} />
      )}
      <div class="toolbar" hidden={pages.items.length === 0}>
        <span class="number">{countWords(points, pages)}</span>
        {params.has('from') && (
          <button class="quiet" onClick={() => change({ from: null, to: null }, { entry: true })}>
            leave the box
          </button>
        )}
        <span class="push" />
        <News top={top} order={order} />
        <label>
          order{' '}
          <select value={order ?? 'newest'} onChange={({ currentTarget }) => change({ order: currentTarget.value === 'newest' ? null : currentTarget.value })}>
            {ORDERS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
      </div>
      {pages.items.length > 0 ? (
        <TraceList traces={pages.items} onEnd={pages.more} onTop={setTop} />
      ) : (
        pages.settled && !error && <Empty what="traces" stats={stats} params={params} some={(stats?.traces ?? 0) > 0} />
      )}
    </div>
  );
}

function countWords({ data }: Answer<Points>, { items }: Paged<TraceSummary>): string {
  if (!data) return '';
  return `${plural(data.matched, 'trace')}${data.thinned && items.length > 0 ? ', not all of them drawn' : ''}`;
}

/** What has come while the list is scrolled down, where it stands still. */
function News({ top, order }: { readonly top: boolean; readonly order: string | undefined }) {
  const now = useCell(revision);
  const [seen, setSeen] = useState(now);
  useEffect(() => {
    if (top) setSeen(now);
  }, [top, now]);
  if (top || now === seen || order) return null;
  return (
    <button class="news" onClick={() => document.querySelector('.rows')?.scrollTo({ top: 0 })}>
      new traces above
    </button>
  );
}

function windowOf(params: URLSearchParams, stats: Stats | undefined): Window {
  const { from, to, last } = scope(params);
  return useMemo(() => {
    if (from !== undefined || to !== undefined) return { from: numberOf(from), to: numberOf(to) };
    if (last === undefined || !stats) return { from: undefined, to: undefined };
    return { from: stats.now - Number(last) * 1e6, to: stats.now };
  }, [from, to, last, stats]);
}

function numberOf(text: string | number | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}

/** A box says when by the address, and how long by the search. */
function searchBox(params: URLSearchParams, { from, to, least, most }: Box): void {
  const kept = (params.get('q') ?? '').replace(/(^|\s)trace\.duration[<>]=?\S+/g, '').trim();
  const [low, high] = [`trace.duration>=${inWords(least)}`, `trace.duration<=${inWords(most)}`];
  change({ q: `${kept} ${low} ${high}`.trim(), from, to }, { entry: true });
}

function inWords(nanoseconds: number): string {
  return nanoseconds < 1e6 ? `${Math.max(0, Math.round(nanoseconds / 1e3))}us` : `${Number((nanoseconds / 1e6).toPrecision(3))}ms`;
}

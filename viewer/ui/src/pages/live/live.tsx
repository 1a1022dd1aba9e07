/** What happens now, second by second. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { Failure, Tick } from '../../api/types';
import { toSpan } from '../../app/address';
import { type Cell, useCell } from '../../app/cell';
import { failures, held, ticks } from '../../app/live';
import { bytes, compact, durationOf, percent, type Quantity, text } from '../../format/number';
import { clock } from '../../format/time';
import { Service } from '../../parts/service';
import { Sparkline } from '../../parts/sparkline';
import { duration } from '../../format/number';

export function LivePage() {
  const shown = useHeld(ticks);
  const feed = useHeld(failures);
  const now = shown.at(-1);
  return (
    <div class="page scroll live">
      <h1 class="unseen">Live</h1>
      <div class="tiles">
        <Tile name="requests" value={perSecond(now?.requests)}>
          <Sparkline wide values={column(shown, 'requests')} label="requests a second" />
        </Tile>
        <Tile name="failures" value={perSecond(now?.failures)} failed={(now?.failures ?? 0) > 0}>
          <Sparkline wide values={column(shown, 'failures')} failed={column(shown, 'failures')} label="failures a second" />
        </Tile>
        <Tile name="duration p50" value={durationQuantity(now?.p50)} more={`p95 ${now?.p95 == null ? '–' : duration(now.p95)}`}>
          <Sparkline wide values={column(shown, 'p95')} label="p95 of each second" />
        </Tile>
        <Tile name="outgoing calls" value={perSecond(now?.calls)} more={<span class={now?.callFailures ? 'failed' : ''}>{now?.callFailures ?? 0} failed</span>}>
          <Sparkline wide values={column(shown, 'calls')} failed={column(shown, 'callFailures')} label="outgoing calls a second" />
        </Tile>
        <Tile name="in flight" value={plainQuantity(now?.inFlight)} more={now?.inFlight == null ? 'nobody sends it' : ''}>
          <Sparkline wide values={column(shown, 'inFlight')} label="requests in flight" />
        </Tile>
        <Tile name="processor" value={{ number: now?.cpu == null ? '–' : percent(now.cpu), unit: '' }} more={machine(now)}>
          <Sparkline wide values={column(shown, 'cpu')} label="share of the processor" />
        </Tile>
      </div>
      <p class="muted number">
        last {Math.max(1, Math.round(shown.length / 60))} min · one second a step{now ? ` · ${clock(now.time / 1000).slice(0, 8)}` : ''}
      </p>
      <Feed failures={feed} />
    </div>
  );
}

/** What a cell held when everything was told to stand still. */
function useHeld<T>(cell: Cell<T>): T {
  const value = useCell(cell);
  const still = useCell(held);
  const kept = useRef(value);
  if (!still) kept.current = value;
  return kept.current;
}

function column(ticks: readonly Tick[], key: keyof Tick): (number | null)[] {
  return ticks.map((tick) => tick[key]);
}

function perSecond(value: number | undefined): Quantity {
  return { number: value === undefined ? '–' : compact(value).replace(/\.0+$/, ''), unit: '/s' };
}

function plainQuantity(value: number | null | undefined): Quantity {
  return { number: value == null ? '–' : compact(value).replace(/\.0+$/, ''), unit: '' };
}

function durationQuantity(value: number | null | undefined): Quantity {
  return value == null ? { number: '–', unit: '' } : durationOf(value);
}

function machine(now: Tick | undefined): string {
  const parts = [now?.memory == null ? '' : bytes(now.memory), now?.busy == null ? '' : `runtime ${percent(now.busy)}`];
  return parts.filter((part) => part !== '').join(' · ') || 'nobody sends it';
}

interface TileProps {
  readonly name: string;
  readonly value: Quantity;
  readonly more?: ComponentChildren;
  readonly failed?: boolean;
  readonly children: ComponentChildren;
}

function Tile({ name, value, more = '', failed = false, children }: TileProps) {
  return (
    <section class="tile" aria-label={`${name}: ${text(value)}`}>
      <h2>{name}</h2>
      <p class={failed ? 'big number failed' : 'big number'}>
        {value.number}
        <span class="unit"> {value.unit}</span>
      </p>
      <p class="number muted more">{more}</p>
      {children}
    </section>
  );
}

function Feed({ failures }: { readonly failures: readonly Failure[] }) {
  return (
    <section>
      <h2>Failures and slow requests</h2>
      {failures.length === 0 && <p class="muted">None since this page was opened, nor in the minutes before.</p>}
      <table class="list feed">
        <tbody>
          {failures.map((failure) => (
            <tr key={`${failure.trace} ${failure.span} ${failure.kind}`}>
              <td class="number muted">{clock(failure.time / 1000)}</td>
              <td>
                <Service name={failure.service} /> <a href={toSpan(failure.trace, failure.span, failure.kind)}>{failure.name || '(no name)'}</a>
              </td>
              <td class="number">{duration(failure.duration)}</td>
              <td class={failure.why === 'error' ? 'failed long' : 'slow long'}>{failure.why === 'error' ? `× ${failure.message}` : 'slow'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

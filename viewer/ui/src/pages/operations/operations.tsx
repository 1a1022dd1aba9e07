/** What services do: how often, how fast, and how well. */

import { address } from '../../api/client';
import type { Operation, OperationList, Stats } from '../../api/types';
import { change } from '../../app/address';
import { useAnswer } from '../../app/ask';
import { scope } from '../../app/scope';
import { count, duration, percent, plural, rate } from '../../format/number';
import { Empty } from '../../parts/empty';
import { Problem } from '../../parts/problem';
import { Service } from '../../parts/service';
import { type Order, SortableHead, useSorted } from '../../parts/sorted';
import { Sparkline } from '../../parts/sparkline';
import { Detail } from './detail';

export interface OperationsProps {
  readonly params: URLSearchParams;
  readonly stats: Stats | undefined;
}

const KINDS: readonly (readonly [kind: string, words: string])[] = [
  ['entry', 'requests'],
  ['calls', 'outgoing calls'],
  ['all', 'all spans'],
];

const ORDERS: readonly Order<Operation>[] = [
  { name: 'operation', of: ({ service, name }) => `${service} ${name}` },
  { name: 'count', of: ({ count }) => count, number: true },
  { name: 'rate', of: ({ rate }) => rate, number: true },
  { name: 'errors', of: ({ errorShare }) => errorShare, number: true, title: 'how many, and the share of all' },
  { name: 'mean', of: ({ mean }) => mean ?? -1, number: true },
  { name: 'p50', of: ({ p50 }) => p50 ?? -1, number: true, title: 'half of them were faster' },
  { name: 'p95', of: ({ p95 }) => p95 ?? -1, number: true, title: '95 of 100 were faster' },
  { name: 'p99', of: ({ p99 }) => p99 ?? -1, number: true, title: '99 of 100 were faster' },
  { name: 'time', of: ({ share }) => share, number: true, title: 'share of the time of all operations in this table' },
];

/** More rows than anybody reads; the search finds the others. */
const MOST = 200;
const NONE: readonly Operation[] = [];

export function OperationsPage({ params, stats }: OperationsProps) {
  const kind = params.get('kind') ?? 'entry';
  const { data, error, pending } = useAnswer<OperationList>(address('/operations', { ...scope(params), kind }), { live: true });
  const operations = data?.operations ?? NONE;
  const sorted = useSorted(operations, ORDERS, 'time');
  const chosen = operations.find((operation) => isChosen(operation, params)) ?? sorted.items[0];
  return (
    <div class="page scroll operations">
      {error && <Problem error={error} query={params.get('q') ?? ''} />}
      <div class="toolbar">
        <div class="tabs" role="group" aria-label="Kind of span">
          {KINDS.map(([each, words]) => (
            <button key={each} class="quiet" aria-pressed={each === kind} onClick={() => change({ kind: each === 'entry' ? null : each }, { entry: true })}>
              {words}
            </button>
          ))}
        </div>
        <span class="number muted">{plural(operations.length, 'operation')}</span>
      </div>
      {operations.length > 0 && (
        <div class="wide">
          <table class="list">
            <SortableHead orders={ORDERS} sorted={sorted} />
            <tbody>
              {sorted.items.slice(0, MOST).map((operation) => (
                <Line key={`${operation.kind} ${operation.service} ${operation.name}`} operation={operation} chosen={operation === chosen} />
              ))}
            </tbody>
          </table>
          {operations.length > MOST && <p class="muted">The first {MOST} of {count(operations.length)}.</p>}
        </div>
      )}
      {chosen && <Detail key={`${chosen.service} ${chosen.name} ${chosen.kind}`} operation={chosen} params={params} />}
      {operations.length === 0 && !pending && !error && <Empty what="operations" stats={stats} params={params} some={(stats?.spans ?? 0) > 0} />}
    </div>
  );
}

function isChosen({ service, name, kind }: Operation, params: URLSearchParams): boolean {
  return params.get('of') === service && params.get('name') === name && params.get('as') === kind;
}

function Line({ operation, chosen }: { readonly operation: Operation; readonly chosen: boolean }) {
  const { service, name, kind } = operation;
  return (
    <tr class={chosen ? 'chosen' : ''} onClick={() => change({ of: service, name, as: kind })}>
      <td>
        <Service name={service} />{' '}
        <button class="link" aria-pressed={chosen} onClick={() => change({ of: service, name, as: kind })}>
          {name || '(no name)'}
        </button>{' '}
        {operation.running > 0 && <span class="tag running">{count(operation.running)} running</span>}
      </td>
      <td class="number">{count(operation.count)}</td>
      <td class="number">
        <Sparkline values={operation.spark} failed={operation.sparkErrors} label={`${count(operation.count)} over time`} /> <span class="fixed">{rate(operation.rate)}</span>
      </td>
      <td class={operation.errors > 0 ? 'number failed' : 'number muted'}>{operation.errors > 0 ? `${count(operation.errors)} · ${percent(operation.errorShare)}` : '0'}</td>
      <td class="number">{duration(operation.mean)}</td>
      <td class="number">{duration(operation.p50)}</td>
      <td class="number">{duration(operation.p95)}</td>
      <td class="number">{duration(operation.p99)}</td>
      <td class="number">
        <meter min={0} max={1} value={operation.share} aria-hidden="true" /> <span class="fixed">{percent(operation.share)}</span>
      </td>
    </tr>
  );
}

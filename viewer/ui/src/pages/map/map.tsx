/** Services and what they call, from left to right. */

import { address } from '../../api/client';
import type { MapEdge, ServiceMap, Stats } from '../../api/types';
import { to } from '../../app/address';
import { useAnswer } from '../../app/ask';
import { scope } from '../../app/scope';
import { count, duration, percent, rate } from '../../format/number';
import { Empty } from '../../parts/empty';
import { Problem } from '../../parts/problem';
import { edgeKey } from './layout';
import { Picture } from './picture';

export interface MapProps {
  readonly params: URLSearchParams;
  readonly stats: Stats | undefined;
}

export function MapPage({ params, stats }: MapProps) {
  const { service: _, ...asked } = scope(params, { search: false });
  const { data, error, pending } = useAnswer<ServiceMap>(address('/map', asked), { live: true });
  if (error) return <Problem error={error} />;
  if (data && data.nodes.length > 0) return <Shown map={data} />;
  return pending ? null : <Empty what="services" stats={stats} params={params} some={(stats?.spans ?? 0) > 0} />;
}

function Shown({ map }: { readonly map: ServiceMap }) {
  const names = new Map(map.nodes.map(({ id, name }) => [id, name]));
  const edges = map.edges.toSorted((one, other) => other.rate - one.rate);
  return (
    <div class="page scroll">
      <Picture map={map} />
      <div class="wide">
        <table class="list">
          <caption class="unseen">Calls between services</caption>
          <thead>
            <tr>
              <th scope="col">calls</th>
              <th scope="col" class="number">count</th>
              <th scope="col" class="number">rate</th>
              <th scope="col" class="number">errors</th>
              <th scope="col" class="number">p50</th>
              <th scope="col" class="number">p95</th>
              <th scope="col" class="number">p99</th>
              <th scope="col" class="number" title="median of what the server’s span does not explain">network</th>
            </tr>
          </thead>
          <tbody>
            {edges.map((edge) => (
              <EdgeLine key={edgeKey(edge)} edge={edge} names={names} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function EdgeLine({ edge, names }: { readonly edge: MapEdge; readonly names: ReadonlyMap<string, string> }) {
  return (
    <tr>
      <td>
        <a href={to('/traces', { q: edge.search, service: null })}>
          {names.get(edge.from) ?? edge.from} → {names.get(edge.to) ?? edge.to}
        </a>
      </td>
      <td class="number">{count(edge.calls)}</td>
      <td class="number">{rate(edge.rate)}</td>
      <td class={edge.errors > 0 ? 'number failed' : 'number muted'}>{edge.errors > 0 ? `${count(edge.errors)} · ${percent(edge.errorShare)}` : '0'}</td>
      <td class="number">{duration(edge.p50)}</td>
      <td class="number">{duration(edge.p95)}</td>
      <td class="number">{duration(edge.p99)}</td>
      <td class="number">{edge.network == null ? '–' : duration(edge.network)}</td>
    </tr>
  );
}

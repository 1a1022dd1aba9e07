/** Which page is shown for an address. */

import { useEffect } from 'preact/hooks';
import { address as apiAddress } from '../api/client';
import type { Stats } from '../api/types';
import { LivePage } from '../pages/live/live';
import { LogsPage } from '../pages/logs/logs';
import { MetricsPage } from '../pages/metrics/metrics';
import { OperationsPage } from '../pages/operations/operations';
import { ComparePage } from '../pages/trace/compare';
import { nextMatch } from '../pages/trace/find';
import { OpenPage, TracePage } from '../pages/trace/trace';
import { TracesPage } from '../pages/traces/traces';
import { type Address, change, go, to, useAddress } from './address';
import { useAnswer } from './ask';
import { Frame } from './frame';
import { Guard } from './guard';
import { assignHues } from './hue';
import { lazy } from './lazy';
import { Search } from './search';

/** Its layout is a third of all the code. */
const MapPage = lazy(() => import('../pages/map/map').then((module) => module.MapPage));

export function App() {
  const address = useAddress();
  const { data: stats } = useAnswer<Stats>(apiAddress('/stats'), { live: true });
  if (stats) assignHues(stats.services.map(({ name }) => name));
  useEffect(() => {
    document.title = title(address);
  }, [address]);
  return (
    <Frame address={address} stats={stats} search={<PageSearch address={address} />}>
      <Guard key={address.path.join('/')}>
        <PageOf address={address} stats={stats} />
      </Guard>
    </Frame>
  );
}

function PageOf({ address, stats }: { readonly address: Address; readonly stats: Stats | undefined }) {
  const { path, params, fragment } = address;
  const [page, id = '', other = ''] = path;
  switch (page) {
    case 'traces':
      return <TracesPage params={params} stats={stats} />;
    case 'trace':
      return <TracePage key={id} id={id} params={params} />;
    case 'open':
      return <OpenPage key={fragment} fragment={fragment} params={params} />;
    case 'compare':
      return <ComparePage key={`${id}/${other}`} one={id} other={other} params={params} />;
    case 'map':
      return <MapPage params={params} stats={stats} />;
    case 'operations':
      return <OperationsPage params={params} stats={stats} />;
    case 'live':
      return <LivePage />;
    case 'metrics':
      return <MetricsPage params={params} stats={stats} />;
    case 'logs':
      return <LogsPage params={params} stats={stats} />;
    default:
      return (
        <p class="notice">
          There is no page at this address. <a href="/traces">To the traces</a>
        </p>
      );
  }
}

/** Lists are searched by the server; a trace is searched here; from other pages the search leads to the traces. */
function PageSearch({ address: { path, params } }: { readonly address: Address }) {
  const [page = ''] = path;
  const parameters = { signal: page === 'logs' ? 'logs' : undefined };
  if (page === 'trace' || page === 'open') {
    const search = (find: string): void => change({ find });
    return (
      <Search label="Find in this trace" placeholder="find in this trace: db  error  duration>10ms" value={params.get('find') ?? ''} parameters={parameters} onSearch={search} onAgain={nextMatch} />
    );
  }
  const here = page === 'traces' || page === 'operations' || page === 'logs';
  const search = (q: string): void => (here ? change({ q }, { entry: true }) : q === '' ? undefined : go(to('/traces', { q })));
  const placeholder = page === 'logs' ? 'search: level>=warn  service=shop  timeout' : 'search: http.route=/db error   duration>200ms';
  return <Search label="Search" placeholder={placeholder} value={here ? (params.get('q') ?? '') : ''} parameters={parameters} elsewhere={!here} onSearch={search} />;
}

function title({ path, params }: Address): string {
  const [page = 'traces', id = ''] = path;
  const about = page === 'trace' ? `trace ${id.slice(0, 8)}` : [page, params.get('q') ?? ''].filter((part) => part !== '').join(' · ');
  return `${about} · otelhttp`;
}

/** How full the store is, and what can be done with it. */

import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { post } from '../api/client';
import type { Stats } from '../api/types';
import { bytes, count, plural } from '../format/number';
import { Menu } from '../parts/menu';
import { importFiles } from './files';

export function StoreMenu({ stats }: { readonly stats: Stats | undefined }) {
  if (!stats) return <span class="gauge muted">…</span>;
  const label = (
    <span class="gauge number">
      <meter min={0} max={1} value={stats.bytes / stats.limits.bytes} aria-hidden="true" />
      {stats.paused && <strong class="slow">not taking in · </strong>}
      {plural(stats.spans, 'span')} · {bytes(stats.bytes)} of {bytes(stats.limits.bytes)}
    </span>
  );
  return (
    <Menu label={label} title="The store: what is kept, and what was let go">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">signal</th>
            <th scope="col" class="number">kept</th>
            <th scope="col" class="number">at most</th>
            <th scope="col" class="number">received</th>
            <th scope="col" class="number">aged out</th>
            <th scope="col" class="number">refused</th>
          </tr>
        </thead>
        <tbody>
          <Signal name="spans" stats={stats} />
          <Signal name="logs" stats={stats} />
          <Signal name="points" stats={stats} />
        </tbody>
      </table>
      <p class="muted">
        {plural(stats.traces, 'trace')}, {count(stats.kept)} of them kept only as slow or failed samples · {plural(stats.running, 'span')} running
      </p>
      <Addresses stats={stats} />
      <div class="buttons">
        <ImportButton>import files</ImportButton>
        <button type="button" onClick={() => void post('/pause', JSON.stringify({ paused: !stats.paused }))}>
          {stats.paused ? 'take in again' : 'stop taking in'}
        </button>
      </div>
      <p class="muted">otelhttp-viewer {stats.version}</p>
    </Menu>
  );
}

function Signal({ name, stats }: { readonly name: 'spans' | 'logs' | 'points'; readonly stats: Stats }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">{count(stats[name])}</td>
      <td class="number">{count(stats.limits[name])}</td>
      <td class="number">{count(stats.received[name])}</td>
      <td class="number">{count(stats.evicted[name])}</td>
      <td class={stats.dropped[name] > 0 ? 'number slow' : 'number'}>{count(stats.dropped[name])}</td>
    </tr>
  );
}

function Addresses({ stats }: { readonly stats: Stats }) {
  const { http, grpc, embedded } = stats.intake;
  if (!http && !grpc) return embedded ? <p class="muted">Telemetry comes from the process that serves this page.</p> : null;
  return (
    <p>
      OTLP{' '}
      {http && (
        <>
          over HTTP at <code>{http}</code>
        </>
      )}
      {http && grpc && ', '}
      {grpc && (
        <>
          over gRPC at <code>{grpc}</code>
        </>
      )}
    </p>
  );
}

/** Takes files: OTLP, Jaeger's JSON, or what this viewer exports. */
export function ImportButton({ children }: { readonly children: ComponentChildren }) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState('');
  const take = async (chosen: HTMLInputElement): Promise<void> => {
    const files = [...(chosen.files ?? [])];
    // Or choosing the same file again would be no change.
    chosen.value = '';
    setProblem(await importFiles(files));
  };
  return (
    <span class="import">
      <button type="button" onClick={() => input.current?.click()}>
        {children}
      </button>
      <input ref={input} type="file" multiple hidden aria-label="Files" onChange={({ currentTarget }) => void take(currentTarget)} />
      {problem !== '' && (
        <span class="failed" role="alert">
          {problem}
        </span>
      )}
    </span>
  );
}

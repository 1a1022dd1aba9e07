/** Where there is nothing to see: why, and what to do about it. */

import { post } from '../api/client';
import type { Stats } from '../api/types';
import { change, go } from '../app/address';
import { rangeWords } from '../app/scope';
import { ImportButton } from '../app/store';
import { Copy } from './copy';

export interface EmptyProps {
  /** What there is none of. */
  readonly what: string;
  readonly stats: Stats | undefined;
  readonly params: URLSearchParams;
  /** There is some of it, but not in the search, the service or the range. */
  readonly some: boolean;
}

export function Empty({ what, stats, params, some }: EmptyProps) {
  if (!stats) return null;
  return some ? <Elsewhere what={what} params={params} /> : <Beginning what={what} stats={stats} />;
}

function Elsewhere({ what, params }: { readonly what: string; readonly params: URLSearchParams }) {
  const [q, service] = [params.get('q') ?? '', params.get('service') ?? ''];
  const everything = params.get('last') === 'all' && !params.has('from');
  return (
    <section class="empty">
      <h1>
        No {what} here
      </h1>
      <p>
        {everything ? 'Of all that is kept' : `In: ${rangeWords(params)}`}
        {service !== '' && <>, service <code>{service}</code></>}
        {q !== '' && <>, search <code>{q}</code></>}
      </p>
      <div class="buttons">
        {!everything && <button onClick={() => change({ last: 'all', from: null, to: null }, { entry: true })}>all that is kept</button>}
        {service !== '' && <button onClick={() => change({ service: null }, { entry: true })}>all services</button>}
        {q !== '' && <button onClick={() => change({ q: null }, { entry: true })}>clear the search</button>}
      </div>
    </section>
  );
}

const CARGO = 'cargo add otelhttp-viewer';
const EMBED = `let viewer = otelhttp_viewer::Viewer::new().serve("127.0.0.1:8700")?;
let provider = SdkTracerProvider::builder()
    .with_span_processor(viewer.span_processor())
    .build();
opentelemetry::global::set_tracer_provider(provider);`;

function Beginning({ what, stats }: { readonly what: string; readonly stats: Stats }) {
  const { http, grpc } = stats.intake;
  return (
    <section class="empty">
      <h1>No {what} yet</h1>
      <p>
        They show up here as they come.{' '}
        <button class="main" onClick={() => void sendTestTrace()}>
          send a test trace
        </button>
      </p>
      {(http ?? grpc) != null && <h2>From a program in any language</h2>}
      {http != null && <Snippet text={`OTEL_EXPORTER_OTLP_ENDPOINT=${http}`} />}
      {http != null && grpc != null && <p>or, if it speaks gRPC, as Python’s SDK does unless told otherwise</p>}
      {grpc != null && <Snippet text={`OTEL_EXPORTER_OTLP_ENDPOINT=${grpc}`} />}
      <h2>From a Rust program, in itself</h2>
      <Snippet text={CARGO} />
      <Snippet text={EMBED} />
      <h2>From a file</h2>
      <p>
        OTLP or Jaeger’s JSON: drop files on this page, or <ImportButton>choose them</ImportButton>
      </p>
    </section>
  );
}

function Snippet({ text }: { readonly text: string }) {
  return (
    <div class="snippet">
      <pre>{text}</pre>
      <Copy what="these lines" text={() => text} />
    </div>
  );
}

async function sendTestTrace(): Promise<void> {
  const { id } = await post<{ id: string }>('/test-trace');
  go(`/trace/${id}`);
}

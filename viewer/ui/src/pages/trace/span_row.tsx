/** One span of the waterfall. */

import { hueOf } from '../../app/hue';
import { duration, durationOf } from '../../format/number';
import { Icon } from '../../parts/icon';
import { type Row, serviceOf } from '../../trace/analysis';
import type { Log, Trace } from '../../trace/model';
import { plain } from '../../trace/value';
import type { Zoom } from './state';

export interface SpanRowProps {
  readonly row: Row;
  readonly trace: Trace;
  readonly zoom: Zoom;
  readonly critical: boolean;
  readonly folded: boolean;
  readonly logs: readonly Log[];
  readonly onFold: () => void;
}

/** Deeper rows stand where these do: names must keep some room. */
const DEEPEST = 14;
/** Dots of one row; more cannot be told apart. */
const DOTS = 60;

/** Who calls and who is called have one name often. */
export const ARROWS: Readonly<Record<string, string>> = { client: '→ ', producer: '⇢ ', consumer: '⇠ ' };

export function SpanRow({ row, trace, zoom, critical, folded, logs, onFold }: SpanRowProps) {
  const { span, depth, size } = row;
  const service = serviceOf(trace, span);
  const [whole, self] = [durationOf(row.end - row.start), durationOf(row.self)];
  const failed = span.status === 'error';
  return (
    <>
      <span class="span-name" role="gridcell" style={{ paddingLeft: `${Math.min(depth, DEEPEST) * 12}px` }} title={`${service} ${span.name}`}>
        {size > 1 ? (
          <button class={folded ? 'fold' : 'fold open'} tabIndex={-1} aria-label={folded ? 'Unfold' : 'Fold'} onClick={onFold}>
            <Icon shape="caret" />
          </button>
        ) : (
          <span class="fold" />
        )}
        <span class={`service hue-${hueOf(service)}`}>{service}</span>
        <span class={failed ? 'failed name' : 'name'}>
          {failed && <span aria-label="failed">× </span>}
          {ARROWS[span.kind]}
          {span.name || '(no name)'}
        </span>
        {folded && <span class="tag">+{size - 1}</span>}
      </span>
      <span class={`timeline hue-${hueOf(service)}`} role="gridcell">
        <Bars row={row} zoom={zoom} critical={critical} />
        <Dots row={row} logs={logs} zoom={zoom} />
        <Note row={row} zoom={zoom} />
      </span>
      <span class="quantity number" role="gridcell">
        {whole.number} <span class="unit">{whole.unit}</span>
      </span>
      <span class="quantity number self muted" role="gridcell">
        {self.number} <span class="unit">{self.unit}</span>
      </span>
    </>
  );
}

interface Part {
  readonly row: Row;
  readonly zoom: Zoom;
}

/** Place and width of a stretch of time, or nothing if it is out of sight. */
function stretch(from: number, to: number, zoom: Zoom): { left: string; width: string } | undefined {
  if (to < zoom.from || from > zoom.to) return undefined;
  const scale = 100 / (zoom.to - zoom.from);
  const left = Math.max(0, (from - zoom.from) * scale);
  const right = Math.min(100, (to - zoom.from) * scale);
  return { left: `${left.toFixed(3)}%`, width: `${(right - left).toFixed(3)}%` };
}

function Bars({ row, zoom, critical }: Part & { readonly critical: boolean }) {
  const server = row.children.find(({ pair }) => pair !== undefined);
  const inner = server && { from: Math.max(row.start, server.start), to: Math.min(row.end, server.end) };
  const bar = stretch(row.start, row.end, zoom);
  return (
    <>
      {bar && <span class={row.span.end === null ? 'bar running' : 'bar'} style={bar} />}
      {inner && inner.to > inner.from && (
        <>
          <Stretch kind="gap" from={row.start} to={inner.from} zoom={zoom} />
          <Stretch kind="gap" from={inner.to} to={row.end} zoom={zoom} />
        </>
      )}
      {row.outlives > 0 && row.parent && <Stretch kind="beyond" from={Math.max(row.start, row.parent.end)} to={row.end} zoom={zoom} />}
      {critical && merged(row, zoom).map(([from, to]) => <Stretch key={from} kind="critical" from={from} to={to} zoom={zoom} />)}
    </>
  );
}

/** Segments with less between them than can be seen are one: a row must not have thousands. */
function merged({ critical }: Row, zoom: Zoom): [from: number, to: number][] {
  const seen = (zoom.to - zoom.from) / 200;
  const segments: [number, number][] = [];
  // The latest comes first.
  for (const [from, to] of critical) {
    const later = segments.at(-1);
    if (to < zoom.from || from > zoom.to) continue;
    if (later && later[0] - to < seen) later[0] = from;
    else segments.push([from, to]);
  }
  return segments;
}

interface StretchProps {
  readonly kind: 'gap' | 'beyond' | 'critical';
  readonly from: number;
  readonly to: number;
  readonly zoom: Zoom;
}

function Stretch({ kind, from, to, zoom }: StretchProps) {
  const place = to > from ? stretch(from, to, zoom) : undefined;
  return place ? <span class={kind} style={place} /> : null;
}

function Dots({ row, logs, zoom }: Part & { readonly logs: readonly Log[] }) {
  const { events } = row.span;
  if (events.length === 0 && logs.length === 0) return null;
  const at = (time: number): { left: string } | undefined => {
    const place = stretch(time + row.offset, time + row.offset, zoom);
    return place && { left: place.left };
  };
  return (
    <>
      {events.slice(0, DOTS).map(({ name, time }, index) => {
        const place = at(time);
        return place && <span key={`e${index}`} class={name === 'exception' ? 'dot is-failed' : 'dot'} style={place} title={`event: ${name}`} />;
      })}
      {logs.slice(0, DOTS).map(({ body, level, severity, time }, index) => {
        const place = at(time);
        return place && <span key={`l${index}`} class={severity >= 17 ? 'dot log is-failed' : 'dot log'} style={place} title={`${level} ${plain(body).slice(0, 200)}`} />;
      })}
    </>
  );
}

/** Words beside the bar, on the side that has room. */
function Note({ row, zoom }: Part) {
  const words = noteOf(row);
  const bar = stretch(row.start, row.end, zoom);
  if (words === '' || !bar) return null;
  const [left, right] = [Number.parseFloat(bar.left), Number.parseFloat(bar.left) + Number.parseFloat(bar.width)];
  if (right < 72) return <span class="bar-note" style={{ left: `${right}%`, maxWidth: `${100 - right}%` }}>{words}</span>;
  if (left > 30) return <span class="bar-note before" style={{ right: `${100 - left}%`, maxWidth: bar.left }}>{words}</span>;
  return <span class="bar-note inside" style={{ left: `${left}%`, maxWidth: bar.width }}>{words}</span>;
}

/** A server that ends with its client may do so a little later; that is no news. */
const NEWS = 0.02;

function noteOf({ span, children, outlives, pair, parent, start, end, lost }: Row): string {
  const notes: string[] = [];
  if (span.end === null) notes.push('running');
  if (span.status === 'error' && span.message !== '') notes.push(span.message.slice(0, 120));
  const gap = children.find((child) => child.pair !== undefined)?.pair;
  if (gap) notes.push(`gap ${duration(gap.request)} + ${duration(gap.response)}`);
  if (parent && outlives > (pair ? NEWS * (end - start) : 0)) notes.push(`outlives its parent by ${duration(outlives)}`);
  if (lost) notes.push('its parent has not come');
  return notes.join(' · ');
}

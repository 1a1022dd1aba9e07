/** Two traces side by side, over one scale of time. */

import { useMemo, useState } from 'preact/hooks';
import { change, go } from '../../app/address';
import { hueOf } from '../../app/hue';
import { count, duration, plural } from '../../format/number';
import { day, milliseconds } from '../../format/time';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/rows';
import { useNarrow } from '../../parts/size';
import { type Analysis, analyse, type Row, serviceOf } from '../../trace/analysis';
import { compared, type PairRow } from '../../trace/compare';
import { moment, type Trace } from '../../trace/model';
import { ARROWS } from './span_row';
import { useTrace } from './trace';

export interface CompareProps {
  readonly one: string;
  readonly other: string;
  readonly params: URLSearchParams;
}

export function ComparePage({ one, other, params }: CompareProps) {
  const [first, second] = [useTrace(one), useTrace(other)];
  const error = first.error ?? second.error;
  if (error) return <Problem error={error} />;
  return first.data && second.data ? <Compared one={first.data} other={second.data} params={params} /> : <p class="notice">…</p>;
}

interface ComparedProps {
  readonly one: Trace;
  readonly other: Trace;
  readonly params: URLSearchParams;
}

function Compared({ one, other, params }: ComparedProps) {
  const [first, second] = [useMemo(() => analyse(one), [one]), useMemo(() => analyse(other), [other])];
  const onlyDifferences = params.get('only') === 'differences';
  const all = useMemo(() => compared(first, second), [first, second]);
  const rows = onlyDifferences ? all.filter(({ one, other }) => !one || !other || one.span.status !== other.span.status) : all;
  const [active, setActive] = useState(0);
  const narrow = useNarrow();
  const scale = Math.max(1, first.end - first.start, second.end - second.start);
  const open = ({ one: left, other: right }: PairRow): void => {
    if (left) go(`/trace/${one.id}?span=${left.key}`);
    else if (right) go(`/trace/${other.id}?span=${right.key}`);
  };
  return (
    <div class="page compare">
      <div class="toolbar">
        <TraceFacts name="A" analysis={first} />
        <TraceFacts name="B" analysis={second} />
        <span class="number">
          B − A: <Difference of={second.end - second.start - (first.end - first.start)} base={first.end - first.start} />
        </span>
        <span class="push" />
        <label class="check">
          <input type="checkbox" checked={onlyDifferences} onChange={() => change({ only: onlyDifferences ? null : 'differences' })} /> only spans of one side, or with another status
        </label>
        <a href={`/compare/${other.id}/${one.id}`}>swap</a>
      </div>
      <Rows
        items={rows}
        height={narrow ? 58 : 22}
        label="Spans of both traces"
        role="treegrid"
        keyOf={({ key }) => key}
        active={active}
        onActive={setActive}
        onOpen={open}
        autoFocus
        row={({ one, other, depth }) => ({ class: `compare-row ${one ? (other ? '' : 'only-a') : 'only-b'}`, 'aria-level': depth + 1 })}
        render={(pair) => <PairLine pair={pair} first={first} second={second} scale={scale} />}
      />
    </div>
  );
}

function TraceFacts({ name, analysis: { trace, rows, start, end, errors } }: { readonly name: string; readonly analysis: Analysis }) {
  return (
    <span class="number">
      <strong>{name}</strong> <a href={`/trace/${trace.id}`}>{rows[0]?.span.name || '(no name)'}</a> {duration(end - start)} · {plural(rows.length, 'span')}
      {errors > 0 && <span class="failed"> · × {count(errors)}</span>} <span class="muted">{day(milliseconds(moment(trace, start)))}</span>
    </span>
  );
}

interface PairLineProps {
  readonly pair: PairRow;
  readonly first: Analysis;
  readonly second: Analysis;
  readonly scale: number;
}

function PairLine({ pair: { one, other, depth }, first, second, scale }: PairLineProps) {
  const [row, analysis] = one ? [one, first] : [other, second];
  if (!row) return null;
  const service = serviceOf(analysis.trace, row.span);
  return (
    <>
      <span class="span-name" role="gridcell" style={{ paddingLeft: `${Math.min(depth, 14) * 12}px` }}>
        <span class={`service hue-${hueOf(service)}`}>{service}</span>
        <span class="name">
          {ARROWS[row.span.kind]}
          {row.span.name || '(no name)'}
        </span>
        {!other && <span class="tag">only A</span>}
        {!one && <span class="tag">only B</span>}
      </span>
      <SideBar row={one} analysis={first} scale={scale} side="one" />
      <SideBar row={other} analysis={second} scale={scale} side="other" />
      <span class="quantity number difference" role="gridcell">
        {one && other && <Difference of={other.end - other.start - (one.end - one.start)} base={one.end - one.start} />}
      </span>
    </>
  );
}

interface SideProps {
  readonly row: Row | undefined;
  readonly analysis: Analysis;
  readonly scale: number;
  readonly side: 'one' | 'other';
}

function SideBar({ row, analysis, scale, side }: SideProps) {
  const left = row ? ((row.start - analysis.start) / scale) * 100 : 0;
  const width = row ? ((row.end - row.start) / scale) * 100 : 0;
  const failed = row?.span.status === 'error';
  return (
    <>
      <span class={`timeline ${side} ${row ? `hue-${hueOf(serviceOf(analysis.trace, row.span))}` : ''}`} role="gridcell">
        {row && <span class="bar" style={{ left: `${left.toFixed(3)}%`, width: `${width.toFixed(3)}%` }} />}
      </span>
      <span class={`quantity number ${side}-number ${failed ? 'failed' : ''}`} role="gridcell">
        {row && `${failed ? '× ' : ''}${duration(row.end - row.start)}`}
      </span>
    </>
  );
}

/** Less than this share is noise. */
const NOISE = 0.1;

function Difference({ of, base }: { readonly of: number; readonly base: number }) {
  const big = Math.abs(of) > base * NOISE && Math.abs(of) > 1e5;
  return <span class={big && of > 0 ? 'slow' : 'muted'}>{`${of > 0 ? '+' : of < 0 ? '−' : ''}${duration(Math.abs(of))}`}</span>;
}

/** The spans of a trace as bars over time, a row for each. */

import { useMemo } from 'preact/hooks';
import { linear } from '../../format/ticks';
import { duration, round } from '../../format/number';
import { Rows } from '../../parts/rows';
import { useNarrow } from '../../parts/size';
import { type Analysis, logsByRow, type Row, unfolded } from '../../trace/analysis';
import type { Log } from '../../trace/model';
import { Minimap } from './minimap';
import { SpanRow } from './span_row';
import { fold, type State, toggled, type Zoom } from './state';

export interface WaterfallProps {
  readonly analysis: Analysis;
  readonly state: State;
  readonly matches: readonly Row[];
  readonly active: Row | undefined;
  readonly onActive: (row: Row | undefined) => void;
  readonly onOpen: (row: Row) => void;
}

export function Waterfall({ analysis, state, matches, active, onActive, onOpen }: WaterfallProps) {
  const narrow = useNarrow();
  const rows = useMemo(() => unfolded(analysis.rows, state.folded), [analysis, state.folded]);
  const found = useMemo(() => new Set(matches), [matches]);
  const logs = useMemo(() => logsByRow(analysis), [analysis]);
  const emphasis = (row: Row): string => (state.find === '' ? '' : found.has(row) ? 'found' : 'dim');
  return (
    <div class="waterfall">
      <Minimap analysis={analysis} zoom={state.zoom} />
      <Axis zoom={state.zoom} start={analysis.start} />
      <Rows
        items={rows}
        height={narrow ? 40 : 22}
        label="Spans"
        role="treegrid"
        keyOf={({ key }) => key}
        active={rows.findIndex((row) => row === active)}
        onActive={(index) => onActive(rows[index])}
        onOpen={onOpen}
        autoFocus
        row={(row) => ({
          class: `span-row ${emphasis(row)}`,
          'aria-level': row.depth + 1,
          ...(row.size > 1 ? { 'aria-expanded': !state.folded.has(row.key) } : {}),
        })}
        render={(row) => (
          <SpanRow
            row={row}
            trace={analysis.trace}
            zoom={state.zoom}
            critical={state.critical}
            folded={state.folded.has(row.key)}
            logs={logs.get(row) ?? NO_LOGS}
            onFold={() => fold(toggled(state.folded, row.key))}
          />
        )}
      />
    </div>
  );
}

const NO_LOGS: readonly Log[] = [];

function Axis({ zoom, start }: { readonly zoom: Zoom; readonly start: number }) {
  const [from, to] = [zoom.from - start, zoom.to - start];
  // A mark at the very end has no room for its words.
  const ticks = linear(from, to - (to - from) * 0.07, 6);
  return (
    <div class="axis span-row" aria-hidden="true">
      <span class="span-name">span</span>
      <span class="timeline">
        {ticks.map((tick) => (
          <span key={tick} class="tick number" style={{ left: `${(((tick - from) / (to - from)) * 100).toFixed(3)}%` }}>
            {tick === 0 ? '0' : round(duration(tick))}
          </span>
        ))}
      </span>
      <span class="quantity">duration</span>
      <span class="quantity self">self</span>
    </div>
  );
}

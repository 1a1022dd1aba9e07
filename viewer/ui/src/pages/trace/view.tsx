/** A trace that has been read: its head, the view that was chosen, and the drawer beside it. */

import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { change } from '../../app/address';
import type { Analysis, Row } from '../../trace/analysis';
import { Drawer } from './drawer';
import { found, next, onNextMatch } from './find';
import { Flame } from './flame';
import { Head } from './head';
import { useTraceKeys } from './keys';
import { stateOf } from './state';
import { Table } from './table';
import { Waterfall } from './waterfall';

export interface TraceViewProps {
  readonly analysis: Analysis;
  readonly params: URLSearchParams;
  /** It is a trace of the server, and not of the address alone. */
  readonly live: boolean;
}

export function TraceView({ analysis, params, live }: TraceViewProps) {
  const state = useMemo(() => stateOf(params, analysis), [params, analysis]);
  const [active, setActive] = useState<string | undefined>(state.span ?? analysis.rows[0]?.span.id);
  const matches = useMemo(() => found(state.find, analysis), [state.find, analysis]);
  const rowOf = (id: string | null | undefined): Row | undefined => analysis.rows.find(({ span }) => span.id === id);
  const activeRow = rowOf(active);
  const opened = useMemo(() => rowOf(state.span), [state.span, analysis]);
  const choose = (row: Row | undefined): void => {
    if (!row) return;
    setActive(row.span.id);
    // An open drawer shows what is chosen.
    if (state.span !== null) change({ span: row.span.id });
  };
  const reveal = (row: Row | undefined): void => {
    if (!row) return;
    const ancestors = new Set<string>();
    for (let above = row.parent; above; above = above.parent) ancestors.add(above.span.id);
    const hidden = [...state.folded].some((id) => ancestors.has(id));
    if (hidden) change({ fold: [...state.folded].filter((id) => !ancestors.has(id)).join('.') });
    choose(row);
  };
  // Both at once: the next key goes on from here.
  useLayoutEffect(() => {
    if (state.span !== null) setActive(state.span);
  }, [state.span]);
  useLayoutEffect(() => onNextMatch((backwards) => reveal(next(matches, activeRow?.index ?? -1, backwards))));
  useTraceKeys({ analysis, state, active: activeRow, choose, reveal });
  const open = (row: Row): void => {
    setActive(row.span.id);
    change({ span: row.span.id });
  };
  return (
    <div class="page trace">
      <Head analysis={analysis} state={state} live={live} matches={matches} onMatch={(backwards) => reveal(next(matches, activeRow?.index ?? -1, backwards))} />
      <div class={opened ? 'trace-body with-drawer' : 'trace-body'}>
        {state.view === 'waterfall' && <Waterfall analysis={analysis} state={state} matches={matches} active={active} onActive={choose} onOpen={open} />}
        {state.view === 'flame' && <Flame analysis={analysis} onOpen={open} />}
        {state.view === 'table' && <Table analysis={analysis} onOpen={open} />}
        {opened && <Drawer key={opened.span.id} row={opened} analysis={analysis} onOpen={reveal} />}
      </div>
    </div>
  );
}

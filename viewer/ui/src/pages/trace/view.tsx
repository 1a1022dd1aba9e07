/** A trace that has been read: its head, the view that was chosen, and the drawer beside it. */

import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { change } from '../../app/address';
import { type Analysis, type Row, rowAt } from '../../trace/analysis';
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
  const [active, setActive] = useState<string | undefined>(state.span ?? analysis.rows[0]?.key);
  const matches = useMemo(() => found(state.find, analysis), [state.find, analysis]);
  const activeRow = useMemo(() => rowAt(analysis.rows, active), [active, analysis]);
  const opened = useMemo(() => rowAt(analysis.rows, state.span), [state.span, analysis]);
  const choose = (row: Row | undefined): void => {
    if (!row) return;
    setActive(row.key);
    // An open drawer shows what is chosen.
    if (state.span !== null) change({ span: row.key });
  };
  const reveal = (row: Row | undefined): void => {
    if (!row) return;
    const ancestors = new Set<string>();
    for (let above = row.parent; above; above = above.parent) ancestors.add(above.key);
    const hidden = [...state.folded].some((key) => ancestors.has(key));
    if (hidden) change({ fold: [...state.folded].filter((key) => !ancestors.has(key)).join('.') });
    choose(row);
  };
  // Both at once: the next key goes on from here.
  useLayoutEffect(() => {
    if (state.span !== null) setActive(state.span);
  }, [state.span]);
  useLayoutEffect(() => onNextMatch((backwards) => reveal(next(matches, activeRow?.index ?? -1, backwards))));
  useTraceKeys({ analysis, state, active: activeRow, choose, reveal });
  const open = (row: Row): void => {
    setActive(row.key);
    change({ span: row.key });
  };
  return (
    <div class="page trace">
      <Head analysis={analysis} state={state} live={live} matches={matches} onMatch={(backwards) => reveal(next(matches, activeRow?.index ?? -1, backwards))} />
      <div class={opened ? 'trace-body with-drawer' : 'trace-body'}>
        {state.view === 'waterfall' && <Waterfall analysis={analysis} state={state} matches={matches} active={activeRow} onActive={choose} onOpen={open} />}
        {state.view === 'flame' && <Flame analysis={analysis} onOpen={open} />}
        {state.view === 'table' && <Table analysis={analysis} onOpen={open} />}
        {opened && <Drawer key={opened.key} row={opened} analysis={analysis} onOpen={reveal} />}
      </div>
    </div>
  );
}

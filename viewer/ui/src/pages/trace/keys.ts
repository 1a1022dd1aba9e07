/** The keys of a trace. */

import { useLayoutEffect, useRef } from 'preact/hooks';
import { change, go, to } from '../../app/address';
import { type Analysis, type Row, unfolded } from '../../trace/analysis';
import { next } from './find';
import { fold, pan, type State, toggled, zoomBy } from './state';

export interface KeysOf {
  readonly analysis: Analysis;
  readonly state: State;
  readonly active: Row | undefined;
  readonly choose: (row: Row | undefined) => void;
  readonly reveal: (row: Row | undefined) => void;
}

export function useTraceKeys(of: KeysOf): void {
  const latest = useRef(of);
  latest.current = of;
  // At once, and no longer than the page is there: keys do not wait for a paint.
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target instanceof Element && event.target.closest('input, select, textarea, dialog')) return;
      const act = ACTS[event.key];
      if (!act) return;
      act(latest.current);
      event.preventDefault();
    };
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, []);
}

type Act = (of: KeysOf) => void;

const ACTS: Readonly<Record<string, Act | undefined>> = {
  j: (of) => step(of, 1),
  k: (of) => step(of, -1),
  h: foldOrLeave,
  ArrowLeft: foldOrLeave,
  l: unfoldOrEnter,
  ArrowRight: unfoldOrEnter,
  n: (of) => toError(of, false),
  N: (of) => toError(of, true),
  c: ({ state }) => change({ critical: state.critical ? '0' : null }),
  '[': ({ state, active, analysis }) => zoomBy(state.zoom, 2, middle(active, state), analysis),
  ']': ({ state, active, analysis }) => zoomBy(state.zoom, 0.5, middle(active, state), analysis),
  '{': ({ state, analysis }) => pan(state.zoom, -0.25, analysis),
  '}': ({ state, analysis }) => pan(state.zoom, 0.25, analysis),
  Enter: ({ active }) => change({ span: active?.key }),
  Escape: leave,
};

function step({ analysis, state, active, choose }: KeysOf, by: number): void {
  const rows = unfolded(analysis.rows, state.folded);
  const at = rows.findIndex((row) => row === active);
  choose(rows[Math.max(0, Math.min(rows.length - 1, at + by))]);
}

function foldOrLeave({ state, active, choose }: KeysOf): void {
  if (!active) return;
  if (active.size > 1 && !state.folded.has(active.key)) fold(toggled(state.folded, active.key, true));
  else choose(active.parent);
}

function unfoldOrEnter({ state, active, choose }: KeysOf): void {
  if (!active) return;
  if (state.folded.has(active.key)) fold(toggled(state.folded, active.key, false));
  else choose(active.children[0]);
}

function toError({ analysis, active, reveal }: KeysOf, backwards: boolean): void {
  reveal(next(analysis.rows.filter(({ span }) => span.status === 'error'), active?.index ?? -1, backwards));
}

function middle(active: Row | undefined, { zoom }: State): number {
  return active ? (active.start + active.end) / 2 : (zoom.from + zoom.to) / 2;
}

function leave({ state }: KeysOf): void {
  if (state.span !== null) change({ span: null });
  else if (state.find !== '') change({ find: null });
  else go(to('/traces'));
}

/** What of a trace is shown and how, all of it in the address. */

import { change } from '../../app/address';
import type { Analysis } from '../../trace/analysis';

export const VIEWS = ['waterfall', 'flame', 'table'] as const;
export type View = (typeof VIEWS)[number];

export interface Zoom {
  readonly from: number;
  readonly to: number;
}

export interface State {
  readonly view: View;
  /** The span in the drawer, by its key. */
  readonly span: string | null;
  readonly folded: ReadonlySet<string>;
  readonly find: string;
  readonly critical: boolean;
  readonly zoom: Zoom;
}

/** An address has no room for more. */
const FOLDS = 200;

export function stateOf(params: URLSearchParams, analysis: Analysis): State {
  return {
    view: VIEWS.find((view) => view === params.get('view')) ?? 'waterfall',
    span: params.get('span'),
    folded: new Set(params.get('fold')?.split('.')),
    find: params.get('find') ?? '',
    critical: params.get('critical') !== '0',
    zoom: zoomOf(params.get('zoom'), analysis),
  };
}

function zoomOf(text: string | null, { start, end }: Analysis): Zoom {
  const [from = Number.NaN, to = Number.NaN] = (text ?? '').split('~').map(Number);
  return from < to ? within({ from, to }, { start, end }) : { from: start, to: Math.max(end, start + 1) };
}

/** At least a thousandth of a microsecond, and nothing outside of the trace. */
function within({ from, to }: Zoom, { start, end }: { readonly start: number; readonly end: number }): Zoom {
  const width = Math.max(1, Math.min(to - from, end - start));
  const first = Math.max(start, Math.min(from, end - width));
  return { from: first, to: first + width };
}

export function zoomTo(zoom: Zoom, analysis: Analysis): void {
  const { from, to } = within(zoom, analysis);
  const whole = from <= analysis.start && to >= analysis.end;
  change({ zoom: whole ? null : `${Math.round(from)}~${Math.round(to)}` });
}

export function zoomBy({ from, to }: Zoom, factor: number, around: number, analysis: Analysis): void {
  const centre = Math.max(from, Math.min(to, around));
  zoomTo({ from: centre - (centre - from) * factor, to: centre + (to - centre) * factor }, analysis);
}

export function pan({ from, to }: Zoom, share: number, analysis: Analysis): void {
  const by = (to - from) * share;
  zoomTo({ from: from + by, to: to + by }, analysis);
}

export function fold(folded: ReadonlySet<string>): void {
  change({ fold: [...folded].filter((key) => key !== '').slice(0, FOLDS).join('.') });
}

export function toggled(folded: ReadonlySet<string>, key: string, on = !folded.has(key)): ReadonlySet<string> {
  const next = new Set(folded);
  if (on) next.add(key);
  else next.delete(key);
  return next;
}

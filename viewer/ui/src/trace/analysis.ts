/** What can be read off a trace: rows in order, clocks made to agree, pairs, own times, the critical path. */

import { groupBy } from './group';
import type { Log, Span, Trace } from './model';
import { markCriticalPath, selfTime } from './path';
import { type Skew, skews } from './skew';
import { type Node, tree } from './tree';

/** Time on the network between a client span and the server span that it caused, in nanoseconds. */
export interface Gap {
  readonly request: number;
  readonly response: number;
}

export interface Row {
  readonly span: Span;
  /** What it is called in addresses: its id, or if that means another span, its id and kind. */
  readonly key: string;
  readonly index: number;
  readonly depth: number;
  readonly parent: Row | undefined;
  readonly children: readonly Row[];
  /** Rows of this one and all below it. */
  readonly size: number;
  /** The parent that it names is not here. */
  readonly lost: boolean;
  /** Corrected for the clock of its process, in nanoseconds since the trace's base. */
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  /** On a server span: what lies between it and its client's. */
  readonly pair: Gap | undefined;
  /** How long it went on after its parent had ended. */
  readonly outlives: number;
  self: number;
  /** Segments of this row on the critical path, the latest first. */
  readonly critical: [from: number, to: number][];
}

export interface Analysis {
  readonly trace: Trace;
  readonly rows: readonly Row[];
  readonly start: number;
  readonly end: number;
  /** Names of services, in order of appearance. */
  readonly services: readonly string[];
  readonly errors: number;
  readonly running: number;
  readonly skews: readonly Skew[];
}

export function analyse(trace: Trace): Analysis {
  const nodes = tree(trace.spans);
  const offsets = skews(nodes);
  const rows: Row[] = [];
  for (const node of nodes) rows.push(row(node, node.parent && rows[node.parent.index], offsets.get(node.span.resource) ?? 0, trace.now));
  for (const [at, node] of nodes.entries()) {
    const own = rows[at];
    if (own) own.self = link(own, node, rows);
  }
  for (const each of rows) if (each.depth === 0) markCriticalPath(each);
  return {
    trace,
    rows,
    start: least(rows),
    end: rows.reduce((latest, { end }) => Math.max(latest, end), 0),
    services: [...new Set(rows.map(({ span }) => serviceOf(trace, span)))],
    errors: rows.filter(({ span }) => span.status === 'error').length,
    running: rows.filter(({ span }) => span.end === null).length,
    skews: [...offsets].map(([resource, offset]) => ({ resource, offset })),
  };
}

export function serviceOf(trace: Trace, span: Span): string {
  return trace.resources[span.resource]?.service ?? '';
}

function least(rows: readonly Row[]): number {
  return rows.length === 0 ? 0 : rows.reduce((earliest, { start }) => Math.min(earliest, start), Infinity);
}

function row({ span, key, index, depth, size, lost }: Node, parent: Row | undefined, offset: number, now: number): Row {
  const start = span.start + offset;
  const end = Math.max(start, (span.end ?? now) + offset);
  const outlives = parent && parent.span.end !== null ? Math.max(0, end - parent.end) : 0;
  const paired = parent?.span.kind === 'client' && span.kind === 'server';
  const pair = paired ? { request: Math.max(0, start - parent.start), response: Math.max(0, parent.end - end) } : undefined;
  return { span, key, index, depth, size, lost, parent, children: [], start, end, offset, pair, outlives, self: 0, critical: [] };
}

/** Gives a row its children, and returns its own time. */
function link(own: Row, node: Node, rows: readonly Row[]): number {
  const children = own.children as Row[];
  for (const child of node.children) children.push(rows[child.index] as Row);
  if (own.offset !== 0 || children.some(({ offset }) => offset !== 0)) children.sort((one, other) => one.start - other.start);
  return selfTime(own);
}

/** The row that an address means: an id, or an id and a kind, which is known where the other spans of the id may not be. */
export function rowAt(rows: readonly Row[], address: string | null | undefined): Row | undefined {
  return rows.find(({ key }) => key === address) ?? rows.find(({ span }) => `${span.id}-${span.kind}` === address);
}

/** Log lines by the span that they are of: of spans that share an id, the one of the same process. */
export function logsByRow({ rows, trace }: Analysis): Map<Row | undefined, Log[]> {
  const byId = groupBy(rows, ({ span }) => span.id);
  return groupBy(trace.logs, (log) => {
    const same = log.span === null ? [] : (byId.get(log.span) ?? []);
    return same.find(({ span }) => span.resource === log.resource) ?? same.find(({ key }) => key === log.span);
  });
}

/** The rows to be shown when some are folded. */
export function unfolded(rows: readonly Row[], folded: ReadonlySet<string>): Row[] {
  const shown: Row[] = [];
  for (let at = 0; at < rows.length; ) {
    const row = rows[at] as Row;
    shown.push(row);
    at += folded.has(row.key) ? row.size : 1;
  }
  return shown;
}

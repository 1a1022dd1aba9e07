/**
 * Clocks that differ. A server cannot have begun before its client asked, nor after the client was answered: where it
 * seems so, the clock of the server's process is off, and everything of that process is moved by one amount.
 */

import type { Node } from './tree';

export interface Skew {
  /** Which of the trace's resources. */
  readonly resource: number;
  /** Nanoseconds added to the times of this process. */
  readonly offset: number;
}

interface Bounds {
  least: number;
  most: number;
  /** A client had its answer before the server began: no pause of the network does that. */
  late: boolean;
}

/** What must be added to the times of each process; nothing for those whose clocks agree. */
export function skews(nodes: readonly Node[]): Map<number, number> {
  const offsets = new Map<number, number>();
  const edges = bounds(nodes);
  const first = nodes[0]?.span.resource;
  const waiting = first === undefined ? [] : [first];
  const seen = new Set(waiting);
  for (let caller = waiting.shift(); caller !== undefined; caller = waiting.shift()) {
    for (const [callee, bound] of edges.get(caller) ?? []) {
      if (seen.has(callee)) continue;
      seen.add(callee);
      waiting.push(callee);
      const offset = (offsets.get(caller) ?? 0) + correction(bound);
      if (offset !== 0) offsets.set(callee, offset);
    }
  }
  return offsets;
}

function correction({ least, most, late }: Bounds): number {
  // A server that only ends too late is no proof: its client may have gone away.
  if (least <= 0 && !late) return 0;
  return least <= most ? (least + most) / 2 : least;
}

function bounds(nodes: readonly Node[]): Map<number, Map<number, Bounds>> {
  const edges = new Map<number, Map<number, Bounds>>();
  for (const { span, parent } of nodes) {
    if (!parent || parent.span.resource === span.resource || span.kind !== 'server') continue;
    const client = parent.span;
    const callees = edges.get(client.resource) ?? new Map<number, Bounds>();
    edges.set(client.resource, callees);
    const known = callees.get(span.resource) ?? { least: -Infinity, most: Infinity, late: false };
    callees.set(span.resource, {
      least: Math.max(known.least, client.start - span.start),
      most: client.end === null || span.end === null ? known.most : Math.min(known.most, client.end - span.end),
      late: known.late || (client.end !== null && span.start > client.end),
    });
  }
  return edges;
}

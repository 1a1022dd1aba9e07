/** Where the time went: a span's own time, and the one chain of spans that made the trace as long as it was. */

import type { Row } from './analysis';

/** Time of a span during which none of its children was at work, in nanoseconds. */
export function selfTime(row: Row): number {
  let covered = 0;
  let until = row.start;
  // Children come sorted by start.
  for (const child of row.children) {
    const from = Math.max(child.start, until);
    const to = Math.min(child.end, row.end);
    if (to <= from) continue;
    covered += to - from;
    until = to;
  }
  return Math.max(0, row.end - row.start - covered);
}

interface Step {
  readonly row: Row;
  /** From the end back to here, the path is known. */
  at: number;
  /** Children that the parent can have waited for, the last to end on top. */
  readonly waiting: Row[];
}

/**
 * Marks the segments of the critical path on each row. It is walked from the root's end backwards: before a moment, what
 * was waited for is the child that ended last; where no child was at work, it is the span itself.
 */
export function markCriticalPath(root: Row): void {
  const steps: Step[] = [step(root, root.end)];
  for (let top = steps.at(-1); top; top = steps.at(-1)) {
    const child = top.waiting.pop();
    if (child === undefined) {
      mark(top.row, top.row.start, top.at);
      steps.pop();
      const below = steps.at(-1);
      // A child may have begun before its parent.
      if (below) below.at = Math.min(below.at, top.row.start, top.at);
      continue;
    }
    const end = Math.min(child.end, top.row.end);
    // One that was still at work when the next began is not what the next had waited for.
    if (end > top.at || end <= child.start || end <= top.row.start) continue;
    mark(top.row, end, top.at);
    top.at = end;
    steps.push(step(child, end));
  }
}

function step(row: Row, at: number): Step {
  // Nobody waited for a child that outlives its parent; only a server may answer its client before it has ended itself.
  const waiting = row.children.filter((child) => child.outlives === 0 || child.pair !== undefined);
  return { row, at, waiting: waiting.sort((one, other) => one.end - other.end || other.start - one.start) };
}

function mark(row: Row, from: number, to: number): void {
  if (to > from) row.critical.push([from, to]);
}

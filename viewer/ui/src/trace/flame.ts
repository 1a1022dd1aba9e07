/** A trace as a flame: spans of one way of calls are one block, as wide as the time in which it or a callee was at work. */

import { type Analysis, type Row, serviceOf } from './analysis';

export interface Block {
  readonly service: string;
  readonly name: string;
  readonly depth: number;
  /** Nanoseconds of own time, of all its spans together. */
  self: number;
  /** Own time and that of all below. */
  total: number;
  /** Where it begins, on the axis of total time. */
  at: number;
  count: number;
  errors: number;
  readonly parent: Block | undefined;
  readonly children: Map<string, Block>;
  /** The longest of its spans. */
  sample: Row;
}

/** All blocks, callers before callees, widest first among siblings. */
export function flame({ rows, trace }: Analysis): Block[] {
  const roots = new Map<string, Block>();
  const blockOf: Block[] = [];
  const blocks: Block[] = [];
  for (const row of rows) {
    const parent = row.parent && blockOf[row.parent.index];
    const service = serviceOf(trace, row.span);
    const siblings = parent?.children ?? roots;
    const key = `${service}\n${row.span.kind}\n${row.span.name}`;
    let block = siblings.get(key);
    if (!block) {
      block = { service, name: row.span.name, depth: row.depth, self: 0, total: 0, at: 0, count: 0, errors: 0, parent, children: new Map(), sample: row };
      siblings.set(key, block);
      blocks.push(block);
    }
    add(block, row);
    blockOf.push(block);
  }
  return placed(roots, blocks);
}

function add(block: Block, row: Row): void {
  block.self += row.self;
  block.count++;
  if (row.span.status === 'error') block.errors++;
  if (row.end - row.start > block.sample.end - block.sample.start) block.sample = row;
}

function placed(roots: ReadonlyMap<string, Block>, blocks: Block[]): Block[] {
  // Callees come after their callers in `blocks`.
  for (const block of blocks.toReversed()) {
    block.total += block.self;
    if (block.parent) block.parent.total += block.total;
  }
  const ordered: Block[] = [];
  const waiting: Block[] = [];
  const push = (siblings: ReadonlyMap<string, Block>, from: number): void => {
    const sorted = [...siblings.values()].sort((one, other) => other.total - one.total);
    for (const block of sorted) {
      block.at = from;
      from += block.total;
    }
    waiting.push(...sorted.toReversed());
  };
  push(roots, 0);
  for (let block = waiting.pop(); block; block = waiting.pop()) {
    ordered.push(block);
    push(block.children, block.at);
  }
  return ordered;
}

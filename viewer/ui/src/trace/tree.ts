/** Parents and children, in the order in which rows are shown. All loops, since a chain may be 20,000 spans deep. */

import type { Span } from './model';

export interface Node {
  readonly span: Span;
  /** The place in the order of rows. */
  index: number;
  depth: number;
  parent: Node | undefined;
  readonly children: Node[];
  /** Rows of this node and all below it. */
  size: number;
  /** The parent it names is not here: it never came, or it is part of a circle. */
  lost: boolean;
}

/** All nodes, parents before children, siblings by their start. */
export function tree(spans: readonly Span[]): Node[] {
  const nodes = distinct(spans);
  const roots = adopt(nodes);
  const ordered = walk(roots);
  for (const node of rescued(nodes, ordered)) ordered.push(...walk([node], ordered.length));
  measure(ordered);
  return ordered;
}

/** A span that came twice counts once: the one that has ended, else the later. */
function distinct(spans: readonly Span[]): Map<string, Node> {
  const nodes = new Map<string, Node>();
  for (const span of spans) {
    const known = nodes.get(span.id);
    if (known && (known.span.end !== null || span.end === null)) continue;
    nodes.set(span.id, { span, index: -1, depth: 0, parent: undefined, children: [], size: 1, lost: false });
  }
  return nodes;
}

function adopt(nodes: Map<string, Node>): Node[] {
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const { id, parent } = node.span;
    node.parent = parent === null || parent === id ? undefined : nodes.get(parent);
    node.lost = node.parent === undefined && parent !== null;
    (node.parent?.children ?? roots).push(node);
  }
  for (const { children } of nodes.values()) children.sort(byStart);
  return roots.sort(byStart);
}

function byStart(one: Node, other: Node): number {
  return one.span.start - other.span.start || (other.span.end ?? Infinity) - (one.span.end ?? Infinity) || (one.span.id < other.span.id ? -1 : 1);
}

function walk(roots: readonly Node[], from = 0): Node[] {
  const ordered: Node[] = [];
  const waiting = roots.toReversed();
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    node.index = from + ordered.length;
    node.depth = node.parent ? node.parent.depth + 1 : 0;
    ordered.push(node);
    for (let at = node.children.length - 1; at >= 0; at--) waiting.push(node.children[at] as Node);
  }
  return ordered;
}

/** Spans in a circle hang below no root. Each circle is cut at its earliest span, and what is below it stays there. */
function* rescued(nodes: Map<string, Node>, ordered: readonly Node[]): Generator<Node> {
  if (ordered.length === nodes.size) return;
  for (const node of [...nodes.values()].sort(byStart)) {
    if (node.index >= 0) continue;
    const top = circleAbove(node).reduce((one, other) => (byStart(one, other) <= 0 ? one : other));
    const siblings = top.parent?.children;
    siblings?.splice(siblings.indexOf(top), 1);
    top.parent = undefined;
    top.lost = true;
    yield top;
  }
}

/** On the way up from a span below no root, the first that comes twice is in the circle. */
function circleAbove(node: Node): Node[] {
  const way = new Set<Node>();
  let at: Node | undefined = node;
  for (; at && !way.has(at); at = at.parent) way.add(at);
  const walked = [...way];
  return at ? walked.slice(walked.indexOf(at)) : walked;
}

function measure(ordered: readonly Node[]): void {
  for (const node of ordered.toReversed()) if (node.parent) node.parent.size += node.size;
}

/** Parents and children, in the order in which rows are shown. All loops, since a chain may be 20,000 spans deep. */

import { isCall, isServed, type Span } from './model';

export interface Node {
  readonly span: Span;
  /** What it is called in addresses: its id, or if that means another span, its id and kind. */
  key: string;
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
  const byId = distinct(spans);
  const nodes = [...byId.values()].flat();
  const roots = adopt(nodes, byId);
  const ordered = walk(roots);
  for (const node of rescued(nodes, ordered)) ordered.push(...walk([node], ordered.length));
  measure(ordered);
  return ordered;
}

/** The spans of each id, of which the first is what the id means to others. */
type ById = ReadonlyMap<string, Node[]>;

/**
 * Old tracers give a call and what served it one id: a span is known by its id and its kind. One that came twice counts once, and
 * the one that has ended is believed.
 */
function distinct(spans: readonly Span[]): ById {
  const byId = new Map<string, Node[]>();
  for (const span of spans) {
    const node: Node = { span, key: span.id, index: -1, depth: 0, parent: undefined, children: [], size: 1, lost: false };
    const same = byId.get(span.id);
    if (same) join(same, node);
    else byId.set(span.id, [node]);
  }
  return byId;
}

function join(same: Node[], node: Node): void {
  const { kind, end } = node.span;
  const at = same.findIndex(({ span }) => span.kind === kind);
  const first = same[0];
  if (at >= 0) {
    if (same[at]?.span.end === null && end !== null) same[at] = { ...node, key: same[at].key };
  } else if (first && isServed(kind) && !isServed(first.span.kind)) {
    // What has this id as its parent is below what served.
    first.key = `${first.span.id}-${first.span.kind}`;
    same.unshift(node);
  } else {
    same.push({ ...node, key: `${node.span.id}-${kind}` });
  }
}

function adopt(nodes: readonly Node[], byId: ById): Node[] {
  const roots: Node[] = [];
  for (const node of nodes) {
    node.parent = above(node, byId);
    node.lost = node.parent === undefined && node.span.parent !== null;
    (node.parent?.children ?? roots).push(node);
  }
  for (const { children } of nodes) children.sort(byStart);
  return roots.sort(byStart);
}

/** What served is below the call of its id; all else is below what its parent's id means. */
function above(node: Node, byId: ById): Node | undefined {
  const { id, kind, parent } = node.span;
  const call = isServed(kind) ? byId.get(id)?.find(({ span }) => isCall(span.kind)) : undefined;
  const found = call ?? (parent === null ? undefined : byId.get(parent)?.[0]);
  return found === node ? undefined : found;
}

function byStart(one: Node, other: Node): number {
  return one.span.start - other.span.start || (other.span.end ?? Infinity) - (one.span.end ?? Infinity) || (one.key < other.key ? -1 : 1);
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
function* rescued(nodes: readonly Node[], ordered: readonly Node[]): Generator<Node> {
  if (ordered.length === nodes.length) return;
  for (const node of nodes.toSorted(byStart)) {
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

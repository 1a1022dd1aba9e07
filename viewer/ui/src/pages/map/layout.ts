/** Where services stand on the map. It depends on who calls whom and on nothing else, so that a refresh moves nothing. */

import { graphlib, layout } from '@dagrejs/dagre';
import type { ServiceMap } from '../../api/types';

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: ReadonlyMap<string, Place>;
  /** The way of each edge, by {@link edgeKey}. */
  readonly edges: ReadonlyMap<string, readonly Place[]>;
}

/** Room for the circle and the words below it; upright, its figures stand in lines of their own. */
const NODE = { width: 132, height: 96 };
const UPRIGHT = { width: 104, height: 126 };
/** The circles' centre within that room. */
const RISE = 20;

export function edgeKey({ from, to }: { readonly from: string; readonly to: string }): string {
  return JSON.stringify([from, to]);
}

/** What a layout depends on. */
export function structure({ nodes, edges }: ServiceMap): string {
  return JSON.stringify([nodes.map(({ id }) => id).sort(), edges.map(edgeKey).sort()]);
}

/** `upright` is for narrow screens. */
export function layOut({ nodes, edges }: ServiceMap, upright: boolean): Layout {
  const graph = new graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: upright ? 'TB' : 'LR', nodesep: upright ? 6 : 24, ranksep: upright ? 40 : 110, marginx: 8, marginy: 30 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of nodes.map((node) => node.id).sort()) graph.setNode(id, { ...(upright ? UPRIGHT : NODE) });
  for (const { from, to } of edges.toSorted((one, other) => (edgeKey(one) < edgeKey(other) ? -1 : 1))) {
    if (from !== to && graph.hasNode(from) && graph.hasNode(to)) graph.setEdge(from, to, {});
  }
  layout(graph);
  const places = new Map<string, Place>(graph.nodes().map((id) => [id, raised(graph.node(id) as Place)]));
  const ways = new Map(graph.edges().map(({ v, w }) => [edgeKey({ from: v, to: w }), (graph.edge(v, w) as { points: Place[] }).points.map(raised)] as const));
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return { width, height, nodes: places, edges: ways };
}

function raised({ x, y }: Place): Place {
  return { x, y: y - RISE };
}

/** Where a line may touch a node. */
export interface End extends Place {
  readonly radius: number;
  /** How far below the centre its words end, where lines come from below. */
  readonly foot?: number | undefined;
}

/** A smooth line through the inner points of a way, from one node to the other. */
export function pathOf(way: readonly Place[], from: End, to: End): string {
  const inner = way.slice(1, -1);
  const [start, end] = [edgeOf(from, inner[0] ?? to), edgeOf(to, inner.at(-1) ?? from)];
  const points = [start, ...inner, end];
  let path = `M${coordinates(start)}`;
  for (let at = 1; at < points.length - 1; at++) {
    const [point, next] = [points[at] ?? end, points[at + 1] ?? end];
    const stop = at === points.length - 2 ? next : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path += `Q${coordinates(point)} ${coordinates(stop)}`;
  }
  return points.length === 2 ? `${path}L${coordinates(end)}` : path;
}

/** A loop above a circle, for those who call themselves. */
export function loopOf({ x, y }: Place, radius: number): string {
  const reach = radius * 0.7;
  return `M${x - reach} ${y - reach}C${x - radius} ${y - radius - 34} ${x + radius} ${y - radius - 34} ${x + reach + 2} ${y - reach - 2}`;
}

/** The rim of its circle, or the foot of its words: no line goes through words. */
function edgeOf(end: End, towards: Place): Place {
  const { x, y, radius, foot } = end;
  return foot !== undefined && towards.y > y + foot ? { x, y: y + foot } : rim(end, towards, radius);
}

function rim(centre: Place, towards: Place, radius: number): Place {
  const [dx, dy] = [towards.x - centre.x, towards.y - centre.y];
  const distance = Math.hypot(dx, dy) || 1;
  return { x: centre.x + (dx / distance) * radius, y: centre.y + (dy / distance) * radius };
}

function coordinates({ x, y }: Place): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

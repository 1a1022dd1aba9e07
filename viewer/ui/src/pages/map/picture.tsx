/** The map as a drawing: circles as large as their rates, with a red part of the rim for what fails. */

import { useMemo } from 'preact/hooks';
import type { MapEdge, MapNode, ServiceMap } from '../../api/types';
import { to } from '../../app/address';
import { hueOf } from '../../app/hue';
import { count, duration, percent, rate } from '../../format/number';
import { useNarrow } from '../../parts/size';
import { edgeKey, type Layout, layOut, loopOf, pathOf, type Place, structure } from './layout';

/** More than this many nodes are a knot; the table has them all. */
const MOST = 120;
/** The height of a line of figures. */
const LINE = 13;

export function Picture({ map }: { readonly map: ServiceMap }) {
  const upright = useNarrow();
  const shown = useMemo(() => largest(map), [map]);
  const layout = useMemo(() => layOut(shown, upright), [structure(shown), upright]);
  const fastest = Math.max(1e-9, ...shown.nodes.map((node) => node.rate));
  const names = new Map(shown.nodes.map(({ id, name }) => [id, name]));
  const radii = new Map(shown.nodes.map((node) => [node.id, radiusOf(node, fastest)]));
  const feet = upright ? new Map(shown.nodes.map((node) => [node.id, (radii.get(node.id) ?? 0) + 20 + wordsOf(node, true).length * LINE])) : undefined;
  return (
    <div class="map-box">
      <svg class="map" width={layout.width} height={layout.height} viewBox={`0 0 ${layout.width} ${layout.height}`} role="group" aria-label="Map of services">
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
            <path d="M0 0L8 4L0 8Z" class="arrow" />
          </marker>
        </defs>
        {shown.edges.map((edge) => (
          <Edge key={edgeKey(edge)} edge={edge} names={names} layout={layout} radii={radii} fastest={fastest} feet={feet} />
        ))}
        {shown.nodes.map((node) => {
          const place = layout.nodes.get(node.id);
          return place && <Node key={node.id} node={node} place={place} radius={radii.get(node.id) ?? 0} upright={upright} />;
        })}
      </svg>
      {shown.nodes.length < map.nodes.length && <p class="note">The {MOST} busiest of {count(map.nodes.length)} are drawn.</p>}
    </div>
  );
}

function largest(map: ServiceMap): ServiceMap {
  if (map.nodes.length <= MOST) return map;
  const nodes = map.nodes.toSorted((one, other) => other.calls - one.calls).slice(0, MOST);
  const ids = new Set(nodes.map(({ id }) => id));
  return { ...map, nodes, edges: map.edges.filter(({ from, to }) => ids.has(from) && ids.has(to)) };
}

function radiusOf({ rate, kind }: MapNode, fastest: number): number {
  return kind === 'user' ? 12 : 13 + 11 * Math.sqrt(rate / fastest);
}

interface NodeProps {
  readonly node: MapNode;
  readonly place: Place;
  readonly radius: number;
  readonly upright: boolean;
}

function Node({ node, place: { x, y }, radius, upright }: NodeProps) {
  const href = node.kind === 'service' ? to('/operations', { service: node.name }) : to('/traces', { q: node.search, service: null });
  const words = `${node.name}, ${node.kind}: ${rate(node.rate)}, ${percent(node.errorShare)} failed, p50 ${duration(node.p50)}, p95 ${duration(node.p95)}, p99 ${duration(node.p99)}`;
  return (
    <a href={href} class={`map-node kind-${node.kind} hue-${hueOf(node.name)}`}>
      <title>{words}</title>
      <circle class="disc" cx={x} cy={y} r={radius} />
      {node.errorShare > 0 && (
        <circle class="share" cx={x} cy={y} r={radius} pathLength={100} stroke-dasharray={`${Math.max(4, node.errorShare * 100)} 100`} transform={`rotate(-90 ${x} ${y})`} />
      )}
      <text class="map-name" x={x} y={y + radius + 15}>
        {short(node.name)}
      </text>
      {wordsOf(node, upright).map((line, at) => (
        <text key={line} class="map-figures" x={x} y={y + radius + 29 + at * LINE}>
          {line}
        </text>
      ))}
      {!upright && (
        <text class="map-figures" x={x} y={y - radius - 7}>
          {systemOf(node)}
        </text>
      )}
    </a>
  );
}

/** The lines below a node's name. Upright, what it is stands there too: above it is where its callers' lines come. */
function wordsOf(node: MapNode, upright: boolean): string[] {
  if (node.kind === 'user') return [];
  const figures = [rate(node.rate), `p95 ${duration(node.p95)}`];
  return upright ? [systemOf(node), ...figures].filter((line) => line !== '') : [figures.join(' · ')];
}

function systemOf({ kind, system }: MapNode): string {
  return kind === 'service' || kind === 'user' ? '' : short(system ?? kind);
}

interface EdgeProps {
  readonly edge: MapEdge;
  readonly names: ReadonlyMap<string, string>;
  readonly layout: Layout;
  readonly radii: ReadonlyMap<string, number>;
  readonly fastest: number;
  /** Where the words below each node end, if lines come from below. */
  readonly feet: ReadonlyMap<string, number> | undefined;
}

function Edge({ edge, names, layout, radii, fastest, feet }: EdgeProps) {
  const [from, end] = [layout.nodes.get(edge.from), layout.nodes.get(edge.to)];
  if (!from || !end) return null;
  const [fromRadius, toRadius] = [(radii.get(edge.from) ?? 0) + 2, (radii.get(edge.to) ?? 0) + 3];
  const ends = [{ ...from, radius: fromRadius, foot: feet?.get(edge.from) }, { ...end, radius: toRadius, foot: feet?.get(edge.to) }] as const;
  const path = edge.from === edge.to ? loopOf(from, fromRadius) : pathOf(layout.edges.get(edgeKey(edge)) ?? [], ...ends);
  const width = 1 + 3 * Math.sqrt(edge.rate / fastest);
  const words = `${rate(edge.rate)}, ${percent(edge.errorShare)} failed, p50 ${duration(edge.p50)}, p95 ${duration(edge.p95)}, p99 ${duration(edge.p99)}`;
  return (
    <a href={to('/traces', { q: edge.search, service: null })} aria-label={`Calls from ${names.get(edge.from) ?? edge.from} to ${names.get(edge.to) ?? edge.to}: ${words}`} class="map-edge">
      <title>{words}</title>
      <path class="edge-room" d={path} />
      <path class="edge" d={path} stroke-width={width} marker-end="url(#arrow)" />
      {edge.errorShare > 0 && <path class="edge failing" d={path} stroke-width={width} pathLength={100} stroke-dasharray={`${Math.max(4, edge.errorShare * 100)} 100`} />}
    </a>
  );
}

function short(name: string): string {
  return name.length > 20 ? `${name.slice(0, 19)}…` : name;
}

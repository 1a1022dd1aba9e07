import { describe, expect, it } from 'vitest';
import type { MapEdge, MapNode, ServiceMap } from '../../api/types';
import { edgeKey, layOut, pathOf, structure } from './layout';

const figures = { calls: 1, errors: 0, rate: 1, errorShare: 0, p50: 1, p95: 1, p99: 1, search: '' };
const node = (id: string): MapNode => ({ id, name: id, kind: 'service', ...figures });
const edge = (from: string, to: string): MapEdge => ({ from, to, paired: 0, network: null, ...figures });
const map = (nodes: string[], edges: [string, string][]): ServiceMap => ({ seconds: 1, nodes: nodes.map(node), edges: edges.map(([from, to]) => edge(from, to)) });

describe('the layout', () => {
  it('goes from callers to callees', () => {
    const { nodes } = layOut(map(['db', 'shop', 'user'], [['user', 'shop'], ['shop', 'db']]), false);
    expect((nodes.get('user')?.x ?? 0) < (nodes.get('shop')?.x ?? 0)).toBe(true);
    expect((nodes.get('shop')?.x ?? 0) < (nodes.get('db')?.x ?? 0)).toBe(true);
  });

  it('is the same in whatever order things come', () => {
    const one = layOut(map(['a', 'b', 'c'], [['a', 'b'], ['a', 'c'], ['c', 'b']]), false);
    const other = layOut(map(['c', 'b', 'a'], [['c', 'b'], ['a', 'c'], ['a', 'b']]), false);
    expect(Object.fromEntries(other.nodes)).toEqual(Object.fromEntries(one.nodes));
    expect(structure(map(['a', 'b'], [['a', 'b']]))).toBe(structure(map(['b', 'a'], [['a', 'b']])));
  });

  it('takes circles, loops, and edges to nowhere', () => {
    const { nodes, edges } = layOut(map(['a', 'b'], [['a', 'b'], ['b', 'a'], ['a', 'a'], ['a', 'gone']]), true);
    expect(nodes.size).toBe(2);
    expect([...edges.keys()].sort()).toEqual([edgeKey({ from: 'a', to: 'b' }), edgeKey({ from: 'b', to: 'a' })]);
  });

  it('draws from rim to rim', () => {
    expect(pathOf([], { x: 0, y: 0, radius: 10 }, { x: 100, y: 0, radius: 20 })).toBe('M10.0 0.0L80.0 0.0');
  });

  it('begins and ends below words, and not behind them', () => {
    const [above, below] = [{ x: 0, y: 0, radius: 10, foot: 40 }, { x: 0, y: 100, radius: 20, foot: 50 }];
    expect(pathOf([], above, below)).toBe('M0.0 40.0L0.0 80.0');
    expect(pathOf([], below, above)).toBe('M0.0 80.0L0.0 40.0');
  });
});

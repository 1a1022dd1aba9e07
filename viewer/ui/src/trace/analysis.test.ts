import { describe, expect, it } from 'vitest';
import { type Analysis, analyse, logsByRow, type Row, rowAt, unfolded } from './analysis';
import { span, trace } from './fixture';
import type { Log, Span } from './model';

const rowsById = (analysis: Analysis): Record<string, Row> => Object.fromEntries(analysis.rows.map((row) => [row.span.id, row]));
const shape = (rows: readonly Row[]): string[] => rows.map((row) => `${' '.repeat(row.depth)}${row.key}`);
/** `id from-to`, in the order of time. */
const path = (analysis: Analysis): string[] =>
  analysis.rows
    .flatMap((row) => row.critical.map(([from, to]) => ({ from, text: `${row.span.id} ${from}-${to}` })))
    .sort((one, other) => one.from - other.from)
    .map(({ text }) => text);

describe('the tree', () => {
  it('puts children below parents whatever order they came in', () => {
    const spans = [span('c', 20, 30, { parent: 'a' }), span('d', 21, 22, { parent: 'c' }), span('b', 10, 15, { parent: 'a' }), span('a', 0, 100)];
    expect(shape(analyse(trace(spans)).rows)).toEqual(['a', ' b', ' c', '  d']);
  });

  it('keeps spans whose parent never came, and says so', () => {
    const rows = rowsById(analyse(trace([span('a', 0, 10), span('b', 5, 6, { parent: 'gone' })])));
    expect(rows['b']).toMatchObject({ depth: 0, lost: true });
    expect(rows['a']).toMatchObject({ depth: 0, lost: false });
  });

  it('counts a span that came twice once, and believes the one that has ended', () => {
    const { rows, running } = analyse(trace([span('a', 0, null), span('a', 0, 10), span('a', 0, null)]));
    expect(rows.map(({ end }) => end)).toEqual([10]);
    expect(running).toBe(0);
  });

  it('cuts circles and shows each span once', () => {
    const spans = [span('a', 3, 4, { parent: 'b' }), span('b', 1, 9, { parent: 'c' }), span('c', 2, 8, { parent: 'a' }), span('s', 5, 6, { parent: 's' })];
    expect(shape(analyse(trace(spans)).rows)).toEqual(['s', 'b', ' a', '  c']);
  });

  it('leaves what is below a circle where it is', () => {
    const below = ['c', 'd'].map((id, at) => span(id, at, 9, { parent: 'a' }));
    const { rows } = analyse(trace([span('a', 5, 9, { parent: 'b' }), span('b', 6, 9, { parent: 'a' }), ...below]));
    expect(shape(rows)).toEqual(['a', ' c', ' d', ' b']);
    expect(rows.map(({ lost }) => lost)).toEqual([true, false, false, false]);
  });

  it('folds a subtree into one row', () => {
    const { rows } = analyse(trace([span('a', 0, 9), span('b', 1, 5, { parent: 'a' }), span('c', 2, 3, { parent: 'b' }), span('d', 6, 7, { parent: 'a' })]));
    expect(shape(unfolded(rows, new Set(['b'])))).toEqual(['a', ' b', ' d']);
    expect(rows.map(({ size }) => size)).toEqual([4, 2, 1, 1]);
  });

  it('takes a chain of 20,000 spans', () => {
    const spans = Array.from({ length: 20_000 }, (_, at) => span(`s${at}`, at, 50_000 - at, { parent: at === 0 ? null : `s${at - 1}` }));
    const { rows } = analyse(trace(spans));
    expect(rows.at(-1)).toMatchObject({ depth: 19_999, size: 1 });
    expect(rows[0]).toMatchObject({ size: 20_000, self: 2 });
    expect(rows.at(-1)?.critical).toHaveLength(1);
  });
});

describe('a call and what served it with one id', () => {
  /** A shop calls a stock, which asks its database: all of the stock's is below what served. */
  const shared = [
    span('r', 0, 100, { kind: 'server' }),
    span('c', 10, 60, { parent: 'r', kind: 'client' }),
    span('c', 14, 54, { parent: 'r', kind: 'server', resource: 1 }),
    span('q', 20, 50, { parent: 'c', kind: 'client', resource: 1 }),
  ];
  const turned = [shared, shared.toReversed()].map((spans) => analyse(trace(spans)));

  it('are two rows, in whatever order they came', () => {
    for (const { rows } of turned) {
      expect(shape(rows)).toEqual(['r', ' c-client', '  c', '   q']);
      expect(rows.map(({ lost }) => lost)).toEqual([false, false, false, false]);
      expect(rows.map(({ size }) => size)).toEqual([4, 3, 2, 1]);
    }
  });

  it('are told apart by time, network and path', () => {
    for (const analysis of turned) {
      expect(analysis.rows.map(({ self, pair }) => [self, pair])).toEqual([[50, undefined], [10, undefined], [10, { request: 4, response: 6 }], [30, undefined]]);
      expect(path(analysis)).toEqual(['r 0-10', 'c 10-14', 'c 14-20', 'q 20-50', 'c 50-54', 'c 54-60', 'r 60-100']);
    }
  });

  it('have clocks of their own', () => {
    const late = shared.map((each): Span => (each.resource === 1 ? { ...each, start: each.start - 30, end: (each.end ?? 0) - 30 } : each));
    expect(analyse(trace(late)).skews).toEqual([{ resource: 1, offset: 31 }]);
  });

  it('are folded one by one', () => {
    for (const { rows } of turned) {
      expect(shape(unfolded(rows, new Set(['c'])))).toEqual(['r', ' c-client', '  c']);
      expect(shape(unfolded(rows, new Set(['c-client'])))).toEqual(['r', ' c-client']);
    }
  });

  it('have addresses: the id is what served, and with the kind it is either, as it is of any span', () => {
    for (const { rows } of turned) {
      const kinds = ['c', 'c-client', 'c-server', 'q', 'q-client', 'q-server', 'gone', null].map((address) => rowAt(rows, address)?.span.kind);
      expect(kinds).toEqual(['server', 'client', 'server', 'client', 'client', undefined, undefined, undefined]);
    }
  });

  it('have the log lines of their own process', () => {
    const log = (body: string, resource: number): Log => ({ time: 20, severity: 9, level: 'INFO', body, event: null, span: 'c', resource, scope: 0, attributes: [] });
    const analysis = analyse(trace(shared, { logs: [log('asking', 0), log('asked', 1), log('elsewhere', 2)] }));
    const logs = logsByRow(analysis);
    expect(analysis.rows.map((row) => logs.get(row)?.map(({ body }) => body))).toEqual([undefined, ['asking'], ['asked', 'elsewhere'], undefined]);
  });

  it('each come once, as they are when they have ended', () => {
    const again = [...shared, ...shared].map((each, at): Span => (at < shared.length ? { ...each, end: null } : each));
    const { rows, running } = analyse(trace(again));
    expect(shape(rows)).toEqual(['r', ' c-client', '  c', '   q']);
    expect(running).toBe(0);
  });

  it('may be the first of the trace, or lack the call', () => {
    const [, call, served, query] = shared.map((each): Span => ({ ...each, parent: each.parent === 'r' ? null : each.parent }));
    expect(shape(analyse(trace([served, call, query] as Span[])).rows)).toEqual(['c-client', ' c', '  q']);
    expect(shape(analyse(trace([served, query] as Span[])).rows)).toEqual(['c', ' q']);
  });

  it('lead no walk in circles', () => {
    const { rows } = analyse(trace([span('c', 0, 9, { parent: 'c', kind: 'client' }), span('c', 1, 8, { parent: 'x', kind: 'server' })]));
    expect(shape(rows)).toEqual(['c-client', ' c']);
  });
});

describe('times', () => {
  it('counts what overlaps once in the own time', () => {
    const spans = [span('a', 0, 100), span('b', 10, 50, { parent: 'a' }), span('c', 30, 60, { parent: 'a' }), span('d', 90, 130, { parent: 'a' })];
    const rows = rowsById(analyse(trace(spans)));
    expect(rows['a']?.self).toBe(40);
    expect(rows['d']).toMatchObject({ self: 40, outlives: 30 });
  });

  it('ends what runs at the moment of looking, and lets nothing outlive it', () => {
    const rows = rowsById(analyse(trace([span('a', 0, null), span('b', 10, null, { parent: 'a' })], { now: 70 })));
    expect(rows['a']).toMatchObject({ end: 70, self: 10 });
    expect(rows['b']).toMatchObject({ end: 70, outlives: 0 });
  });

  it('tells the gap between a client and its server', () => {
    const client = span('c', 0, 100, { kind: 'client' });
    const rows = rowsById(analyse(trace([client, span('s', 12, 91, { parent: 'c', kind: 'server', resource: 1 })])));
    expect(rows['s']?.pair).toEqual({ request: 12, response: 9 });
    expect(rows['c']?.pair).toBeUndefined();
  });
});

describe('clocks', () => {
  const client = (id: string, start: number, end: number) => span(id, start, end, { kind: 'client' });
  const server = (id: string, start: number, end: number, parent: string, resource = 1) => span(id, start, end, { kind: 'server', parent, resource });

  it('moves a process that began before it was asked into the middle, with all its spans', () => {
    const analysis = analyse(trace([client('c', 100, 200), server('s', 20, 100, 'c'), span('q', 30, 40, { parent: 's', resource: 1 })]));
    const rows = rowsById(analysis);
    expect(rows['s']).toMatchObject({ start: 110, end: 190, offset: 90 });
    expect(rows['q']).toMatchObject({ start: 120, end: 130 });
    expect(analysis.skews).toEqual([{ resource: 1, offset: 90 }]);
  });

  it('moves a process by what all its calls allow', () => {
    const spans = [span('r', 0, 500), client('a', 100, 200), server('x', 10, 90, 'a'), client('b', 300, 400), server('y', 225, 305, 'b')];
    const { skews } = analyse(trace(spans.map((each) => (each.kind === 'client' ? { ...each, parent: 'r' } : each))));
    // The first call allows 90 to 110, the second 75 to 95.
    expect(skews).toEqual([{ resource: 1, offset: 92.5 }]);
  });

  it('adds up from process to process', () => {
    const spans = [client('c', 100, 200), server('s', 10, 90, 'c'), span('d', 20, 80, { kind: 'client', parent: 's', resource: 1 }), server('t', 500, 540, 'd', 2)];
    expect(analyse(trace(spans)).skews).toEqual([{ resource: 1, offset: 100 }, { resource: 2, offset: 100 - 470 }]);
  });

  it('takes a server that ends after its client for what it is: the client went away', () => {
    const analysis = analyse(trace([client('c', 100, 150), server('s', 110, 300, 'c')]));
    expect(analysis.skews).toEqual([]);
    expect(rowsById(analysis)['s']).toMatchObject({ outlives: 150 });
  });

  it('does not doubt the clock of one process', () => {
    expect(analyse(trace([client('c', 100, 200), server('s', 20, 100, 'c', 0)])).skews).toEqual([]);
  });
});

describe('the critical path', () => {
  it('goes from the end to what was waited for last', () => {
    const spans = [span('r', 0, 100), span('a', 10, 40, { parent: 'r' }), span('b', 30, 90, { parent: 'r' }), span('x', 50, 60, { parent: 'b' })];
    expect(path(analyse(trace(spans)))).toEqual(['r 0-30', 'b 30-50', 'x 50-60', 'b 60-90', 'r 90-100']);
  });

  it('joins what came one after the other', () => {
    const spans = [span('r', 0, 100), span('a', 10, 40, { parent: 'r' }), span('b', 50, 90, { parent: 'r' })];
    expect(path(analyse(trace(spans)))).toEqual(['r 0-10', 'a 10-40', 'r 40-50', 'b 50-90', 'r 90-100']);
  });

  it('leaves out what nobody waited for', () => {
    const spans = [span('r', 0, 100), span('a', 10, 140, { parent: 'r' })];
    expect(path(analyse(trace(spans)))).toEqual(['r 0-100']);
  });

  it('goes through a server that ends a little after its client', () => {
    const spans = [span('c', 0, 100, { kind: 'client' }), span('s', 10, 101, { kind: 'server', parent: 'c', resource: 1 })];
    expect(path(analyse(trace(spans)))).toEqual(['c 0-10', 's 10-100']);
  });

  it('covers each moment of the root exactly once', () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 50; round++) {
      const spans = [span('s0', 0, 1000)];
      for (let at = 1; at < 40; at++) {
        const start = random(900);
        spans.push(span(`s${at}`, start, start + random(300), { parent: `s${random(at)}` }));
      }
      const { rows } = analyse(trace(spans));
      const covered = rows.flatMap(({ critical }) => critical).sort(([one], [other]) => one - other);
      expect(covered[0]?.[0]).toBe(0);
      expect(covered.at(-1)?.[1]).toBe(1000);
      for (const [at, [from]] of covered.entries()) if (at > 0) expect(from).toBe(covered[at - 1]?.[1]);
    }
  });
});

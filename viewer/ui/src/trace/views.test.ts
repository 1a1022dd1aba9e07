import { describe, expect, it } from 'vitest';
import { analyse } from './analysis';
import { compared } from './compare';
import { flame } from './flame';
import { span, trace } from './fixture';
import { toSvg } from './svg';
import { lines } from './table';

const shop = trace([
  span('r', 0, 100, { name: 'GET /home', kind: 'server' }),
  span('a', 10, 30, { name: 'SELECT', parent: 'r', resource: 1 }),
  span('b', 40, 90, { name: 'SELECT', parent: 'r', resource: 1, status: 'error' }),
  span('c', 50, 60, { name: 'parse', parent: 'b', resource: 1 }),
]);

describe('the table', () => {
  it('has one line for each operation, the busiest first', () => {
    expect(lines(analyse(shop)).map(({ name, count, errors, total, self, longest, critical }) => [name, count, errors, total, self, longest, critical])).toEqual([
      ['SELECT', 2, 1, 70, 60, 50, 0.6],
      ['GET /home', 1, 0, 100, 30, 100, 0.3],
      ['parse', 1, 0, 10, 10, 10, 0.1],
    ]);
  });
});

describe('the flame', () => {
  it('puts one way of calls into one block', () => {
    expect(flame(analyse(shop)).map(({ name, depth, at, self, total, count, errors }) => [name, depth, at, self, total, count, errors])).toEqual([
      ['GET /home', 0, 0, 30, 100, 1, 0],
      ['SELECT', 1, 0, 60, 70, 2, 1],
      ['parse', 2, 0, 10, 10, 1, 0],
    ]);
  });

  it('sets roots and siblings side by side', () => {
    const spans = [span('a', 0, 10), span('b', 0, 30), span('c', 5, 9, { parent: 'b' }), span('d', 10, 20, { parent: 'b' })];
    expect(flame(analyse(trace(spans))).map(({ name, at, total }) => [name, at, total])).toEqual([['b', 0, 30], ['d', 0, 10], ['c', 10, 4], ['a', 30, 10]]);
  });
});

describe('a comparison', () => {
  it('brings together what has the same name below the same parents', () => {
    const other = trace([span('R', 0, 90, { name: 'GET /home', kind: 'server' }), span('A', 10, 30, { name: 'SELECT', parent: 'R', resource: 1 }), span('X', 30, 40, { name: 'cache', parent: 'R' })]);
    expect(compared(analyse(shop), analyse(other)).map(({ one, other, depth }) => [depth, one?.span.id, other?.span.id])).toEqual([
      [0, 'r', 'R'], [1, 'a', 'A'], [1, 'b', undefined], [2, 'c', undefined], [1, undefined, 'X'],
    ]);
  });
});

describe('a call and what served it with one id', () => {
  const shared = analyse(trace([span('c', 0, 50, { name: 'get', kind: 'client' }), span('c', 10, 40, { name: 'get', kind: 'server', resource: 1 })]));

  it('are two lines, two blocks and two pairs', () => {
    expect(lines(shared).map(({ kind, self, sample }) => [kind, self, sample.key])).toEqual([['server', 30, 'c'], ['client', 20, 'c-client']]);
    expect(flame(shared).map(({ depth, self, sample }) => [depth, self, sample.key])).toEqual([[0, 20, 'c-client'], [1, 30, 'c']]);
    expect(compared(shared, shared).map(({ key, depth }) => [key, depth])).toEqual([['c-client-c-client', 0], ['c-c', 1]]);
  });
});

describe('the picture', () => {
  const palette = { text: '#000', muted: '#666', background: '#fff', line: '#ddd', failed: '#c00', hueOf: () => '#00f' };

  it('has every name as text, and nothing of it as markup', () => {
    const names = ['</text><script>alert(1)</script>', '"onload=\'x\' &amp;', 'bell\u0007 and half\ud800'];
    const svg = toSvg(analyse(trace(names.map((name, at) => span(`s${at}`, at, at + 5, { name, resource: 2 })))), palette);
    expect(svg).not.toMatch(/<script|onload='|\u0007/);
    expect(svg).toContain('&#60;script&#62;alert(1)&#60;/script&#62;');
    expect(svg).toContain('bell and half<');
  });

  it('has a row for each span', () => {
    expect(toSvg(analyse(shop), palette).match(/rx="1.5"/g)).toHaveLength(4);
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyse } from '../trace/analysis';
import { span, trace } from '../trace/fixture';
import { matcher, OLDER } from './match';
import { parse, QueryError, quote, refined } from './parse';

const analysis = analyse(
  trace([
    span('home', 0, 300e6, { name: 'GET /home', kind: 'server', attributes: [['http.route', '/home'], ['http.response.status_code', 502]] }),
    span('db', 10, 20e6, { name: 'SELECT items', parent: 'home', status: 'error', resource: 1, attributes: [['n', '7'], ['tags', ['a', 'b c']], ['db.system', 'sqlite'], ['server.address', 'new'], ['net.peer.name', 'old']] }),
    span('run', 20, null, { name: 'say "hi"', parent: 'home', attributes: [['__proto__', 'x'], ['big', { int: '9223372036854775807' }]] }),
  ]),
);
const find = (query: string): string[] => analysis.rows.filter(matcher(parse(query), analysis)).map(({ span }) => span.id);

describe('a search', () => {
  it.each([
    ['', ['home', 'db', 'run']], ['get', ['home']], ['SHOP', ['home', 'run']], ['error', ['db']], ['"error"', []], ['-error', ['home', 'run']],
    ['running', ['run']], ['root', ['home']], ['served', ['home']], ['"served"', []], ['http.route=/home', ['home']], ['http.route!=/db', ['home']], ['-http.route=/db', ['home', 'db', 'run']],
    ['http.route=*', ['home']], ['http.route~OM', ['home']], ['status=502', ['home']], ['status>=500', ['home']], ['status=error', ['db']],
    ['duration>200ms', ['home']], ['duration<0.02s', ['db', 'run']], ['duration>200', ['home']], ['service=db', ['db']], ['n=7.0', ['db']], ['n>6', ['db']],
    ['tags="b c"', ['db']], ['name="say \\"hi\\""', ['run']], ['__proto__=x', ['run']], ['toString=*', []], ['big=9223372036854775807', ['run']],
    ['kind=server duration>1ms', ['home']], ['parent.service=shop', ['db', 'run']], ['trace.services=2 root', ['home']], ['select error', ['db']], ['db.system.name=sqlite', ['db']], ['server.address=old', []], ['db.namespace=*', []], ['select -error', []],
  ])('%s finds %j', (query, expected) => expect(find(query)).toEqual(expected));

  it.each([['a=', 2], ['=a', 0], ['"a', 0], ['a="b', 2], ['a="b"c', 5], ['-', 1], ['"a"b', 3]])('%s is wrong at %d', (query, at) => {
    try {
      parse(query);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(QueryError);
      expect((error as QueryError).at).toBe(at);
    }
  });

  it.each(['GET /home', 'plain', '-x', 'a"b\\c', '*', '', 'a=b', 'error'])('quotes %j so that it means itself', (text) => {
    expect(parse(`name=${quote(text)}`)).toEqual([{ type: 'comparison', key: 'name', operator: '=', value: text, negated: false }]);
  });

  it('takes what served a call of its own id for no root', () => {
    const shared = analyse(trace([span('c', 0, 10e6, { kind: 'client' }), span('c', 1, 5e6, { kind: 'server' })]));
    expect(shared.rows.filter(matcher(parse('root'), shared)).map(({ span }) => span.kind)).toEqual(['client']);
  });

  it('is refined by a term once', () => {
    expect(refined('a', 'b=c')).toBe('a b=c');
    expect(refined('b=c', 'b=c')).toBe('b=c');
    expect(refined('', 'b=c')).toBe('b=c');
  });
});

it('knows the same old names of attributes as the server', () => {
  const table = readFileSync(new URL('../../../src/model/renamed.rs', import.meta.url), 'utf8');
  const pairs = [...table.matchAll(/\("([a-z._]+)", "([a-z._]+)"\)/g)].map(([, now, older]) => [now, older]);
  expect(pairs.length).toBeGreaterThan(5);
  expect({ ...OLDER }).toEqual(Object.fromEntries(pairs));
});

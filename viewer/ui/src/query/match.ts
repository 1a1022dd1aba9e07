/** Whether a row of a trace is what a search asks for. */

import { type Analysis, type Row, serviceOf } from '../trace/analysis';
import { type Attributes, attribute, isServed, type Value } from '../trace/model';
import { isList, plain } from '../trace/value';
import type { Operator, Term } from './parse';

export type Matcher = (row: Row) => boolean;

export function matcher(terms: readonly Term[], analysis: Analysis): Matcher {
  const tests = terms.map((term) => {
    const holds = test(term, analysis);
    return term.negated ? (row: Row) => !holds(row) : holds;
  });
  return (row) => tests.every((holds) => holds(row));
}

function test(term: Term, analysis: Analysis): Matcher {
  switch (term.type) {
    case 'word': {
      const word = term.word.toLowerCase();
      return ({ span }) => contains(span.name, word) || contains(serviceOf(analysis.trace, span), word);
    }
    case 'flag':
      return FLAGS[term.flag];
    case 'exists':
      return (row) => found(row, term.key, analysis).length > 0;
    case 'comparison':
      return comparison(term.key, term.operator, term.value, analysis);
  }
}

const FLAGS = {
  error: ({ span }: Row) => span.status === 'error',
  running: ({ span }: Row) => span.end === null,
  /** What served a call of its own id is below it. */
  root: ({ span, parent }: Row) => span.parent === null && !parent,
  served: ({ span }: Row) => isServed(span.kind),
};

function comparison(key: string, operator: Operator, value: string, analysis: Analysis): Matcher {
  const wanted = key === 'duration' || key === 'trace.duration' ? nanoseconds(value) : value;
  const resolved = key === 'status' && /^\d+$/.test(value) ? 'http.response.status_code' : key;
  return (row) => {
    const values = found(row, resolved, analysis);
    if (operator === '!=') return values.length > 0 && !values.some((each) => compare(each, '=', wanted));
    return values.some((each) => compare(each, operator, wanted));
  };
}

function compare(value: Value, operator: Operator, wanted: string): boolean {
  if (isList(value)) return value.some((each) => compare(each, operator, wanted));
  const text = plain(value);
  if (operator === '~') return contains(text, wanted.toLowerCase());
  const [one, other] = [toNumber(text), toNumber(wanted)];
  if (operator === '=') return text === wanted || one === other;
  return ORDERS[operator](one, other);
}

const ORDERS: Record<Exclude<Operator, '=' | '~'>, (one: number, other: number) => boolean> = {
  '!=': (one, other) => one !== other,
  '>': (one, other) => one > other,
  '>=': (one, other) => one >= other,
  '<': (one, other) => one < other,
  '<=': (one, other) => one <= other,
};

/** NaN, which is equal to nothing, for what is no number. */
function toNumber(text: string): number {
  return /^\s*$/.test(text) ? Number.NaN : Number(text);
}

function contains(text: string, lower: string): boolean {
  return text.toLowerCase().includes(lower);
}

const UNITS: Record<string, number> = { ns: 1, us: 1e3, 'µs': 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12, '': 1e6 };

/** `200ms` in nanoseconds, as text; what is no duration stays as it is and equals none. */
function nanoseconds(text: string): string {
  const [, number, unit = ''] = /^([\d.]+)(ns|us|µs|ms|s|m|h)?$/.exec(text) ?? [];
  return number === undefined ? text : String(Number(number) * (UNITS[unit] ?? 1));
}

/** The values that a key has on a row. */
function found(row: Row, key: string, analysis: Analysis): Value[] {
  const known = KNOWN[key];
  if (known) return known(row, analysis);
  const { attributes, resource } = row.span;
  const value = renamed(attributes, key) ?? renamed(analysis.trace.resources[resource]?.attributes ?? [], key);
  return value === undefined ? [] : [value];
}

/** What older instrumentation calls an attribute. */
export const OLDER: Readonly<Record<string, string | undefined>> = Object.assign(Object.create(null), {
  'db.namespace': 'db.name',
  'db.system.name': 'db.system',
  'http.response.status_code': 'http.status_code',
  'messaging.destination.name': 'messaging.destination',
  'server.address': 'net.peer.name',
  'server.port': 'net.peer.port',
  'service.peer.name': 'peer.service',
});

function renamed(attributes: Attributes, key: string): Value | undefined {
  const older = OLDER[key];
  return attribute(attributes, key) ?? (older === undefined ? undefined : attribute(attributes, older));
}

const KNOWN: Readonly<Record<string, ((row: Row, analysis: Analysis) => Value[]) | undefined>> = Object.assign(Object.create(null), {
  service: ({ span }: Row, { trace }: Analysis) => [serviceOf(trace, span)],
  name: ({ span }: Row) => [span.name],
  operation: ({ span }: Row) => [span.name],
  kind: ({ span }: Row) => [span.kind],
  status: ({ span }: Row) => [span.status],
  duration: ({ start, end }: Row) => [end - start],
  trace: (_: Row, { trace }: Analysis) => [trace.id],
  'trace.id': (_: Row, { trace }: Analysis) => [trace.id],
  span: ({ span }: Row) => [span.id],
  'span.id': ({ span }: Row) => [span.id],
  'parent.service': ({ parent }: Row, { trace }: Analysis) => (parent ? [serviceOf(trace, parent.span)] : []),
  scope: ({ span }: Row, { trace }: Analysis) => [trace.scopes[span.scope]?.name ?? ''],
  event: ({ span }: Row) => span.events.map(({ name }) => name),
  message: ({ span }: Row) => [span.message],
  'trace.duration': (_: Row, { start, end }: Analysis) => [end - start],
  'trace.spans': (_: Row, { rows }: Analysis) => [rows.length],
  'trace.errors': (_: Row, { errors }: Analysis) => [errors],
  'trace.services': (_: Row, { services }: Analysis) => [services.length],
});

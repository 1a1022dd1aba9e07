/** Reads a trace out of JSON that may come from anywhere, as a permalink does: what is not as it must be is left out. */

import { type Attributes, type BackLink, type Kind, KINDS, type Link, type Log, type Resource, type Scope, type Span, type SpanEvent, STATUSES, type Trace, type Value } from './model';

type Json = { readonly [key: string]: unknown };

/** Deeper values than any person reads. */
const DEEPEST = 16;

/** The trace, or why it is none. */
export function decodeTrace(json: unknown): Trace {
  if (!isObject(json) || json['format'] !== 'otelhttp-trace/1') throw new Error('This is no trace: the format is not otelhttp-trace/1.');
  const resources = list(json['resources'], resource);
  const scopes = list(json['scopes'], scope);
  return {
    format: 'otelhttp-trace/1',
    id: text(json['id']),
    epoch: /^\d{1,20}$/.test(text(json['epoch'])) ? text(json['epoch']) : '0',
    now: number(json['now']),
    resources: resources.length > 0 ? resources : [{ service: 'unknown_service', attributes: [] }],
    scopes: scopes.length > 0 ? scopes : [{ name: '', version: '', schemaUrl: '', attributes: [] }],
    spans: list(json['spans'], (each) => span(each, resources.length, scopes.length)),
    logs: list(json['logs'], (each) => log(each, resources.length, scopes.length)),
    linkedFrom: list(json['linkedFrom'], backLink),
    truncated: number(json['truncated']),
  };
}

function span(json: Json, resources: number, scopes: number): Span {
  return {
    id: text(json['id']),
    parent: textOrNull(json['parent']),
    remote: typeof json['remote'] === 'boolean' ? json['remote'] : null,
    name: text(json['name']),
    kind: kind(json['kind']),
    start: number(json['start']),
    end: json['end'] === null ? null : number(json['end']),
    status: STATUSES.find((status) => status === json['status']) ?? 'unset',
    message: text(json['message']),
    resource: within(json['resource'], resources),
    scope: within(json['scope'], scopes),
    attributes: attributes(json['attributes']),
    events: list(json['events'], event),
    links: list(json['links'], linkOf),
    state: text(json['state']),
    droppedAttributes: number(json['droppedAttributes']),
    droppedEvents: number(json['droppedEvents']),
    droppedLinks: number(json['droppedLinks']),
  };
}

function log(json: Json, resources: number, scopes: number): Log {
  return {
    time: number(json['time']),
    severity: number(json['severity']),
    level: text(json['level']),
    body: value(json['body'], 0),
    event: textOrNull(json['event']),
    span: textOrNull(json['span']),
    resource: within(json['resource'], resources),
    scope: within(json['scope'], scopes),
    attributes: attributes(json['attributes']),
  };
}

function resource(json: Json): Resource {
  return { service: text(json['service']), attributes: attributes(json['attributes']) };
}

function scope(json: Json): Scope {
  return { name: text(json['name']), version: text(json['version']), schemaUrl: text(json['schemaUrl']), attributes: attributes(json['attributes']) };
}

function event(json: Json): SpanEvent {
  return { name: text(json['name']), time: number(json['time']), attributes: attributes(json['attributes']), droppedAttributes: number(json['droppedAttributes']) };
}

function linkOf(json: Json): Link {
  const { trace, span, state } = json;
  return { trace: text(trace), span: text(span), state: text(state), attributes: attributes(json['attributes']), droppedAttributes: number(json['droppedAttributes']) };
}

function backLink(json: Json): BackLink {
  return { trace: text(json['trace']), span: text(json['span']), kind: kind(json['kind']), name: text(json['name']), to: text(json['to']) };
}

function kind(json: unknown): Kind {
  return KINDS.find((kind) => kind === json) ?? 'unspecified';
}

function attributes(json: unknown, depth = 0): Attributes {
  if (!Array.isArray(json)) return [];
  return json.filter((pair) => Array.isArray(pair) && pair.length === 2).map(([key, inner]) => [text(key), value(inner, depth)] as const);
}

function value(json: unknown, depth: number): Value {
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean') return json;
  if (depth >= DEEPEST) return '…';
  if (Array.isArray(json)) return json.map((inner) => value(inner, depth + 1));
  if (!isObject(json)) return null;
  if (typeof json['int'] === 'string') return { int: json['int'] };
  if (typeof json['double'] === 'string') return { double: json['double'] };
  if (typeof json['bytes'] === 'string') return { bytes: json['bytes'] };
  return { map: attributes(json['map'], depth + 1) };
}

function isObject(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function list<T>(json: unknown, read: (each: Json) => T): T[] {
  return Array.isArray(json) ? json.filter(isObject).map((each) => read(each)) : [];
}

function text(json: unknown): string {
  return typeof json === 'string' ? json : '';
}

function textOrNull(json: unknown): string | null {
  return typeof json === 'string' && json !== '' ? json : null;
}

function number(json: unknown): number {
  return typeof json === 'number' && Number.isFinite(json) ? json : 0;
}

function within(json: unknown, length: number): number {
  const index = number(json);
  return Number.isInteger(index) && index >= 0 && index < length ? index : 0;
}

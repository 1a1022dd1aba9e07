/** A trace as OTLP JSON, which every tool of OpenTelemetry can read. */

import { groupBy } from './group';
import { type Attributes, KINDS, moment, type Span, type Trace, type Value } from './model';
import { isList } from './value';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const KIND_NUMBERS: Readonly<Record<(typeof KINDS)[number], number>> = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const STATUS_NUMBERS = { unset: 0, ok: 1, error: 2 } as const;

export function toOtlp(trace: Trace): Json {
  return {
    resourceSpans: byResource(trace, trace.spans, 'scopeSpans', 'spans', (span) => otlpSpan(trace, span)),
    resourceLogs: byResource(trace, trace.logs, 'scopeLogs', 'logRecords', (log) => ({
      timeUnixNano: nano(trace, log.time),
      severityNumber: log.severity,
      severityText: log.level,
      body: anyValue(log.body),
      attributes: keyValues(log.attributes),
      traceId: trace.id,
      ...(log.span === null ? {} : { spanId: log.span }),
      ...(log.event === null ? {} : { eventName: log.event }),
    })),
  };
}

interface Placed {
  readonly resource: number;
  readonly scope: number;
}

function byResource<T extends Placed>(trace: Trace, items: readonly T[], scopes: string, list: string, write: (item: T) => Json): Json[] {
  const places = groupBy(items, ({ resource }) => resource);
  return [...places].map(([resource, inside]) => ({
    resource: { attributes: keyValues(trace.resources[resource]?.attributes ?? []) },
    [scopes]: [...groupBy(inside, ({ scope }) => scope)].map(([scope, own]) => otlpScope(trace, scope, list, own.map(write))),
  }));
}

function otlpScope(trace: Trace, index: number, list: string, items: Json[]): Json {
  const { name = '', version = '', schemaUrl = '', attributes = [] } = trace.scopes[index] ?? {};
  return { scope: { name, version, attributes: keyValues(attributes) }, [list]: items, schemaUrl };
}

function otlpSpan(trace: Trace, span: Span): Json {
  return {
    traceId: trace.id,
    spanId: span.id,
    ...(span.parent === null ? {} : { parentSpanId: span.parent }),
    ...(span.state === '' ? {} : { traceState: span.state }),
    name: span.name,
    kind: KIND_NUMBERS[span.kind],
    startTimeUnixNano: nano(trace, span.start),
    // OTLP has no running spans: zero is "not known".
    endTimeUnixNano: span.end === null ? '0' : nano(trace, span.end),
    attributes: keyValues(span.attributes),
    droppedAttributesCount: span.droppedAttributes,
    events: span.events.map((event) => ({
      timeUnixNano: nano(trace, event.time),
      name: event.name,
      attributes: keyValues(event.attributes),
      droppedAttributesCount: event.droppedAttributes,
    })),
    droppedEventsCount: span.droppedEvents,
    links: span.links.map((link) => ({
      traceId: link.trace,
      spanId: link.span,
      traceState: link.state,
      attributes: keyValues(link.attributes),
      droppedAttributesCount: link.droppedAttributes,
    })),
    droppedLinksCount: span.droppedLinks,
    status: { code: STATUS_NUMBERS[span.status], message: span.message },
  };
}

function nano(trace: Trace, time: number): string {
  return String(moment(trace, time));
}

function keyValues(attributes: Attributes): Json[] {
  return attributes.map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: Value): Json {
  if (value === null) return {};
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (isList(value)) return { arrayValue: { values: value.map(anyValue) } };
  if ('int' in value) return { intValue: value.int };
  if ('double' in value) return { doubleValue: value.double };
  if ('bytes' in value) return { bytesValue: value.bytes };
  return { kvlistValue: { values: keyValues(value.map) } };
}

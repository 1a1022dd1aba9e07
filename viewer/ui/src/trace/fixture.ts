/** Traces for tests, in few words. */

import type { Span, Trace } from './model';

const BARE: Omit<Span, 'id' | 'start' | 'end'> = {
  parent: null, remote: null, name: '', kind: 'internal', status: 'unset', message: '', resource: 0, scope: 0, attributes: [],
  events: [], links: [], state: '', droppedAttributes: 0, droppedEvents: 0, droppedLinks: 0,
};

export function span(id: string, start: number, end: number | null, more: Partial<Span> = {}): Span {
  return { ...BARE, name: id, ...more, id, start, end };
}

export function trace(spans: readonly Span[], more: Partial<Trace> = {}): Trace {
  return {
    format: 'otelhttp-trace/1', id: '0af7651916cd43dd8448eb211c80319c', epoch: '1772454667482000000', now: 1000,
    resources: [{ service: 'shop', attributes: [] }, { service: 'db', attributes: [] }, { service: 'mail', attributes: [] }],
    scopes: [{ name: 'otelhttp', version: '', schemaUrl: '', attributes: [] }], spans, logs: [], linkedFrom: [], truncated: 0, ...more,
  };
}

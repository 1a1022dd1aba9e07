/** Telemetry that no program sends: hostile, huge, or with clocks that differ. */

import { type Attributes, type Span, type Trace } from '../src/trace/model';

const BARE: Omit<Span, 'id' | 'start' | 'end' | 'name'> = {
  parent: null, remote: null, kind: 'server', status: 'unset', message: '', resource: 0, scope: 0, attributes: [],
  events: [], links: [], state: '', droppedAttributes: 0, droppedEvents: 0, droppedLinks: 0,
};

export function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}

export function traceOf(id: number, spans: readonly Span[], more: Partial<Trace> = {}): Trace {
  return {
    format: 'otelhttp-trace/1', id: hex(id, 32), epoch: String(BigInt(Date.now() - 5000) * 1_000_000n), now: 5e9,
    resources: [{ service: 'shop', attributes: [['service.name', 'shop']] }], scopes: [{ name: 'made', version: '', schemaUrl: '', attributes: [] }],
    spans, logs: [], linkedFrom: [], truncated: 0, ...more,
  };
}

export function spanOf(id: number, name: string, start: number, end: number | null, more: Partial<Span> = {}): Span {
  return { ...BARE, id: hex(id, 16), name, start, end, ...more };
}

export const PAYLOADS = [
  '<script>document.title="owned"</script>',
  '<img src=x onerror="document.title=\'owned\'">',
  '"><svg onload="document.title=\'owned\'">',
  '{{constructor.constructor("document.title=\'owned\'")()}}',
  "javascript:document.title='owned'",
  '${document.title="owned"}',
  '__proto__',
  '</title></style></textarea><iframe srcdoc="<script>parent.document.title=1</script>">',
];

/** Each payload in every field that takes text. */
export function hostile(): Trace {
  const spans = PAYLOADS.map((payload, at) => {
    const attributes: Attributes = [[payload, payload], ['url.full', payload], ['http.route', payload], ['error.type', payload], ['list', [payload]], ['map', { map: [[payload, payload]] }]];
    return spanOf(0xbad0 + at, payload, at * 1e6, 20e6, {
      parent: at === 0 ? null : hex(0xbad0, 16), kind: at % 2 === 0 ? 'server' : 'client', status: 'error', message: payload, resource: at, state: 'a=b', attributes,
      events: [{ name: payload, time: at * 1e6 + 1e5, attributes: [['exception.message', payload], ['exception.stacktrace', payload.repeat(40)]], droppedAttributes: 0 }],
      links: [{ trace: hex(0xbad, 32), span: hex(0xbad0, 16), state: '', attributes: [[payload, payload]], droppedAttributes: 0 }],
    });
  });
  return traceOf(0xbad, spans, {
    resources: PAYLOADS.map((payload) => ({ service: payload, attributes: [['service.name', payload], [payload, payload]] })),
    scopes: [{ name: PAYLOADS[0] ?? '', version: PAYLOADS[1] ?? '', schemaUrl: PAYLOADS[4] ?? '', attributes: [] }],
    logs: PAYLOADS.map((payload, at) => ({ time: at * 1e6, severity: 17, level: payload.slice(0, 20), body: payload, event: null, span: hex(0xbad0 + at, 16), resource: at, scope: 0, attributes: [[payload, payload]] })),
  });
}

/** A trace of many spans, some of them deep, some of them failed. */
export function huge(count: number): Trace {
  let seed = 11;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const spans: Span[] = [spanOf(1, 'batch', 0, 3e9)];
  for (let at = 1; at < count; at++) {
    const parent = spans[Math.floor(random() ** 2 * at)] as Span;
    const room = (parent.end ?? 0) - parent.start;
    const start = Math.round(parent.start + random() * room * 0.6);
    const more = { parent: parent.id, kind: at % 3 === 0 ? ('client' as const) : ('internal' as const), status: at % 101 === 0 ? ('error' as const) : ('unset' as const), attributes: [['at', at] as const] };
    spans.push(spanOf(at + 1, `step ${at % 40}`, start, Math.round(start + random() * room * 0.4), more));
  }
  return traceOf(0xb16, spans);
}

/** The server's clock is 40 ms behind; the call that nobody waits for outlives its parent; a part still runs. */
export function skewed(): Trace {
  const ms = 1e6;
  return traceOf(
    0x5c3,
    [
      spanOf(0x101, 'GET /cart', 0, 100 * ms, { attributes: [['http.route', '/cart']] }),
      spanOf(0x102, 'GET /price', 10 * ms, 60 * ms, { parent: hex(0x101, 16), kind: 'client' }),
      spanOf(0x103, 'GET /price', (10 + 4 - 40) * ms, (60 - 6 - 40) * ms, { parent: hex(0x102, 16), resource: 1 }),
      spanOf(0x104, 'send mail', 70 * ms, 190 * ms, { parent: hex(0x101, 16), kind: 'internal' }),
    ],
    { resources: [{ service: 'cart', attributes: [['service.name', 'cart']] }, { service: 'price', attributes: [['service.name', 'price']] }] },
  );
}

/** A file of Jaeger's with the trace of a tracer that gives a call and what served it one id: the id of both is `c`. */
export function shared(): { readonly id: string; readonly file: unknown } {
  const id = hex(0x54a, 32);
  const begun = Date.now() - 5000;
  const span = (spanID: string, parent: string | undefined, kind: string, processID: string, operationName: string, from: number, to: number): unknown => ({
    traceID: id, spanID: spanID.padStart(16, '0'), operationName, processID, startTime: (begun + from) * 1000, duration: (to - from) * 1000,
    references: parent === undefined ? [] : [{ refType: 'CHILD_OF', traceID: id, spanID: parent.padStart(16, '0') }],
    tags: [{ key: 'span.kind', type: 'string', value: kind }], logs: [],
  });
  const spans = [
    span('a', undefined, 'server', 'p1', 'GET /home', 0, 100), span('c', 'a', 'client', 'p1', 'GET /stock', 10, 60),
    span('c', 'a', 'server', 'p2', 'GET /stock', 14, 54), span('d', 'c', 'client', 'p2', 'SELECT', 20, 50),
  ];
  return { id, file: { data: [{ traceID: id, spans, processes: { p1: { serviceName: 'shop', tags: [] }, p2: { serviceName: 'stock', tags: [] } } }] } };
}

/** A call that begins a trace and what served it, with one id, as OTLP writes them: both failed, and the call has a link to another trace. */
export function failing(): { readonly span: string; readonly linked: string; readonly file: unknown } {
  const [traceId, linked, spanId] = [hex(0x10c, 32), hex(0x10d, 32), hex(0x10e, 16)];
  const begun = Date.now() - 100;
  const nano = (from: number): string => String(BigInt(begun + from) * 1_000_000n);
  const span = (service: string, kind: number, from: number, to: number, more: object): unknown => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
    scopeSpans: [{ spans: [{ traceId, spanId, name: 'GET /lost', kind, startTimeUnixNano: nano(from), endTimeUnixNano: nano(to), status: { code: 2 }, ...more }] }],
  });
  const links = [{ traceId: linked, spanId: hex(1, 16) }];
  return { span: spanId, linked, file: { resourceSpans: [span('shop', 3, 0, 50, { links }), span('stock', 2, 5, 45, {}), span('shop', 2, 0, 1, { traceId: linked, spanId: hex(1, 16), name: 'GET /before', status: {} })] } };
}

/** How many requests of each step were fast, middling and slow. */
const ROUTES = [
  ['/home', [[0, 4, 1], [1, 5, 3], [0, 6, 1], [2, 4, 2], [1, 3, 4], [1, 5, 1]]],
  ['/db', [[6, 2, 0], [9, 1, 0], [7, 3, 0], [4, 2, 1], [8, 1, 0], [9, 2, 0]]],
] as const;

/** A histogram, a counter and a gauge, as OTLP writes them. */
export function metrics(): unknown {
  const point = (at: number): { timeUnixNano: string; startTimeUnixNano: string } => ({
    timeUnixNano: String(BigInt(Date.now() - 60_000 + at * 10_000) * 1_000_000n),
    startTimeUnixNano: String(BigInt(Date.now() - 100_000) * 1_000_000n),
  });
  const six = [0, 1, 2, 3, 4, 5];
  const route = (value: string): unknown[] => [{ key: 'http.route', value: { stringValue: value } }];
  const list = [
    {
      name: 'http.server.request.duration', unit: 's', description: 'Duration of HTTP server requests.',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: ROUTES.flatMap(([path, steps]) =>
          six.map((at) => {
            const counts = [0, 1, 2].map((bucket) => steps.slice(0, at + 1).reduce((sum, step) => sum + (step[bucket] ?? 0), 0));
            const all = counts.reduce((sum, many) => sum + many, 0);
            return { ...point(at), attributes: route(path), count: String(all), sum: all / 10, explicitBounds: [0.01, 0.1, 1], bucketCounts: [...counts.map(String), '0'] };
          }),
        ),
      },
    },
    { name: 'requests', unit: '{request}', description: 'Requests.', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: six.map((at) => ({ ...point(at), asInt: String(7 * at) })) } },
    { name: 'process.memory.usage', unit: 'By', description: 'Memory.', gauge: { dataPoints: six.map((at) => ({ ...point(at), asInt: String(48_000_000 + at * 100_000) })) } },
  ];
  return { resourceMetrics: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] }, scopeMetrics: [{ scope: { name: 'made' }, metrics: list }] }] };
}

const SAYS = [['INFO', 9, 'a request for the stock of item 42'], ['DEBUG', 5, 'asking the cache'], ['INFO', 9, 'found in the cache, 3 ms old'], ['WARN', 13, 'the cache answers slowly'], ['ERROR', 17, 'the stock cannot be read: disk I/O error']] as const;

/** Which of these is said when. */
const WHEN = [0, 1, 2, 0, 1, 3, 0, 1, 2, 4] as const;

/** Log lines of all levels, as OTLP writes them. */
export function logs(): unknown {
  const logRecords = Array.from({ length: 40 }, (_, at) => {
    const [severityText, severityNumber, body] = SAYS[WHEN[at % WHEN.length] ?? 0];
    const attributes = [{ key: 'code.line.number', value: { intValue: String(at) } }];
    return { timeUnixNano: String(BigInt(Date.now() - (40 - at) * 1370) * 1_000_000n), severityNumber, severityText, body: { stringValue: body }, attributes };
  });
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'made' }, logRecords }] }] };
}

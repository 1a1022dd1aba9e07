import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeTrace } from './decode';
import { span, trace } from './fixture';
import { grouped, meaning } from './meaning';
import { toOtlp } from './otlp';
import { pack, unpack } from './permalink';
import { plain } from './value';

const full = trace(
  [
    span('b7ad6b7169203331', 5, 1_000_000_007, {
      name: '<script>alert(1)</script>', kind: 'server', status: 'error', message: 'boom', state: 'a=b', droppedEvents: 2,
      attributes: [['__proto__', 'x'], ['n', 3], ['f', 0.5], ['big', { int: '9223372036854775807' }], ['l', ['a', null, true]], ['m', { map: [['k', { double: 'NaN' }]] }], ['b', { bytes: 'AQ==' }]],
      events: [{ name: 'exception', time: 7, attributes: [['exception.message', 'é']], droppedAttributes: 0 }],
      links: [{ trace: '1af7651916cd43dd8448eb211c80319c', span: 'c7ad6b7169203331', state: '', attributes: [], droppedAttributes: 0 }],
    }),
    span('c7ad6b7169203331', 9, null, { parent: 'b7ad6b7169203331', resource: 1 }),
  ],
  { logs: [{ time: 8, severity: 17, level: 'ERROR', body: 'no', event: null, span: 'b7ad6b7169203331', resource: 0, scope: 0, attributes: [] }] },
);

describe('a permalink', () => {
  it('carries the whole trace', async () => {
    expect(await unpack(await pack(full))).toEqual(full);
  });

  it('needs no character that an address would change', async () => {
    expect(await pack(full)).toMatch(/^[\w-]+$/);
  });

  it.each(['', '%3Cscript%3E', 'abcd', 'e30'])('says what is wrong with %j', async (fragment) => {
    await expect(unpack(fragment)).rejects.toThrow(/^This link/);
  });

  it.each([
    ['1 MB', ' '.repeat(2 * 1024 * 1024)],
    ['10 spans', `{"format":"otelhttp-trace/1","spans":[{}${',{}'.repeat(10)}]}`],
    ['1000 values', `{"format":"otelhttp-trace/1","logs":[${'0,'.repeat(1000)}0]}`],
  ])('carries no more than %s, if that is allowed', async (most, json) => {
    const packed = deflateRawSync(json).toString('base64url');
    await expect(unpack(packed, { bytes: 1024 * 1024, values: 1000, spans: 10 })).rejects.toThrow(`This link carries more than ${most}.`);
  });
});

describe('decoding', () => {
  it('keeps what is right and leaves out what is not', () => {
    const json = { format: 'otelhttp-trace/1', id: 7, epoch: 'x', spans: [null, 'no', { id: 'a', kind: 'odd', start: 'x', resource: 9, attributes: [['k'], 'x', [1, 2], ['ok', { odd: 1 }]] }] };
    const { id, epoch, spans, resources } = decodeTrace(json);
    expect({ id, epoch, resources }).toEqual({ id: '', epoch: '0', resources: [{ service: 'unknown_service', attributes: [] }] });
    expect(spans).toMatchObject([{ id: 'a', kind: 'unspecified', start: 0, end: 0, resource: 0, attributes: [['', 2], ['ok', { map: [] }]] }]);
  });

  it('goes only so deep', () => {
    let value: unknown = 'end';
    for (let depth = 0; depth < 50_000; depth++) value = [value];
    const { spans } = decodeTrace({ format: 'otelhttp-trace/1', spans: [{ attributes: [['k', value]] }] });
    expect(plain(spans[0]?.attributes[0]?.[1] ?? null)).toBe(`${'['.repeat(16)}"…"${']'.repeat(16)}`);
  });

  it.each([null, [], {}, { format: 'other' }])('refuses %j', (json) => expect(() => decodeTrace(json)).toThrow(/no trace/));
});

describe('OTLP', () => {
  it('has every field as the protocol writes it', () => {
    expect(toOtlp(full)).toMatchObject({
      resourceSpans: [
        {
          scopeSpans: [
            {
              scope: { name: 'otelhttp' },
              spans: [
                {
                  traceId: full.id, spanId: 'b7ad6b7169203331', traceState: 'a=b', kind: 2, name: '<script>alert(1)</script>',
                  startTimeUnixNano: '1772454667482000005', endTimeUnixNano: '1772454668482000007', droppedEventsCount: 2, status: { code: 2, message: 'boom' },
                  attributes: [
                    { key: '__proto__', value: { stringValue: 'x' } }, { key: 'n', value: { intValue: '3' } }, { key: 'f', value: { doubleValue: 0.5 } },
                    { key: 'big', value: { intValue: '9223372036854775807' } }, { key: 'l', value: { arrayValue: { values: [{ stringValue: 'a' }, {}, { boolValue: true }] } } },
                    { key: 'm', value: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 'NaN' } }] } } }, { key: 'b', value: { bytesValue: 'AQ==' } },
                  ],
                  events: [{ timeUnixNano: '1772454667482000007', name: 'exception' }],
                },
              ],
            },
          ],
        },
        { scopeSpans: [{ spans: [{ parentSpanId: 'b7ad6b7169203331', endTimeUnixNano: '0' }] }] },
      ],
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ severityNumber: 17, body: { stringValue: 'no' }, spanId: 'b7ad6b7169203331' }] }] }],
    });
  });
});

describe('attributes', () => {
  it('are grouped by what they are about', () => {
    const groups = grouped([['url.path', '/'], ['x', 1], ['db.namespace', 'main'], ['http.route', '/'], ['error.type', '500']]);
    expect(groups.map(({ name, attributes }) => [name, attributes.map(([key]) => key)])).toEqual([
      ['Error', ['error.type']], ['HTTP', ['url.path', 'http.route']], ['Database', ['db.namespace']], ['Other', ['x']],
    ]);
  });

  it('have a meaning where the conventions give one', () => {
    expect(meaning('http.route')).toMatch(/router/);
    expect(meaning('http.request.header.accept')).toMatch(/header/);
    expect(meaning('mine')).toBeUndefined();
  });

  it('are one line of text each', () => {
    expect(plain({ map: [['a', ['b', { int: '9' }]], ['c', null]] })).toBe('{"a": ["b", 9], "c": null}');
  });
});

/** A trace as the server and permalinks give it. Nothing in it is believed, everything in it is text. */

/** What JSON's own types would lose comes in an object of one key. */
export type Value =
  | string
  | number
  | boolean
  | null
  | readonly Value[]
  | { readonly int: string }
  | { readonly double: string }
  | { readonly bytes: string }
  | { readonly map: Attributes };

/** Pairs in the order in which they came: a key may be `__proto__`, and may come twice. */
export type Attributes = readonly (readonly [key: string, value: Value])[];

export const KINDS = ['internal', 'server', 'client', 'producer', 'consumer', 'unspecified'] as const;
export type Kind = (typeof KINDS)[number];

/** It serves somebody. */
export function isServed(kind: Kind): boolean {
  return kind === 'server' || kind === 'consumer';
}

/** It asks somebody. */
export function isCall(kind: Kind): boolean {
  return kind === 'client' || kind === 'producer';
}

export const STATUSES = ['unset', 'ok', 'error'] as const;
export type Status = (typeof STATUSES)[number];

export interface Resource {
  readonly service: string;
  readonly attributes: Attributes;
}

export interface Scope {
  readonly name: string;
  readonly version: string;
  readonly schemaUrl: string;
  readonly attributes: Attributes;
}

export interface SpanEvent {
  readonly name: string;
  readonly time: number;
  readonly attributes: Attributes;
  readonly droppedAttributes: number;
}

export interface Link {
  readonly trace: string;
  readonly span: string;
  readonly state: string;
  readonly attributes: Attributes;
  readonly droppedAttributes: number;
}

/** A span of another trace with a link to one of this. */
export interface BackLink {
  readonly trace: string;
  readonly span: string;
  readonly kind: Kind;
  readonly name: string;
  /** The span of this trace. */
  readonly to: string;
}

export interface Log {
  readonly time: number;
  readonly severity: number;
  readonly level: string;
  readonly body: Value;
  readonly event: string | null;
  readonly span: string | null;
  readonly resource: number;
  readonly scope: number;
  readonly attributes: Attributes;
}

export interface Span {
  readonly id: string;
  readonly parent: string | null;
  /** Whether the parent is in another process; null where nobody said. */
  readonly remote: boolean | null;
  readonly name: string;
  readonly kind: Kind;
  /** As all times of a trace: nanoseconds since its epoch. */
  readonly start: number;
  /** Null while it runs. */
  readonly end: number | null;
  readonly status: Status;
  readonly message: string;
  readonly resource: number;
  readonly scope: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly Link[];
  readonly state: string;
  readonly droppedAttributes: number;
  readonly droppedEvents: number;
  readonly droppedLinks: number;
}

export interface Trace {
  readonly format: 'otelhttp-trace/1';
  readonly id: string;
  /** Nanoseconds since 1970, as text: a double cannot hold them. */
  readonly epoch: string;
  /** When the trace was looked at: there the bars of running spans end. */
  readonly now: number;
  readonly resources: readonly Resource[];
  readonly scopes: readonly Scope[];
  readonly spans: readonly Span[];
  readonly logs: readonly Log[];
  readonly linkedFrom: readonly BackLink[];
  /** Spans that were refused, since one trace may hold only so many. */
  readonly truncated: number;
}

/** When something of a trace happened, in nanoseconds since 1970. */
export function moment(trace: Trace, time: number): bigint {
  return BigInt(trace.epoch) + BigInt(Math.round(time));
}

export function attribute(attributes: Attributes, key: string): Value | undefined {
  return attributes.find(([name]) => name === key)?.[1];
}

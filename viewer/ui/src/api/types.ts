/** What `/api/v1` answers; `viewer/openapi.yaml` says what each field means. Times are µs since 1970, durations ns. */

import type { Attributes, Kind, Value } from '../trace/model';

export interface TraceSummary {
  readonly id: string;
  readonly start: number;
  readonly duration: number;
  readonly name: string;
  readonly service: string;
  readonly kind: Kind;
  readonly rooted: boolean;
  readonly spans: number;
  readonly running: number;
  readonly errors: number;
  readonly logs: number;
  readonly kept: boolean;
  readonly error: { readonly service: string; readonly name: string; readonly span: string; readonly kind: Kind; readonly message: string; readonly offset: number } | null;
  readonly services: readonly { readonly name: string; readonly spans: number; readonly self: number }[];
  readonly matches: readonly { readonly span: string; readonly kind: Kind }[];
}

export interface TraceList {
  readonly traces: readonly TraceSummary[];
  readonly next: string | null;
  readonly scanned: number;
}

export interface Points {
  readonly ids: readonly string[];
  readonly names: readonly string[];
  readonly name: readonly number[];
  readonly start: readonly number[];
  readonly duration: readonly number[];
  readonly error: readonly number[];
  readonly services: readonly string[];
  readonly service: readonly number[];
  readonly matched: number;
  readonly thinned: boolean;
}

export interface Sample {
  readonly trace: string;
  readonly span: string;
  readonly start: number;
  readonly duration: number;
  readonly error: boolean;
  readonly message: string;
}

export interface Operation {
  readonly service: string;
  readonly name: string;
  readonly kind: Kind;
  readonly count: number;
  readonly running: number;
  readonly errors: number;
  readonly rate: number;
  readonly errorShare: number;
  /** Null while none has ended. */
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly total: number;
  readonly share: number;
  readonly spark: readonly number[];
  readonly sparkErrors: readonly number[];
}

export interface OperationList {
  readonly operations: readonly Operation[];
  readonly from: number;
  readonly to: number;
  readonly scanned: number;
}

export interface Tally {
  readonly value: string;
  readonly count: number;
  readonly sample: { readonly trace: string; readonly span: string };
}

export interface Bucket {
  readonly from: number;
  readonly to: number | null;
  readonly count: number;
  readonly samples: readonly Sample[];
}

export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly errors: readonly number[];
}

export interface OperationDetail {
  readonly operation: Operation;
  readonly histogram: Histogram;
  readonly buckets: readonly Bucket[];
  readonly slowest: readonly Sample[];
  readonly failed: readonly Sample[];
  readonly runningNow: readonly Sample[];
  readonly statusCodes: readonly Tally[];
  readonly errorTypes: readonly Tally[];
  readonly series: {
    readonly start: number;
    readonly step: number;
    readonly count: readonly number[];
    readonly errors: readonly number[];
    readonly p50: readonly (number | null)[];
    readonly p95: readonly (number | null)[];
  };
}

interface Figures {
  readonly calls: number;
  readonly errors: number;
  readonly rate: number;
  readonly errorShare: number;
  /** Null where nothing of it has ended. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly search: string;
}

export interface MapNode extends Figures {
  readonly id: string;
  readonly name: string;
  readonly kind: 'service' | 'database' | 'messaging' | 'peer' | 'user';
  readonly system?: string | null;
}

export interface MapEdge extends Figures {
  readonly from: string;
  readonly to: string;
  readonly paired: number;
  readonly network: number | null;
}

export interface ServiceMap {
  readonly seconds: number;
  readonly nodes: readonly MapNode[];
  readonly edges: readonly MapEdge[];
}

export interface Tick {
  readonly time: number;
  readonly requests: number;
  readonly failures: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly calls: number;
  readonly callFailures: number;
  readonly inFlight: number | null;
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly busy: number | null;
  readonly spans: number;
  readonly revision: number;
}

export interface Failure {
  readonly why: 'error' | 'slow';
  readonly time: number;
  readonly service: string;
  readonly name: string;
  readonly duration: number;
  readonly trace: string;
  readonly span: string;
  readonly kind: Kind;
  readonly message: string;
}

export interface History {
  readonly ticks: readonly Tick[];
  readonly failures: readonly Failure[];
}

export interface Instrument {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly type: 'gauge' | 'sum' | 'histogram' | 'exponentialHistogram' | 'summary';
  readonly services: readonly string[];
  readonly series: number;
  readonly points: number;
  readonly last: number;
}

export type Column = readonly (number | null)[] | null;

export interface Exemplar {
  readonly time: number;
  readonly value: number;
  readonly trace: string;
  readonly span: string;
}

export interface MetricSeries {
  readonly service: string;
  readonly scope: string;
  readonly attributes: Attributes;
  readonly temporality: 'cumulative' | 'delta' | null;
  readonly monotonic: boolean;
  readonly times: readonly number[];
  readonly values: Column;
  readonly rate: Column;
  readonly count: Column;
  readonly sum: Column;
  readonly p50: Column;
  readonly p95: Column;
  readonly p99: Column;
  readonly bounds: readonly number[] | null;
  readonly buckets: readonly number[] | null;
  readonly exemplars: readonly Exemplar[] | null;
}

export interface SeriesList {
  readonly name: string;
  readonly unit: string;
  readonly type: Instrument['type'];
  readonly truncated: boolean;
  readonly series: readonly MetricSeries[];
}

export interface LogRecord {
  readonly time: number;
  readonly severity: number;
  readonly level: string;
  readonly body: Value;
  readonly service: string;
  readonly scope: string;
  readonly event: string | null;
  readonly trace: string | null;
  readonly span: string | null;
  readonly attributes: Attributes;
}

export interface LogList {
  readonly logs: readonly LogRecord[];
  readonly next: string | null;
  readonly scanned: number;
}

interface Signals {
  readonly spans: number;
  readonly logs: number;
  readonly points: number;
}

export interface Stats {
  readonly version: string;
  readonly revision: number;
  readonly paused: boolean;
  readonly since: number | null;
  readonly now: number;
  readonly spans: number;
  readonly traces: number;
  readonly running: number;
  readonly kept: number;
  readonly logs: number;
  readonly instruments: number;
  readonly series: number;
  readonly points: number;
  readonly bytes: number;
  readonly limits: { readonly bytes: number; readonly spans: number; readonly spansPerTrace: number; readonly logs: number; readonly points: number; readonly bodyBytes: number };
  readonly received: Signals;
  readonly evicted: Signals;
  readonly dropped: Signals;
  readonly services: readonly { readonly name: string; readonly spans: number; readonly errors: number }[];
  readonly intake: { readonly embedded: boolean; readonly http: string | null; readonly grpc: string | null };
}

export interface Suggestions {
  readonly from: number;
  readonly to: number;
  readonly suggestions: readonly { readonly text: string; readonly kind: string; readonly count: number }[];
}

export interface Imported extends Signals {
  readonly traces: readonly string[];
}

/** A trace as a table: one line for each operation. */

import { type Analysis, type Row, serviceOf } from './analysis';
import { groupBy } from './group';
import type { Kind } from './model';

export interface Line {
  readonly service: string;
  readonly name: string;
  readonly kind: Kind;
  readonly count: number;
  readonly errors: number;
  /** Sums and extremes of durations, in nanoseconds. */
  readonly total: number;
  readonly self: number;
  readonly mean: number;
  readonly longest: number;
  /** Its share of the critical path. */
  readonly critical: number;
  /** The longest of its spans. */
  readonly sample: Row;
}

export function lines(analysis: Analysis): Line[] {
  const { rows, trace } = analysis;
  const groups = groupBy(rows, ({ span }) => `${span.kind}\n${serviceOf(trace, span)}\n${span.name}`);
  const whole = sum(rows, criticalTime);
  return [...groups.values()].map((group) => line(group, analysis, whole)).sort((one, other) => other.self - one.self);
}

function line(rows: readonly Row[], { trace }: Analysis, whole: number): Line {
  const sample = rows.reduce((longest, row) => (length(row) > length(longest) ? row : longest));
  const total = sum(rows, length);
  return {
    service: serviceOf(trace, sample.span),
    name: sample.span.name,
    kind: sample.span.kind,
    count: rows.length,
    errors: rows.filter(({ span }) => span.status === 'error').length,
    total,
    self: sum(rows, ({ self }) => self),
    mean: total / rows.length,
    longest: length(sample),
    critical: whole === 0 ? 0 : sum(rows, criticalTime) / whole,
    sample,
  };
}

function length({ start, end }: Row): number {
  return end - start;
}

function criticalTime({ critical }: Row): number {
  return critical.reduce((time, [from, to]) => time + to - from, 0);
}

function sum(rows: readonly Row[], of: (row: Row) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}

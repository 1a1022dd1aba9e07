/** Two traces, span by span: which belong together, and which are in one of them only. */

import { type Analysis, type Row, serviceOf } from './analysis';
import { groupBy } from './group';

export interface PairRow {
  readonly key: string;
  readonly depth: number;
  readonly one: Row | undefined;
  readonly other: Row | undefined;
}

interface Pending {
  readonly one: Row | undefined;
  readonly other: Row | undefined;
  readonly depth: number;
}

/** Spans belong together if their parents do and they have the same name, kind and service; of several, the first to the first. */
export function compared(one: Analysis, other: Analysis): PairRow[] {
  const roots = (analysis: Analysis): Row[] => analysis.rows.filter(({ depth }) => depth === 0);
  const keys = [keyOf(one), keyOf(other)] as const;
  const waiting = matched(roots(one), roots(other), 0, keys).toReversed();
  const rows: PairRow[] = [];
  for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
    const { one, other, depth } = pair;
    rows.push({ key: `${one?.key ?? ''}-${other?.key ?? ''}`, one, other, depth });
    waiting.push(...matched(one?.children ?? [], other?.children ?? [], depth + 1, keys).toReversed());
  }
  return rows;
}

type KeyOf = (row: Row) => string;

function keyOf({ trace }: Analysis): KeyOf {
  return ({ span }) => `${serviceOf(trace, span)}\n${span.kind}\n${span.name}`;
}

function matched(ones: readonly Row[], others: readonly Row[], depth: number, [keyOfOne, keyOfOther]: readonly [KeyOf, KeyOf]): Pending[] {
  const left = groupBy(others, keyOfOther);
  const pairs: Pending[] = ones.map((one) => ({ one, other: left.get(keyOfOne(one))?.shift(), depth }));
  for (const rest of left.values()) pairs.push(...rest.map((other) => ({ one: undefined, other, depth })));
  return pairs;
}

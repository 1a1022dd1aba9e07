/** Finding spans in the trace that is shown. */

import { matcher } from '../../query/match';
import { parse } from '../../query/parse';
import type { Analysis, Row } from '../../trace/analysis';

/** The rows that are found; none when nothing is looked for. */
export function found(find: string, analysis: Analysis): readonly Row[] {
  if (find === '') return [];
  try {
    return analysis.rows.filter(matcher(parse(find), analysis));
  } catch {
    // The box says what is wrong.
    return [];
  }
}

/** The next of some rows after a place, in a circle. */
export function next(rows: readonly Row[], after: number, backwards: boolean): Row | undefined {
  if (backwards) return rows.findLast(({ index }) => index < after) ?? rows.at(-1);
  return rows.find(({ index }) => index > after) ?? rows[0];
}

let listener: ((backwards: boolean) => void) | undefined;

/** The search box is outside of the page; this is how it asks for the next row that is found. */
export function nextMatch(backwards: boolean): void {
  listener?.(backwards);
}

export function onNextMatch(told: (backwards: boolean) => void): () => void {
  listener = told;
  return () => {
    if (listener === told) listener = undefined;
  };
}

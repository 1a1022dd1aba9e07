/** Where the time of a trace went: a bar as long as the trace, in parts by service. */

import type { TraceSummary } from '../../api/types';
import { hueOf } from '../../app/hue';
import { duration } from '../../format/number';

export interface BarProps {
  readonly trace: TraceSummary;
  /** The duration that fills the whole width, in nanoseconds. */
  readonly full: number;
}

/** Services with less than this share of the time are not seen anyway. */
const SEEN = 0.004;
const MOST = 12;

export function Bar({ trace, full }: BarProps) {
  const busy = trace.services.reduce((sum, { self }) => sum + self, 0);
  const width = Math.min(1, trace.duration / full);
  const parts = trace.services.filter(({ self }) => self >= busy * SEEN).slice(0, MOST);
  const place = trace.error ? Math.min(1, Math.max(0, trace.error.offset / trace.duration)) : undefined;
  return (
    <span class="bar-track" title={parts.map(({ name, self }) => `${name} ${duration(self)}`).join(', ')}>
      <span class={trace.running > 0 ? 'trace-bar running' : 'trace-bar'} style={{ width: `${(width * 100).toFixed(2)}%` }}>
        {parts.map(({ name, self }) => (
          <span key={name} class={`hue-${hueOf(name)}`} style={{ flexGrow: `${Math.max(1, self)}` }} />
        ))}
        {place !== undefined && <span class="bar-error" style={{ left: `${(place * 100).toFixed(2)}%` }} />}
      </span>
    </span>
  );
}

/** The duration beyond which bars are cut: the longest, unless a few are far beyond the others. */
export function fullWidth(traces: readonly TraceSummary[]): number {
  const sorted = traces.map(({ duration }) => duration).sort((one, other) => one - other);
  const usual = sorted[Math.floor(sorted.length * 0.95)] ?? 1;
  return Math.max(1, Math.min(sorted.at(-1) ?? 1, usual * 1.5));
}

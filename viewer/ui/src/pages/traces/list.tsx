/** One line for each trace. */

import { useMemo, useState } from 'preact/hooks';
import type { TraceSummary } from '../../api/types';
import { go, toSpan } from '../../app/address';
import { count, durationOf, plural } from '../../format/number';
import { clock, day, iso } from '../../format/time';
import { Rows } from '../../parts/rows';
import { Service } from '../../parts/service';
import { useNarrow } from '../../parts/size';
import { Bar, fullWidth } from './bar';

export interface TraceListProps {
  readonly traces: readonly TraceSummary[];
  readonly onEnd: () => void;
  readonly onTop: (top: boolean) => void;
}

export function TraceList({ traces, onEnd, onTop }: TraceListProps) {
  const [active, setActive] = useState<string>();
  const narrow = useNarrow();
  const full = useMemo(() => fullWidth(traces), [traces]);
  return (
    <Rows
      items={traces}
      height={narrow ? 62 : 24}
      label="Traces"
      role="grid"
      keyOf={({ id }) => id}
      active={traces.findIndex(({ id }) => id === active)}
      onActive={(index) => setActive(traces[index]?.id)}
      onOpen={(trace) => go(addressOf(trace))}
      onEnd={onEnd}
      onTop={onTop}
      autoFocus
      row={(trace) => ({ class: trace.errors > 0 ? 'trace-row has-failed' : 'trace-row' })}
      render={(trace) => <Line trace={trace} full={full} />}
    />
  );
}

function addressOf({ id, matches: [first] }: TraceSummary): string {
  return first ? toSpan(id, first.span, first.kind) : `/trace/${id}`;
}

function Line({ trace, full }: { readonly trace: TraceSummary; readonly full: number }) {
  const { number, unit } = durationOf(trace.duration);
  const start = trace.start / 1000;
  return (
    <>
      <time class="number muted" role="gridcell" dateTime={iso(BigInt(trace.start) * 1000n)} title={day(start)}>
        {clock(start)}
      </time>
      <span class="trace-name" role="gridcell">
        <Service name={trace.service} />
        <a href={addressOf(trace)} tabIndex={-1}>
          {trace.name || '(no name)'}
        </a>
        {!trace.rooted && <span class="tag" title="its first span has not come">no root</span>}
        {trace.kept && <span class="tag" title="older than the others, kept as a slow or failed sample">kept</span>}
      </span>
      <Bar trace={trace} full={full} />
      <span class="number quantity" role="gridcell">
        {number} <span class="unit">{unit}</span>
      </span>
      <span class="number muted spans" role="gridcell">
        {plural(trace.spans, 'span')}
      </span>
      <span class="trace-services muted" role="gridcell">
        {trace.running > 0 && <span class="tag running">{count(trace.running)} running</span>}
        {trace.services.map(({ name }) => name).join(' · ')}
      </span>
      <span class="trace-error failed" role="gridcell">
        {trace.error && (
          <>
            <span aria-hidden="true">× </span>
            <span class="unseen">failed: </span>
            {[trace.error.service === trace.service ? '' : `${trace.error.service}: `, trace.error.message || trace.error.name].join('')}
          </>
        )}
      </span>
    </>
  );
}

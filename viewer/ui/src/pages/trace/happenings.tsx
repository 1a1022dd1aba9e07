/** What happened in a span: events, log lines, and the links to and from it. */

import { toSpan } from '../../app/address';
import { duration } from '../../format/number';
import { AttributeList, Long } from '../../parts/attributes';
import { Level } from '../../parts/level';
import type { Row } from '../../trace/analysis';
import type { Log, SpanEvent, Trace } from '../../trace/model';
import { plain } from '../../trace/value';

export function Events({ events, row }: { readonly events: readonly SpanEvent[]; readonly row: Row }) {
  return (
    <ol class="happenings">
      {events.map(({ name, time, attributes }, index) => (
        <li key={index}>
          <span class="number muted">+{duration(time - row.span.start)}</span> <strong class={name === 'exception' ? 'failed' : ''}>{name}</strong>
          <AttributeList attributes={attributes} />
        </li>
      ))}
    </ol>
  );
}

export function Logs({ logs, row }: { readonly logs: readonly Log[]; readonly row: Row }) {
  return (
    <ol class="happenings">
      {logs.map(({ time, level, severity, body, event, attributes }, index) => (
        <li key={index}>
          <span class="number muted">+{duration(time - row.span.start)}</span> <Level level={level} severity={severity} /> {event && <code>{event}</code>}{' '}
          <Long text={plain(body)} />
          <AttributeList attributes={attributes} />
        </li>
      ))}
    </ol>
  );
}

export function Links({ row: { span, key }, trace }: { readonly row: Row; readonly trace: Trace }) {
  const back = trace.linkedFrom.filter(({ to }) => to === key);
  if (span.links.length === 0 && back.length === 0) return null;
  return (
    <details open>
      <summary>
        <h3>Links</h3>
      </summary>
      <ul class="happenings">
        {span.links.map((link, index) => (
          <li key={index}>
            to{' '}
            <a href={`/trace/${encodeURIComponent(link.trace)}?span=${encodeURIComponent(link.span)}`}>
              span {link.span.slice(0, 8)} of trace {link.trace.slice(0, 8)}
            </a>
            <AttributeList attributes={link.attributes} />
          </li>
        ))}
        {back.map((link, index) => (
          <li key={index}>
            from <a href={toSpan(link.trace, link.span, link.kind)}>{link.name || '(no name)'}</a>
          </li>
        ))}
      </ul>
    </details>
  );
}

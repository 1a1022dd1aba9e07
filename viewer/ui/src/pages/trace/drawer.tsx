/** Everything that is known of one span. */

import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { change } from '../../app/address';
import { count, duration } from '../../format/number';
import { iso } from '../../format/time';
import { AttributeList } from '../../parts/attributes';
import { Copy } from '../../parts/copy';
import { Icon } from '../../parts/icon';
import { Service } from '../../parts/service';
import { type Analysis, logsByRow, type Row, serviceOf } from '../../trace/analysis';
import { grouped } from '../../trace/meaning';
import { moment, type Span, type Trace } from '../../trace/model';
import { Events, Links, Logs } from './happenings';

export interface DrawerProps {
  readonly row: Row;
  readonly analysis: Analysis;
  readonly onOpen: (row: Row | undefined) => void;
}

export function Drawer({ row, analysis, onOpen }: DrawerProps) {
  const { span } = row;
  const { trace } = analysis;
  const close = (): void => {
    change({ span: null });
    document.querySelector<HTMLElement>('.rows')?.focus({ preventScroll: true });
  };
  return (
    <aside class="drawer" aria-label={`Span ${span.name}`}>
      <header>
        <h2>
          <Service name={serviceOf(trace, span)} /> {span.name || '(no name)'}
        </h2>
        <button class="quiet" aria-label="Close the span" title="close (Esc)" onClick={close}>
          <Icon shape="close" />
        </button>
      </header>
      {span.status === 'error' && (
        <p class="failed status">
          × failed{span.message !== '' && <>: <span class="long">{span.message}</span></>}
        </p>
      )}
      <Facts row={row} analysis={analysis} onOpen={onOpen} />
      {grouped(span.attributes).map(({ name, attributes }) => (
        <Section key={name} title={name} open>
          <AttributeList attributes={attributes} />
        </Section>
      ))}
      <Dropped number={span.droppedAttributes} what="attributes" />
      <Happenings row={row} analysis={analysis} />
      <Origin span={span} trace={trace} />
      <Section title="Raw JSON">
        <Copy what="the span as JSON" text={() => raw(row)}>copy</Copy>
        <pre class="raw">{raw(row)}</pre>
      </Section>
    </aside>
  );
}

function Happenings({ row, analysis }: { readonly row: Row; readonly analysis: Analysis }) {
  const { span } = row;
  const { trace } = analysis;
  const logs = useMemo(() => logsByRow(analysis).get(row) ?? [], [analysis, row]);
  return (
    <>
      {span.events.length > 0 && <Section title={`Events (${count(span.events.length)})`} open><Events events={span.events} row={row} /></Section>}
      <Dropped number={span.droppedEvents} what="events" />
      {logs.length > 0 && <Section title={`Logs (${count(logs.length)})`} open><Logs logs={logs} row={row} /></Section>}
      <Links row={row} trace={trace} />
      <Dropped number={span.droppedLinks} what="links" />
    </>
  );
}

/** Who made the span. */
function Origin({ span, trace }: { readonly span: Span; readonly trace: Trace }) {
  const resource = trace.resources[span.resource];
  const scope = trace.scopes[span.scope];
  return (
    <>
      {resource && <Section title="Resource"><AttributeList attributes={resource.attributes} /></Section>}
      {scope && (
        <Section title="Scope">
          <AttributeList attributes={[['name', scope.name], ['version', scope.version], ['schema', scope.schemaUrl], ...scope.attributes]} />
        </Section>
      )}
    </>
  );
}

function raw({ span }: Row): string {
  return JSON.stringify(span, null, 2);
}

interface SectionProps {
  readonly title: string;
  readonly open?: boolean;
  readonly children: ComponentChildren;
}

/** What is folded is not there: raw JSON of a large span would double the page. */
function Section({ title, open = false, children }: SectionProps) {
  const [shown, setShown] = useState(open);
  return (
    <details open={shown} onToggle={({ currentTarget }) => setShown(currentTarget.open)}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {shown && children}
    </details>
  );
}

function Dropped({ number, what }: { readonly number: number; readonly what: string }) {
  return number > 0 ? <p class="note">{count(number)} {what} were dropped before the span was sent.</p> : null;
}

function Facts({ row, analysis, onOpen }: DrawerProps) {
  const { span, parent, pair, outlives, offset } = row;
  const begun = iso(moment(analysis.trace, span.start));
  return (
    <dl class="span-facts">
      <Fact name="duration"><strong>{duration(row.end - row.start)}</strong>{span.end === null ? ', running' : ''}</Fact>
      <Fact name="self">{duration(row.self)}</Fact>
      <Fact name="start">
        <span title={begun}>{duration(row.start - analysis.start)} after the trace</span> <Copy what="the start" text={() => begun} />
      </Fact>
      <Fact name="kind">{span.kind}{span.remote === true ? ', its parent is in another process' : ''}</Fact>
      {pair && <Fact name="network">{duration(pair.request)} there, {duration(pair.response)} back</Fact>}
      {outlives > 0 && <Fact name="outlives">its parent by {duration(outlives)}</Fact>}
      {offset !== 0 && <Fact name="clock">moved by {duration(offset)}</Fact>}
      <Fact name="parent">
        {parent ? <button class="link" onClick={() => onOpen(parent)}>{parent.span.name || '(no name)'}</button> : span.parent ? <>{span.parent}, which has not come</> : 'none'}
      </Fact>
      {span.state !== '' && <Fact name="tracestate">{span.state}</Fact>}
      <Fact name="span id"><code>{span.id}</code> <Copy what="the span’s id" text={() => span.id} /></Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="number long">{children}</dd>
    </div>
  );
}

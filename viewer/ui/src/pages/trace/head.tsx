/** What a trace is in one line, and what can be done with it. */

import { change } from '../../app/address';
import { useCell } from '../../app/cell';
import { ticks } from '../../app/live';
import { count, duration, plural } from '../../format/number';
import { ago, day, iso, milliseconds } from '../../format/time';
import { Copy } from '../../parts/copy';
import { Icon } from '../../parts/icon';
import { Service } from '../../parts/service';
import type { Analysis, Row } from '../../trace/analysis';
import { moment } from '../../trace/model';
import { CompareWith } from './compare_with';
import { ExportMenu } from './export';
import { type State, VIEWS } from './state';

export interface HeadProps {
  readonly analysis: Analysis;
  readonly state: State;
  readonly live: boolean;
  readonly matches: readonly Row[];
  readonly onMatch: (backwards: boolean) => void;
}

export function Head({ analysis, state, live, matches, onMatch }: HeadProps) {
  const { trace, rows, start, end, errors, running, services } = analysis;
  const first = rows[0];
  const begun = moment(trace, start);
  return (
    <div class="trace-head">
      <div class="facts number">
        <h1>
          <Service name={services[0] ?? ''} /> {first?.span.name || '(no name)'}
        </h1>
        <strong>{duration(end - start)}</strong>
        <span>{plural(rows.length, 'span')}</span>
        <span>{plural(services.length, 'service')}</span>
        {errors > 0 && <span class="failed">× {plural(errors, 'error')}</span>}
        {running > 0 && <span class="tag running">{count(running)} running</span>}
        <time class="muted" dateTime={iso(begun)} title={iso(begun)}>
          {day(milliseconds(begun))} · <Ago moment={milliseconds(begun)} />
        </time>
        <span class="muted trace-id">
          <code>{trace.id}</code>
          <Copy what="the trace’s id" text={() => trace.id} />
        </span>
      </div>
      <div class="toolbar">
        <div class="tabs" role="group" aria-label="View">
          {VIEWS.map((view) => (
            <button key={view} class="quiet" aria-pressed={view === state.view} onClick={() => change({ view: view === 'waterfall' ? null : view }, { entry: true })}>
              {view}
            </button>
          ))}
        </div>
        {state.view === 'waterfall' && (
          <label class="check">
            <input type="checkbox" checked={state.critical} onChange={() => change({ critical: state.critical ? '0' : null })} /> critical path
          </label>
        )}
        {state.find !== '' && <Matches matches={matches} onMatch={onMatch} />}
        <span class="push" />
        {live && <CompareWith id={trace.id} name={first?.span.name ?? ''} />}
        <ExportMenu analysis={analysis} folded={state.folded} />
      </div>
      <Notes analysis={analysis} />
    </div>
  );
}

/** Told anew each second: a trace stays open for hours. */
function Ago({ moment }: { readonly moment: number }) {
  useCell(ticks);
  return <>{ago(moment, Date.now())}</>;
}

function Matches({ matches, onMatch }: Pick<HeadProps, 'matches' | 'onMatch'>) {
  return (
    <span class="matches" role="status">
      {matches.length === 0 ? 'no span is found' : `${plural(matches.length, 'span')} found`}
      {matches.length > 0 && (
        <>
          <button class="quiet" aria-label="Previous found span" onClick={() => onMatch(true)}>
            <Icon shape="up" />
          </button>
          <button class="quiet turned" aria-label="Next found span" onClick={() => onMatch(false)}>
            <Icon shape="up" />
          </button>
        </>
      )}
    </span>
  );
}

/** What must be known to read the times right. */
function Notes({ analysis: { skews, trace, rows } }: { readonly analysis: Analysis }) {
  const lost = rows.filter((row) => row.lost).length;
  return (
    <>
      {skews.map(({ resource, offset }) => (
        <p key={resource} class="note">
          The clock of <Service name={trace.resources[resource]?.service ?? ''} /> is {offset > 0 ? 'behind' : 'ahead'}: its times are moved by {offset > 0 ? '+' : ''}
          {duration(offset)}.
        </p>
      ))}
      {trace.truncated > 0 && <p class="note">{count(trace.truncated)} more spans of this trace were refused: one trace may hold only so many.</p>}
      {lost > 0 && <p class="note">{lost === 1 ? 'One span names a parent that has' : `${count(lost)} spans name parents that have`} not come.</p>}
    </>
  );
}

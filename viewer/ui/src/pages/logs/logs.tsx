/** The log lines that have come, newest first. */

import { useState } from 'preact/hooks';
import { address } from '../../api/client';
import type { LogList, LogRecord, Stats } from '../../api/types';
import { type Paged, usePages } from '../../app/paging';
import { scope } from '../../app/scope';
import { clock, day, iso } from '../../format/time';
import { AttributeList, Long } from '../../parts/attributes';
import { Copy } from '../../parts/copy';
import { Empty } from '../../parts/empty';
import { Icon } from '../../parts/icon';
import { Level } from '../../parts/level';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/rows';
import { Service } from '../../parts/service';
import { useNarrow } from '../../parts/size';
import { plain } from '../../trace/value';

export interface LogsProps {
  readonly params: URLSearchParams;
  readonly stats: Stats | undefined;
}

export function LogsPage({ params, stats }: LogsProps) {
  const [top, setTop] = useState(true);
  const [opened, setOpened] = useState<Opened>();
  const pages = usePages<LogList, LogRecord>(address('/logs', { ...scope(params), limit: 300 }), top, ({ logs }) => logs);
  const { items, error, settled } = pages;
  const close = (): void => {
    setOpened(undefined);
    document.querySelector<HTMLElement>('.rows')?.focus({ preventScroll: true });
  };
  return (
    <div class="page logs" onKeyDown={({ key }) => key === 'Escape' && opened && close()}>
      {error && <Problem error={error} query={params.get('q') ?? ''} />}
      {items.length > 0 ? (
        <div class={opened ? 'trace-body with-drawer' : 'trace-body'}>
          <Lines pages={pages} opened={opened} onOpen={setOpened} onTop={setTop} />
          {opened && <LogDrawer log={opened.log} onClose={close} />}
        </div>
      ) : (
        settled && !error && <Empty what="logs" stats={stats} params={params} some={(stats?.logs ?? 0) > 0} />
      )}
    </div>
  );
}

interface Opened {
  readonly key: string;
  readonly log: LogRecord;
}

interface LinesProps {
  readonly pages: Paged<LogRecord>;
  readonly opened: Opened | undefined;
  readonly onOpen: (opened: Opened) => void;
  readonly onTop: (top: boolean) => void;
}

/** Log lines have no id; several may be of one moment. */
function keysOf(logs: readonly LogRecord[]): Map<LogRecord, string> {
  const seen = new Map<string, number>();
  return new Map(
    logs.map((log) => {
      const key = `${log.time}-${log.span ?? ''}`;
      const times = seen.get(key) ?? 0;
      seen.set(key, times + 1);
      return [log, `${key}-${times}`];
    }),
  );
}

function Lines({ pages: { items, more }, opened, onOpen, onTop }: LinesProps) {
  const narrow = useNarrow();
  const [active, setActive] = useState(-1);
  const keys = keysOf(items);
  const keyOf = (log: LogRecord): string => keys.get(log) ?? '';
  return (
    <Rows
      items={items}
      height={narrow ? 44 : 22}
      label="Log lines"
      role="grid"
      keyOf={keyOf}
      active={opened ? items.findIndex((log) => keyOf(log) === opened.key) : active}
      onActive={(index) => {
        setActive(index);
        const log = items[index];
        if (opened && log) onOpen({ key: keyOf(log), log });
      }}
      onOpen={(log) => onOpen({ key: keyOf(log), log })}
      onEnd={more}
      onTop={onTop}
      autoFocus
      row={() => ({ class: 'log-row' })}
      render={(log) => (
        <>
          <time class="number muted" role="gridcell" title={day(log.time / 1000)}>
            {clock(log.time / 1000)}
          </time>
          <span role="gridcell">
            <Level level={log.level} severity={log.severity} />
          </span>
          <span role="gridcell">
            <Service name={log.service} />
          </span>
          <span class="log-body" role="gridcell">
            {log.event != null && <code>{log.event} </code>}
            {plain(log.body).slice(0, 400)}
          </span>
          <span role="gridcell">{log.trace != null && <TraceLink log={log} words="trace" />}</span>
        </>
      )}
    />
  );
}

function TraceLink({ log: { trace, span }, words }: { readonly log: LogRecord; readonly words: string }) {
  return <a href={`/trace/${trace}${span == null ? '' : `?span=${span}`}`}>{words}</a>;
}

function LogDrawer({ log, onClose }: { readonly log: LogRecord; readonly onClose: () => void }) {
  return (
    <aside class="drawer" aria-label="Log line">
      <header>
        <h2>
          <Level level={log.level} severity={log.severity} /> <Service name={log.service} />
        </h2>
        <button class="quiet" aria-label="Close the log line" onClick={onClose}>
          <Icon shape="close" />
        </button>
      </header>
      <p>
        <span class="number muted">{iso(BigInt(log.time) * 1000n)}</span> {log.scope !== '' && <code>{log.scope}</code>}
      </p>
      <p class="log-whole">
        <Long text={plain(log.body)} /> <Copy what="the text" text={() => plain(log.body)} />
      </p>
      {log.trace != null && (
        <p>
          <TraceLink log={log} words={`its trace ${log.trace.slice(0, 8)}`} />
        </p>
      )}
      <AttributeList attributes={log.attributes} />
    </aside>
  );
}

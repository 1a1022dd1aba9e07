/** One trace, from the server or from the address itself. */

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { address, readTrace } from '../../api/client';
import { type Answer, useAnswer } from '../../app/ask';
import { Problem } from '../../parts/problem';
import { analyse } from '../../trace/analysis';
import type { Trace } from '../../trace/model';
import { unpack } from '../../trace/permalink';
import { TraceView } from './view';

export function TracePage({ id, params }: { readonly id: string; readonly params: URLSearchParams }) {
  const { data, error } = useTrace(id);
  if (error?.status === 404) return <Gone id={id} />;
  if (error) return <Problem error={error} />;
  return data ? <Analysed trace={data} params={params} live /> : <p class="notice">…</p>;
}

/** A trace of the server. It is asked for again as long as more of it may come. */
export function useTrace(id: string): Answer<Trace> {
  const [live, setLive] = useState(true);
  const answer = useAnswer<Trace>(address(`/traces/${encodeURIComponent(id)}`), { live, load: (_, signal) => readTrace(id, signal) });
  useEffect(() => {
    if (answer.data) setLive(isFresh(answer.data));
  }, [answer.data]);
  return answer;
}

const SETTLED = 10e9;

function isFresh({ spans, now }: Trace): boolean {
  return spans.some(({ end }) => end === null || now - end < SETTLED);
}

export function OpenPage({ fragment, params }: { readonly fragment: string; readonly params: URLSearchParams }) {
  const { data, error } = useAnswer<Trace>(fragment === '' ? undefined : `#${fragment}`, { load: () => unpack(fragment) });
  if (fragment === '') return <Note>This link carries no trace: what follows the # is missing.</Note>;
  if (error) return <Problem error={error} />;
  return data ? <Analysed trace={data} params={params} live={false} /> : <p class="notice">…</p>;
}

function Analysed({ trace, params, live }: { readonly trace: Trace; readonly params: URLSearchParams; readonly live: boolean }) {
  const analysis = useMemo(() => analyse(trace), [trace]);
  if (analysis.rows.length === 0) return <Note>There is no span in this trace.</Note>;
  return <TraceView analysis={analysis} params={params} live={live} />;
}

function Gone({ id }: { readonly id: string }) {
  return (
    <Note>
      The trace <code>{id}</code> is not kept: it never came, or has made room for newer ones. <a href="/traces">To the traces</a>
    </Note>
  );
}

function Note({ children }: { readonly children: ComponentChildren }) {
  return <p class="notice">{children}</p>;
}

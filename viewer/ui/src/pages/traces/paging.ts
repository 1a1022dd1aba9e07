/** The list, page after page; the first page follows what comes as long as it is looked at. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { read, type ApiError } from '../../api/client';
import type { TraceList, TraceSummary } from '../../api/types';
import { useAnswer } from '../../app/ask';

export interface Pages {
  readonly traces: readonly TraceSummary[];
  readonly error: ApiError | undefined;
  /** The answer to this question has come. */
  readonly settled: boolean;
  readonly more: () => void;
}

interface Later {
  readonly traces: readonly TraceSummary[];
  readonly next: string | null;
}

/** No list is longer: nobody reads on, and a search is better. */
const MOST = 5000;

export function usePages(url: string, live: boolean): Pages {
  const first = useAnswer<TraceList>(url, { live });
  const [later, setLater] = useState<Later>();
  const loading = useRef(false);
  // While the first page moves, what follows it is not known.
  useEffect(() => setLater(undefined), [url, live ? first.data : undefined]);
  const next = later ? later.next : (first.data?.next ?? null);
  const traces = later ? [...(first.data?.traces ?? []), ...later.traces] : (first.data?.traces ?? []);
  const more = (): void => {
    if (next === null || loading.current || live || traces.length >= MOST) return;
    loading.current = true;
    read<TraceList>(`${url}&before=${encodeURIComponent(next)}`)
      .then((page) => setLater({ traces: [...(later?.traces ?? []), ...page.traces], next: page.next }))
      .catch(() => setLater({ traces: later?.traces ?? [], next: null }))
      .finally(() => (loading.current = false));
  };
  return { traces, error: first.error, settled: !first.pending, more };
}
